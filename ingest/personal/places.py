"""Addresses precise enough to find a door: a road or an estate with a number, and what stands around it."""

from __future__ import annotations

import re

from ingest.personal.draft import HIDDEN, Draft

KIND = "地址"

_DIGIT = "0-9一二三四五六七八九十百零〇"
_NUMBER = rf"(?:[甲乙丙丁]?[{_DIGIT}]{{1,5}}|[A-Za-z][{_DIGIT}]{{0,4}}|[甲乙丙丁])"
# Words in 路 that are no roads: 线路2号接口, 套路1号.
_ROAD = (
    r"(?:大道|胡同|(?<![线电思套出一走水油气管回网道绕通短支铁公陆在半])路|(?<!上)街|巷|大街)"
    r"(?:[东西南北中]?[一二三四五六七八九]{0,2}段)?"
)
_BUILDING = "大厦|广场|中心|公寓|小区|花园|家园|新村|社区|商厦|国际|宿舍|银行|公馆|大楼|校区|写字楼|商城|天汇"
_ESTATE = (
    rf"(?:{_BUILDING}|苑|府|(?<!商)城|庭|湾|(?<![这那心家公厂店村区楼])里|园|村|居|邸|郡|蓝湾)"
    r"(?:[一二三四五六七八九0-9]{1,2}期|[甲乙丙丁A-Z一二三四五六七八九十东西南北]{1,2}区)?"
)
_UNIT = (
    rf"(?:\s?(?:{_NUMBER}(?:号楼(?!梯)|栋|幢|座(?!机)|单元(?!格)|层|楼|室|号(?!线)|户|弄|房|门|舍|排|铺|组|巷|院)"
    rf"|(?:内|附)\s?{_NUMBER}号?|之\d{{1,3}}|[A-Z]\d{{1,2}}-\d{{1,4}}|(?<=[一-龥])\d{{1,3}}-\d{{1,4}}(?:-\d{{1,4}})?(?:室|号)?|[-－](?:[A-Za-z]?\d{{1,5}}|[A-Z]\d{{0,4}})(?:室|号|房)?|[A-Za-z]?\d{{3,4}}(?![\d年月天元.号])))"
)
_INNER = rf"(?:[一-龥A-Za-z]{{1,10}}?(?:{_BUILDING}|苑|府|城|楼|座|园|公寓)(?:[东西南北]楼)?)"
_PRECISE_PLACE = re.compile(
    # 文三路123号(12栋1203室), 湖滨南路88号之6, 张杨路1996弄7号1102室, 科华北路62号力宝大厦南楼1409
    rf"{_ROAD}\s?{_NUMBER}(?:号|弄|巷)(?!线|店)(?:院|楼(?!梯))?{_UNIT}{{0,3}}(?:{_INNER}(?={_UNIT}))?{_UNIT}{{0,6}}(?:{_INNER}(?![一-龥]))?{_UNIT}{{0,2}}"
    rf"|[一-龥]{{1,6}}(?:路|街|大道)[与和][一-龥]{{1,6}}(?:路|街|大道)(?:交叉口|交汇处|路口)(?:[东西南北]{{1,2}}[角侧])?(?:{_INNER}(?={_UNIT}))?{_UNIT}{{0,5}}"
    # 金色家园3栋2201室, 翡翠湾二期6幢1单元902
    rf"|{_ESTATE}\s?{_NUMBER}(?:号楼(?!梯)|栋|幢|座(?!机)|单元(?!格)|号院|组|号(?={_UNIT}))(?:\s?{_NUMBER}座)?{_UNIT}{{0,6}}"
    # 阳光城8-2-1503, 桂花苑4-6-201
    rf"|{_ESTATE}\d{{1,3}}(?:-\d{{1,5}}){{1,3}}(?:室|号)?"
    rf"|(?:{_BUILDING})\s?\d{{1,5}}号{_UNIT}{{0,4}}"
    # 向城镇前姚村37号, 大塘镇莲花村上屋组12号, 朝晖六区32幢3单元201
    rf"|(?:镇|乡|街道)[一-龥]{{1,8}}(?:村|屯|庄|寨)[一-龥]{{0,4}}{_NUMBER}(?:组|号|社)(?:\d{{1,4}}号)?"
    rf"|[一-龥]{{2,4}}[甲乙丙丁一二三四五六七八九十]区\s?{_NUMBER}(?:号楼|栋|幢){_UNIT}{{0,5}}"
)
_PROVINCE = re.compile(
    "(?:北京|上海|天津|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川"
    "|贵州|云南|陕西|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门)(?!路|大道|街|[东西南北中]路)"
)
_AREA = re.compile(r"[一-龥]{2,3}?(?:自治区|市|区|县|镇|乡|街道)(?!场)")
# Words that lead to an address and stay.
_LEAD = re.compile(
    r".*(?:地址|住址|位于|送货|快递|邮寄|东西放|放在|住在|家住|改为|改成|写成|搬家|门店|老家|我们村|我家|家里"
    r"|(?<![一-龥])家(?![一-龥]?[园里])|住|寄|送|搬|[在到是为来往收：])(?:是|在|到|为|成)?"
)
# No part of an address; what stands before doesn't belong to it.
_CUT = re.compile(r".*(?:[的是在把被让给我你他她它们该对由因而等现]|将(?!军)|穿过|经过|位于|靠近|属于|附近|旁边|对面)")
_REACH = 28
_CONTEXT = re.compile(
    rf"(?:地址|住址|家住|住在|送到|寄到|寄往)(?:是|为|[：:\s]){{0,4}}(?P<v>[^\s，。！？；,!?;：:{HIDDEN}]{{4,50}})"
)
_PRECISE = re.compile(
    rf"{_NUMBER}(?:号楼|栋|幢|座|单元|室|弄|组)(?![一-龥]{{0,2}}(?:梯|机|格))|(?:大道|[^线电思套一]路|街|巷|村|镇)(?:\d+|[{_DIGIT}]+号)"
)

# RE2 syntax too: Arrow searches whole columns with these.
SIGN = rf"[0-9甲乙丙丁{_DIGIT}A-Za-z](?:号|栋|幢|座|单元|弄|巷|组|社)|交叉口|交汇处|路口|[一-龥]\d{{1,3}}-\d"
LEAD_SIGN = "地址|住址|家住|住在|送到|寄到|寄往"


def hide_addresses(draft: Draft) -> None:
    """Hide each precise place together with the province, city and district named before it."""
    place = 0
    while match := _PRECISE_PLACE.search(draft.text, place):
        start = _beginning(draft.text, place, match.start())
        draft.hide(KIND, start, match.end())
        place = start + 1
    place = 0
    while match := _CONTEXT.search(draft.text, place):
        if _PRECISE.search(match["v"]):
            draft.hide(KIND, *match.span("v"))
            place = match.start("v") + 1
        else:
            place = match.end()


def _beginning(text: str, earliest: int, core: int) -> int:
    """Where the address around the precise place at ``core`` begins."""
    start = core
    while start > earliest and core - start < _REACH and ("一" <= text[start - 1] <= "龥"):
        start -= 1
    before = text[start:core]
    if cut := _CUT.match(before):
        start, before = start + cut.end(), before[cut.end() :]
    # With the first character of the precise place, which tells 香港中路 from 香港.
    if (province := _PROVINCE.search(text, start, core + 1)) and province.end() <= core:
        return province.start()
    if lead := _LEAD.match(before):
        start, before = start + lead.end(), before[lead.end() :]
    if area := _AREA.search(before):
        return start + area.start()
    return start + max(0, len(before) - 8)
