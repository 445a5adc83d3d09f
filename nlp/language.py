"""Whether a text is in Chinese, without a model: by its scripts, and for Latin letters by the commonest words."""

from __future__ import annotations

import re

_SCRIPTS = (
    ("日文", re.compile(r"[\u3041-\u3096\u30a1-\u30fa]"), 3),
    ("韩文", re.compile(r"[\uac00-\ud7a3]"), 2),
    ("俄文", re.compile(r"[\u0400-\u04ff]"), 3),
    ("泰文", re.compile(r"[\u0e01-\u0e4f]"), 3),
    ("阿拉伯文", re.compile(r"[\u0600-\u06ff]"), 3),
    ("希腊文", re.compile(r"[\u0370-\u03ff]"), 6),
    ("印地文", re.compile(r"[\u0900-\u097f]"), 3),
    ("希伯来文", re.compile(r"[\u0590-\u05ff]"), 3),
)
_ANY_SCRIPT = re.compile(r"[\u0370-\u06ff\u0900-\u097f\u0e01-\u0e4f\u3041-\u30fa\uac00-\ud7a3]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_LATIN_WORD = re.compile(r"(?<![\w])[a-z\u00c0-\u024f\u1e00-\u1eff]+(?:['\u2019][a-z]+)?(?![\w])")
_VIETNAMESE = re.compile(r"[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]")
_ACCENTED = re.compile(r"[\u00c0-\u024f]")
_PINYIN = re.compile(
    r"(?:[zcs]h|[bpmfdtnlgkhjqxrzcsyw])?"
    r"(?:iang|iong|uang|ang|eng|ing|ong|iao|ian|uai|uan|ai|ei|ao|ou|an|en|er|ia|ie|iu|in|ua|uo|ui|un|ue|ve|a|o|e|i|u|v)"
)
_COMMON_WORDS = {
    "英文": (
        "the a an is are was were be been it its this that i you he she we they my your me not no never and or but to"
        " of in on for with at from when where what why how can could will would do does did have has had please thank"
        " thanks very so ever again all there here after before doesn't don't can't i'm it's"
    ),
    "法文": "le la les un une des je vous nous il elle est sont ma mon mes et ou où pas ne que qui pour dans avec sur",
    "德文": "der die das ein eine ist sind ich sie wir nicht und oder mit für von zu mein meine bitte auf mehr im um",
    "西班牙文": "el la los las un una es son yo mi no y o que de en con por para me han ha mis muy pero quiero",
    "葡萄牙文": "o a os as um uma é são eu meu minha não e ou que de em com por para muito mas foi",
    "意大利文": "il lo la gli un una è sono io mio mia non e o che di in con per molto ma ho",
    "马来文/印尼文": "saya anda tidak belum sudah yang dan atau di ke dari untuk ini itu dengan tolong terima kasih",
}
_WORDS = {language: frozenset(words.split()) for language, words in _COMMON_WORDS.items()}


def foreign_language(clean: str) -> str:
    """The Chinese name of the language of a normalised text, empty for Chinese (also Cantonese) or too few words.

    A few foreign words, names of products and codes in a Chinese text don't make it foreign; nor do two or three
    English words alone (``very good``). Chinese in Latin letters counts as 拼音: no engine for characters reads it.
    """
    if _ANY_SCRIPT.search(clean):
        han = len(_HAN.findall(clean))
        for language, script, fewest in _SCRIPTS:
            found = len(script.findall(clean))
            if found >= fewest and found >= 0.25 * (found + han):
                return language
    words = _LATIN_WORD.findall(clean.lower())
    if len(words) < 3 or 2 * len(_HAN.findall(clean)) >= len(words):
        return ""
    scores = {language: sum(word in common for word in words) for language, common in _WORDS.items()}
    best = max(scores, key=lambda language: scores[language])
    if all(_PINYIN.fullmatch(word) for word in words) and scores[best] < len(words) / 2 and len(words) >= 4:
        return "拼音"
    if _VIETNAMESE.search(clean.lower()):
        return "越南文"
    if scores[best] >= 1:
        return best
    if _ACCENTED.search(clean):
        return "外文"
    return "英文" if len(words) >= 6 else ""
