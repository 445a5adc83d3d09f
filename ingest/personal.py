"""Find personal data in Chinese free text and put placeholders in its place.

What tells nothing about a person survives: product models, prices, dates, hotlines, cities. Where context decides
(names, addresses), a placeholder too many is preferred to a value too few.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

# Raise this when the rules change: files are then read again and their texts masked by the new rules.
RULES_VERSION = "1"

_FULL_WIDTH = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), 0xFF20)}
_HAS_FULL_WIDTH = re.compile(r"[０-９＠]")
_DIGITS = re.compile(r"\d{4}")

_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧肖程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶"
    "阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚"
    "文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤毕聂丛焦向柳邢岳齐沿梅莫庄辛管祝左涂谷祁时舒耿牟卜"
    "路詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁柯阮桂闵解强柴华车冉房边辜"
    "吉饶刁瞿戚丘古米池滕晋苑邬臧畅宫来嵺苟全褚廉简娄盖符奚木穆党燕郎邸冀谈姬屠连郜晏栾郁商蒙计喻揭窦迟宇"
    "敖糜鄢冷卓花仇艾蓝都巩稽井练仲乐虞卞封竺冼原官衣楚佟栗匡宗应台巫鞠僧桑荆谌银扬明沙薄伏岑习胥保和蔺"
)
# Surnames that are no everyday words, for places where little else tells a name.
_COMMON = (
    "王李张刘陈杨赵黄周吴徐孙胡朱林何郭马罗梁宋郑谢韩唐冯董萧肖程曹袁邓许傅沈曾彭吕苏"
    "卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪姜范姚谭廖邹熊陆郝崔邱秦顾侯邵孟"
)
_FAIRLY_COMMON = _COMMON + (
    "高石任尹黎易孔钱汤龙段雷贺龚文樊施洪颜倪严牛芦季俞葛伍韦毕聂焦柳齐梅庄辛管左涂祁耿舒"
    "詹关费靳童欧甄曲裴席屈鲍霍翁甘景柯桂于田康毛史江尤殷陶翟兰武乔赖庞"
)
_COMPOUND = "欧阳|上官|司马|诸葛|东方|皇甫|尉迟|公孙|令狐|慕容|司徒|夏侯|端木|独孤|南宫|百里|呼延"
# Characters that follow a name rather than belong to one.
_NOT_GIVEN = (
    "的是要想在我你他她它买说电手住来去有不了和与先女小今昨这那请给投反家号地订联身因就已很还也到从把被让"
    "对等没会能可以下上打报退换申咨求希个位们吗呢吧啊呀客位员级户单机"
)
_GIVEN_CHARACTER = rf"[^\W\da-zA-Z_{_NOT_GIVEN}]"
_NAME = rf"(?:(?:{_COMPOUND})[一-龥]{{1,2}}|[{_SURNAMES}][一-龥]{_GIVEN_CHARACTER}?)"
_END = r"(?=$|[\s，。！？；、,.!?;:：（）()~～\d\[@])"
_IS = r"(?:是|为|叫|：|:|\s|\(|（|=|-|#)*"

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_NUMERAL = "0-9一二三四五六七八九十百零〇"
_UNIT = (
    rf"(?:[A-Za-z{_NUMERAL}]{{1,5}}(?:号楼|栋|幢|座|单元|层|楼|室|号|户|弄|房)"
    r"|-\d{1,5}(?:-\d{1,5}){0,3}(?:室|号|房)?)"
)
_ROAD = "大道|胡同|路|街|巷|弄"
_LARGE_ESTATE = "小区|花园|公寓|家园|新村|社区|大厦|广场"
_ESTATE = _LARGE_ESTATE + "|苑|府|城|庭|湾|里|园|村|居|邸|郡"
# Where an address becomes precise: a road with its number, an estate with its building, and what follows.
_PRECISE_PLACE = re.compile(
    rf"(?:{_ROAD})\s?[{_NUMERAL}]{{1,5}}(?:号|弄)(?:院|楼)?(?:[一-龥]{{0,10}}?(?:{_ESTATE}))?(?:\s?{_UNIT}){{0,6}}"
    rf"|(?:{_ESTATE})(?:[一-龥]{{1,2}}期)?\s?[A-Za-z{_NUMERAL}]{{1,4}}(?:号楼|栋|幢|座|单元)(?:\s?{_UNIT}){{0,6}}(?:\d{{2,4}})?"
    rf"|(?:{_ESTATE})\s?[{_NUMERAL}]{{1,5}}号(?:\s?{_UNIT}){{1,6}}"
    rf"|(?:{_LARGE_ESTATE})\s?[{_NUMERAL}]{{1,5}}号"
)
_AREA = re.compile(r"省|自治区|市|区|县")
# Words that lead to an address and stay.
_LEAD = re.compile(r".*(?:地址|住址|住在|家住|我住|住|送到|寄到|寄往|发到|发往|位于|就在|家在|[在到是为来去往])")
_ADDRESS_CONTEXT = re.compile(rf"((?:地址|住址|我?家?住在?|送到|寄到|寄往){_IS})([一-龥A-Za-z0-9\-－#]{{4,50}})")
_PRECISE = re.compile(rf"[{_NUMERAL}A-Za-z]+(?:号楼|栋|幢|座|单元|室|弄|组)|(?:{_ROAD}|村|镇)(?:\d+|[{_NUMERAL}]+号)")
_NAME_CONTEXT = (
    "我叫|名叫|他叫|她叫|叫做|姓名|名字|户名|机主|抬头"
    "|(?:联系|收货|收件|签收|代收|收款|付款|寄件|发件|持卡|下单|购买|预约|报修|登记)人"
)
_ROLE_CONTEXT = "户主|业主|(?:申请|投诉|经办|当事|委托|负责)人"
_NAMED = r"(?:是|为|叫|写的?是?|填的?是?|登记的?是?|留的?是?|：|:|\s)"

# A text in which this finds nothing holds nothing to mask (RE2 syntax: Arrow searches whole columns with it).
SUSPICION = "|".join(
    (
        r"[0-9０-９]{5}|[0-9０-９]{3}[ \-.·][0-9０-９]{4}|@|＠|[零〇一二三四五六七八九幺两]{9}|护照|通行证",
        rf"{_NAME_CONTEXT}|{_ROLE_CONTEXT}|(?:我是|本人[是叫]?|这里是)\s?[{_SURNAMES}]",
        rf"[{_FAIRLY_COMMON}]\p{{Han}}{{0,2}}(?:先生|女士|小姐|太太)|[{_COMMON}](?:师傅|经理|阿姨|大姐|大哥)",
        rf"(?:{_COMPOUND})",
        r"微信|薇信|威信|(?i:wx|vx|wechat|weixin|qq|v信|加v|v[:：])|扣扣",
        rf"地址|住|送到|寄到|寄往|(?:{_ROAD})\s?[{_NUMERAL}０-９]|[{_NUMERAL}０-９A-Za-z](?:栋|幢|座|单元|号)",
        rf"[{_PROVINCES}][A-HJ-NP-Z]",
    )
)


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812: every second digit from the right doubled, the sum divisible by ten."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _id_card(match: re.Match[str]) -> str:
    """GB 11643: the last character is a checksum (ISO 7064 mod 11-2); after 身份证 any 18 are masked."""
    digits = re.sub(r"[\s-]", "", match[0])
    remainder = sum(int(digit) * weight for digit, weight in zip(digits, _ID_WEIGHTS, strict=False)) % 11
    return "[身份证]" if "10X98765432"[remainder] == digits[17].upper() else match[0]


def _bank_card(match: re.Match[str]) -> str:
    digits = re.sub(r"[\s-]", "", match[0])
    return "[银行卡]" if 15 <= len(digits) <= 19 and _luhn(digits) else match[0]


def _long_number(match: re.Match[str]) -> str:
    """A number long enough to name a parcel or an order; 1000000000000 is only an exaggeration."""
    return "[单号]" if len(set(match[0])) >= 4 else match[0]


def _plate(match: re.Match[str]) -> str:
    province, serial = match[1], match[2]
    new_energy = re.fullmatch(r"[DF][A-HJ-NP-Z0-9]\d{4}|\d{5}[DF]", serial)
    regular = len(serial) == 5 and sum(character.isdigit() for character in serial) >= 3
    if not (new_energy or regular):
        return match[0]
    before = match.string[max(0, match.start() - 6) : match.start()]
    # 新, 云, 川 … are words as well; 新BCD520 is a new refrigerator.
    if province in "新云青宁贵" and not re.search(r"车|牌", before):
        return match[0]
    return "[车牌]"


def _mask_addresses(text: str) -> str:
    """Put [地址] for each precise place and for the province, city and district named before it."""
    kept: list[str] = []
    done = 0
    for match in _PRECISE_PLACE.finditer(text):
        start = match.start()
        while start > done and match.start() - start < 26 and "一" <= text[start - 1] <= "龥":
            start -= 1
        before = text[start : match.start()]
        if lead := _LEAD.match(before):
            start += lead.end()
        elif area := _AREA.search(before):
            start += max(0, area.start() - 3)
        else:
            start += max(0, len(before) - 6)
        kept += (text[done:start], "[地址]")
        done = match.end()
    return "".join(kept) + text[done:]


def _address_in_context(match: re.Match[str]) -> str:
    return match[1] + "[地址]" if _PRECISE.search(match[2]) else match[0]


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]


def _rules(*rules: tuple[str, str | Callable[[re.Match[str]], str]]) -> tuple[_Rule, ...]:
    return tuple(_Rule(re.compile(pattern), replacement) for pattern, replacement in rules)


_MAIL_RULES = _rules((r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+", "[邮箱]"))
_NUMBER_RULES = _rules(
    (
        rf"((?:订单|运单|快递|物流|工单|退单|交易|流水|发票|保单|单据)(?:编?号码?|单号)?{_IS}|(?:单号|编号){_IS})"
        r"(?=[A-Za-z0-9-]*\d{5})[A-Za-z0-9][A-Za-z0-9-]{6,31}",
        r"\1[单号]",
    ),
    (rf"(身份证(?:号码?)?{_IS})[1-9]\d{{5}}[\s-]?\d{{4}}[\s-]?\d{{4}}[\s-]?\d{{3}}[\dXx](?!\d)", r"\1[身份证]"),
    (rf"(身份证(?:号码?)?{_IS})[1-9]\d{{14}}(?!\d)", r"\1[身份证]"),
    (
        r"(?<![0-9A-Za-z])[1-9]\d{5}[\s-]?(?:19|20)\d{2}[\s-]?(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
        r"[\s-]?\d{3}[\dXx](?![0-9A-Za-z])",
        _id_card,
    ),
    (rf"((?:护照|通行证|证件)(?:号码?)?{_IS})[A-Za-z]{{1,2}}\d{{7,9}}(?!\d)", r"\1[证件]"),
    (
        rf"((?:银行卡|储蓄卡|信用卡|卡号|账号|帐号)(?:号码?)?{_IS})\d{{4}}(?:[\s-]?\d{{4}}){{2,3}}(?:[\s-]?\d{{1,4}})?(?!\d)",
        r"\1[银行卡]",
    ),
    (r"(?<![0-9A-Za-z])[3-6]\d{3}(?:[\s-]?\d{4}){2}(?:[\s-]?\d{1,4}){1,2}(?![0-9A-Za-z])", _bank_card),
    (rf"(?i)((?<![A-Za-z])(?:qq|扣扣)(?:号码?)?{_IS})[1-9]\d{{4,11}}(?!\d)", r"\1[QQ]"),
)
_WECHAT_RULES = _rules(
    (
        rf"(?i)((?<![A-Za-z])(?:微信|薇信|威信|weixin|wechat|wx|vx|v信|加v|v(?=[:：]))(?:号码?|id)?{_IS})"
        r"(?:[A-Za-z][-_A-Za-z0-9]{5,19}(?![-_A-Za-z0-9])|(?:\+?86)?\d{6,12}(?!\d))",
        r"\1[微信]",
    ),
)
_PHONE_RULES = _rules(
    (r"(?<![\d.])(?:\+?0?0?86[\s-]?)?1[3-9]\d[\s.·-]?\d{4}[\s.·-]?\d{4}(?!\d)", "[手机号]"),
    (r"(?<!\d)1[3-9]\d[\s.-]\d{3}[\s.-]\d{5}(?!\d)", "[手机号]"),
    (
        r"(?<![\dA-Za-z-])[(（]?0(?:10|2\d|[3-9]\d{2})[)）]?[\s-]?[2-9]\d{6,7}(?:\s*[-转]\s*\d{1,5})?(?!\d)",
        "[电话]",
    ),
    (rf"((?:座机|固话|电话)(?:号码?)?{_IS})[2-9]\d{{2,3}}[\s-]?\d{{4}}(?!\d)", r"\1[电话]"),
    (r"(?<![A-Za-z0-9])(?:SF|YT|ZTO|STO|JDV?[A-Z]{0,2}|JT|YD|EMS|DPK|HD|TB|DD|PDD)\d{9,20}(?![A-Za-z0-9])", "[单号]"),
    (r"(?<![A-Za-z0-9.])\d{12,24}(?![A-Za-z0-9])", _long_number),
)
_SPOKEN_RULES = _rules((r"[幺一][三四五六七八九][零〇一二三四五六七八九幺两]{9}", "[手机号]"))
_PLATE_RULES = _rules((rf"([{_PROVINCES}])[A-HJ-NP-Z][·•.\s]?([A-HJ-NP-Z0-9]{{5,6}})(?![A-Za-z0-9-])", _plate))
_NAME_RULES = _rules(
    (rf"((?:{_NAME_CONTEXT}){_NAMED}+){_NAME}", r"\1[姓名]"),
    (rf"((?:{_NAME_CONTEXT})(?=[{_FAIRLY_COMMON}])){_NAME}", r"\1[姓名]"),
    (rf"((?:{_ROLE_CONTEXT})(?:姓名)?(?:：|:)\s*){_NAME}", r"\1[姓名]"),
    (
        rf"((?:我是|本人(?:是|叫)?|这里是)\s?)(?!常客|安装|高级|黄金|白金|金牌|新|老客|应届|顾客|单位|住户|商户){_NAME}{_END}",
        r"\1[姓名]",
    ),
    (
        rf"(?<![任感谢多])(?:(?:{_COMPOUND})|[{_FAIRLY_COMMON}])(?:[一-龥]{_GIVEN_CHARACTER}?)??"
        r"(?=先生|女士|小姐(?!姐)|太太)(?<![的是找位个名])",
        "[姓名]",
    ),
    (rf"(?<![任感谢多])[{_COMMON}](?=师傅|经理|阿姨|大姐|大哥)", "[姓名]"),
)

_NAME_SIGN = re.compile(
    rf"{_NAME_CONTEXT}|{_ROLE_CONTEXT}|我是|本人|这里是|先生|女士|小姐|太太|师傅|经理|阿姨|大姐|大哥"
)
_WECHAT_SIGN = re.compile("微信|薇信|威信|[wWvV][xX]|[wW]e|[vV][信:：]|加[vV]")
_PLATE_SIGN = re.compile(rf"[{_PROVINCES}][A-HJ-NP-Z]")
_ADDRESS_SIGN = re.compile(rf"(?:{_ROAD}|{_ESTATE})\s?[A-Za-z{_NUMERAL}]|期\s?\d")
_ADDRESS_LEAD_SIGN = re.compile("地址|住|送到|寄到|寄往")


def mask_text(text: str) -> str:
    """``text`` with placeholders for personal data; masking it again changes nothing."""
    if _HAS_FULL_WIDTH.search(text):
        text = text.translate(_FULL_WIDTH)
    if "@" in text:
        text = _apply(_MAIL_RULES, text)
    has_digits = _DIGITS.search(text) is not None
    if has_digits:
        text = _apply(_NUMBER_RULES, text)
    if _WECHAT_SIGN.search(text):
        text = _apply(_WECHAT_RULES, text)
    if has_digits:
        text = _apply(_PHONE_RULES, text)
    text = _apply(_SPOKEN_RULES, text)
    if _PLATE_SIGN.search(text):
        text = _apply(_PLATE_RULES, text)
    if _ADDRESS_SIGN.search(text):
        text = _mask_addresses(text)
    if _ADDRESS_LEAD_SIGN.search(text):
        text = _ADDRESS_CONTEXT.sub(_address_in_context, text)
    return _apply(_NAME_RULES, text) if _NAME_SIGN.search(text) else text


def _apply(rules: tuple[_Rule, ...], text: str) -> str:
    for rule in rules:
        text = rule.pattern.sub(rule.replacement, text)
    return text
