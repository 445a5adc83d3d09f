"""Numbers and codes that name a person: telephones, identity papers, cards, orders, plates.

Numbers with a check character are recognised by it anywhere; others by the words before them. Numbers of companies that
everybody may know (400, 800, 95xxx, 12345 …) stay.
"""

from __future__ import annotations

import re

from ingest.personal.checks import is_credit_code, is_day, is_id_card, is_luhn, plain
from ingest.personal.draft import rule

PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_DASH = r"\-—–"
# What stands between the name of a thing and its number.
IS = rf"(?:号码?|编号|No\.?|是|为|叫|写成|[：:\s(（=#{_DASH}])"
_GAP = rf"{IS}{{0,8}}"
_NUMERAL = "零〇一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖"

_MOBILE_GROUPS = {(11,), (3, 4, 4), (3, 3, 5), (4, 4, 3), (3, 8), (7, 4), (4, 3, 4), (5, 6), (1, 3, 3, 4), (1,) * 11}
_PREFIX = r"(?:(?:[(（]?(?:\+|00)[\s-]?86[)）]?(?:\(0\))?|86)[\s-]{0,2})?"
_BREAK = rf"[\s.·/~*＊_{_DASH}]"
_HOTLINE = r"(?![48]00|9[56]\d)"
_AREA = r"(?:10|2\d|[3-9]\d{2})"
_EXTENSION = r"(?:\s?(?:[-#]|转|分机)\s?\d{1,5}(?!\d))?"

# Words that name an order, a parcel or another transaction.
_TRANSACTION = (
    "[一-龥]{0,3}单|单据|交易|流水|发票|快递|物流|包裹|顺丰|圆通|中通|申通|韵达|极兔|京东|德邦|百世|邮政|EMS|天天|菜鸟|丹鸟"
    "|淘宝|天猫|拼多多|抖音|当当|苏宁|编号|单号"
)
_ORDER_PLACE = re.compile(r"(?:19|20)\d{2}-\d{1,2}-\d{1,2}")


def _is_mobile(match: re.Match[str]) -> bool:
    groups = tuple(len(group) for group in re.findall(r"\d+", match["n"]))
    return groups in _MOBILE_GROUPS


def _is_spoken(match: re.Match[str]) -> bool:
    return re.search(f"[{_NUMERAL}]", match[0]) is not None


def _is_order(match: re.Match[str]) -> bool:
    value = match["v"]
    digits = sum(character.isdigit() for character in value)
    if digits < 8 or _ORDER_PLACE.fullmatch(value) or re.fullmatch(r"1[3-9]\d{9}|0\d{2,3}-\d{7,8}", value):
        return False
    return not is_day(value)


def _is_long_number(match: re.Match[str]) -> bool:
    """Long enough to name a parcel or an order; 1000000000000 is only an exaggeration, a moment says nothing."""
    value = match[0]
    is_moment = len(value) == 14 and is_day(value[:8]) and value[8:] < "240000"
    is_barcode = len(value) == 13 and value.startswith("69") and "条" in match.string[: match.start()][-6:]
    return len(set(value)) >= 4 and not is_moment and not is_barcode


def _is_plate(match: re.Match[str]) -> bool:
    serial = plain(match["s"])
    new_energy = re.fullmatch(r"[A-HJK][A-HJ-NP-Z0-9]\d{4}|\d{5}[A-HJK]", serial)
    digits = sum(character.isdigit() for character in serial)
    regular = (len(serial) == 5 and digits >= 3) or (serial[-1] in "挂学警港澳" and digits >= 3)
    if not (new_energy or regular):
        return False
    # 新, 云, 川 … are words as well; 新BCD520 is a new refrigerator. A dot is written only on plates.
    if match["p"] in "新云" and not match["dot"]:
        return re.search(r"车|牌|辆", match.string[max(0, match.start() - 6) : match.start()]) is not None
    return True


_ID = r"[1-9]\d{5}[\s-]?\d{4}[\s-]?\d{4}[\s-]?\d{3}[\s-]?[\dXx]"
_PAPER = r"护照|(?i:passport)|通行证|台胞证|回乡证|永居证|永久居留证?|居留证|居住证|军官证|士官证|军人证|警官证|证件"
_LONG_CARD = r"\d(?:[\s-]?\d){14,20}"

ID_RULES = (
    rule("身份证", rf"(?<![0-9A-Za-z])(?P<v>{_ID})(?![0-9A-Za-z])", lambda match: is_id_card(plain(match["v"]))),
    rule("身份证", rf"身份证[^，。；！？\d]{{0,8}}(?P<v>{_ID})(?!\d)"),
    rule("身份证", r"(?:身份证|证件|实名|一代证)[^，。；！？\d]{0,8}(?P<v>[1-9]\d{14})(?!\d)"),
    rule(
        "信用代码",
        r"(?<![0-9A-Za-z])(?P<v>[1-9ANYany][1-9](?:[ -]?\d){6}(?:[ -]?[0-9A-Za-z]){10})(?![0-9A-Za-z])",
        lambda match: is_credit_code(plain(match["v"])),
    ),
    rule(
        "信用代码",
        r"(?:税号|信用代码|识别号|统一代码)[^，。；！？0-9A-Za-z]{0,8}(?P<v>[0-9A-Z]{15,20})(?![0-9A-Za-z])",
    ),
    rule("证件", r"[一-龥]字第\d{6,8}号"),
    rule(
        "证件",
        rf"(?:{_PAPER})[^，。；！？0-9A-Za-z]{{0,6}}(?:No\.?\s?)?(?P<v>(?i:[A-Z]{{0,3}})\d{{7,18}})(?![0-9A-Za-z])",
    ),
)
ORDER_RULES = (
    rule(
        "单号",
        rf"(?i:{_TRANSACTION}){_GAP}(?P<v>(?![48]00-)(?=[A-Za-z0-9-]*\d{{4}})[A-Za-z0-9][A-Za-z0-9-]{{6,39}})(?![A-Za-z0-9])",
        _is_order,
    ),
    rule("单号", r"(?<![A-Za-z0-9])(?:[A-Z]{1,4}\d{10,24}|[A-Z]{2}\d{9}CN)(?![A-Za-z0-9])"),
)
CARD_RULES = (
    rule(
        "银行卡",
        rf"(?:(?:银行|储蓄|信用|借记|收款)卡|银行账户|卡号|[账帐]号|工行|农行|建行|中行|招行){IS}{{0,6}}(?P<v>{_LONG_CARD})(?!\d)",
    ),
    rule(
        "银行卡",
        r"(?<![0-9A-Za-z])[3-6]\d{3}(?:[\s-]?\d{4}){2}(?:[\s-]?\d{1,4}){1,2}(?![0-9A-Za-z])"
        r"|(?<![0-9A-Za-z])[3-6]\d{5}[\s-]\d{10,13}(?![0-9A-Za-z])",
        lambda match: 15 <= len(plain(match[0])) <= 19 and is_luhn(plain(match[0])),
    ),
)
PHONE_RULES = (
    rule("手机号", r"(?<!\d)1[3-9]\d{9}(?=(?:1[3-9]\d{9}){1,2}(?!\d))"),
    rule(
        "手机号",
        rf"(?<![\d.])(?<![A-Za-z]-){_PREFIX}(?P<n>[(（]?1(?:{_BREAK}?[3-9])[)）]?(?:{_BREAK}?\d[)）]?){{9}})(?!\d)",
        _is_mobile,
    ),
    rule(
        "电话",
        rf"(?<![\dA-Za-z-])(?:[(（]?0{_AREA}[)）]?|(?:\+|00)86[\s-]?0?{_AREA})[\s{_DASH}]{{0,2}}"
        rf"(?:[2-9]\d{{6,7}}|[2-9]\d{{2,3}}[\s-]\d{{3,4}}){_EXTENSION}(?!\d)",
    ),
    rule(
        "电话",
        rf"(?:座机|固话|固定电话|电话|传真|总机){_GAP}(?P<v>{_HOTLINE}[2-9](?:\d{{6,7}}|\d{{2,3}}[\s{_DASH}]\d{{4}}){_EXTENSION})(?![\d-])",
    ),
)
SPOKEN_RULES = (
    rule(
        "手机号",
        rf"(?<!\d)[幺一壹1][三四五六七八九叁肆伍陆柒捌玖3-9](?:[\s-]?[{_NUMERAL}0-9]){{9}}(?![{_NUMERAL}0-9])",
        _is_spoken,
    ),
)
LONG_RULES = (rule("单号", r"(?<![A-Za-z0-9.])\d{12,40}(?![A-Za-z0-9])", _is_long_number),)
PLATE_RULES = (
    rule(
        "车牌",
        rf"(?P<p>[{PROVINCES}])\s?[A-HJ-NP-Z](?P<dot>[·•・.-])?\s?"
        r"(?P<s>[A-HJ-NP-Z0-9]{2,3}[·•]?[A-HJ-NP-Z0-9]{2,3}(?:(?<=[A-HJ-NP-Z0-9]{4})[挂学警港澳])?)(?![A-Za-z0-9-])",
        _is_plate,
    ),
)

# RE2 syntax too: Arrow searches whole columns with these.
DIGITS_SIGN = r"[0-9]{4}|[0-9][ .·/~*＊_\-—–][0-9][ .·/~*＊_\-—–][0-9]|[0-9]{3}[ .·/~*＊_\-—–)）][0-9]{3}"
SPOKEN_SIGN = rf"[{_NUMERAL}0-9]{{3}}[ -]?[{_NUMERAL}0-9]{{4}}[ -]?[{_NUMERAL}0-9]{{4}}"
PLATE_SIGN = rf"[{PROVINCES}] ?[A-HJ-NP-Z]"
