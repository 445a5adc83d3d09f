"""What a person wrote in a mail, without the quoted history, signature and boilerplate below it."""

from __future__ import annotations

import re

_LABEL = (
    r"(?:发件人|寄件者|寄件人|发送时间|发送日期|寄件日期|日期|收件人|收件者|抄送|主题|主旨"
    r"|From|Sent|Date|To|Cc|Subject)"
)
_HEAD_LABEL = re.compile(r"^[>\s*]*(?:发件人|寄件者|寄件人|From)\s*\**\s*[:：]", re.IGNORECASE)
_HEADER_LINE = re.compile(rf"^[>\s*]*{_LABEL}\s*\**\s*[:：]", re.IGNORECASE)
# -----原始邮件-----, ------ 原始邮件 ------, ----- Original Message -----, ---- 回复的原邮件 ----
_RULE = re.compile(
    r"^[>\s]*[-_—=]{2,}\s*(?:回复的?原?邮件|转发的?邮件(?:信息)?|原始?邮件(?:信息)?|原件"
    r"|Original\s+(?:Message|Email)|Forwarded\s+Message|Repl(?:y|ied)\s+Message)\s*[-_—=]*\s*$",
    re.IGNORECASE,
)
# On … wrote: / 在 2025年3月1日 …写道：/ 2025-03-01 10:00:00，"某人" <a@b> 写道：/ At 2025-03-01 …, "x" <a@b> wrote:
_ATTRIBUTION = re.compile(
    r"^[>\s]*(?:(?:On|At|Am|Le)\s.{0,300}?\bwrote\s*[:：]"
    r"|(?:在|于)?\s*(?:\d{4}\s*[-年/.]|[^\n]{0,120}?<[^<>\s]+@[^<>\s]+>).{0,300}?(?:写道|寫道|写到|wrote)\s*[:：])\s*$",
    re.IGNORECASE | re.DOTALL,
)
_SIGNATURE = re.compile(r"^--\s?$")
_SENT_FROM = re.compile(
    r"^\s*(?:发自我的|发自|從我的|来自我的|來自我的|Sent\s+from\s+(?:my|Mail|Outlook)|从我的|从\s*Windows\s*版邮件|发送自|Get\s+Outlook\s+for)"
    r".{0,40}$|^\s*(?:获取|下载)\s*(?:适用于|Outlook).{0,40}$",
    re.IGNORECASE,
)
_DISCLAIMER = re.compile(
    r"^\s*(?:【?(?:保密|免责)(?:声明|条款|提示)】?|本(?:电子)?邮件(?:及其|和|及|中).{0,12}(?:附件|内容|信息).{0,40}(?:保密|机密|仅)"
    r"|This\s+(?:e-?mail|message)(?:\s+and\s+any|\s+\(|\s+is\s+intended|\s+may\s+contain).{0,80})",
    re.IGNORECASE,
)


def own_words(text: str) -> str:
    """The text above the quoted history; answers between quoted lines are kept, the quoted lines aren't.

    A mail that is nothing but history (a forwarded one) is returned whole, without its signature.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = _without_signature(_unquoted(lines))
    if not kept:
        kept = _without_signature([re.sub(r"^[>\s]+", "", line) for line in lines])
    return "\n".join(kept).strip()


def _unquoted(lines: list[str]) -> list[str]:
    kept: list[str] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        if _RULE.match(line) or _starts_header_block(lines, index):
            return kept
        if (length := _attribution_length(lines, index)) > 0:
            following = [later for later in lines[index + length :] if later.strip()]
            if not following or not following[0].lstrip().startswith(">"):
                return kept  # history without marks: everything below
            index += length
            continue
        if not line.lstrip().startswith(">"):
            kept.append(line)
        index += 1
    return kept


def _starts_header_block(lines: list[str], index: int) -> bool:
    """发件人: … followed by at least one more line such as 发送时间: or 主题:."""
    if not _HEAD_LABEL.match(lines[index]):
        return False
    following = [line for line in lines[index + 1 : index + 8] if line.strip()][:3]
    return any(_HEADER_LINE.match(line) for line in following)


def _attribution_length(lines: list[str], index: int) -> int:
    """How many lines an attribution takes here: mailers wrap it over up to three; 0 where there is none."""
    if not re.match(r"^[>\s]*(?:On\s|At\s|Am\s|Le\s|在|于|\d{4}\s*[-年/.]|[^\n]{0,120}<\S+@\S+>)", lines[index], re.I):
        return 0
    for length in (1, 2, 3):
        if _ATTRIBUTION.match("\n".join(lines[index : index + length])):
            return length
    return 0


def _without_signature(lines: list[str]) -> list[str]:
    for index, line in enumerate(lines):
        has_text_above = any(above.strip() for above in lines[:index])
        if _SIGNATURE.match(line) or (has_text_above and (_SENT_FROM.match(line) or _DISCLAIMER.match(line))):
            lines = lines[:index]
            break
    while lines and (not lines[-1].strip() or _SENT_FROM.match(lines[-1])):
        lines = lines[:-1]
    while lines and not lines[0].strip():
        lines = lines[1:]
    return lines
