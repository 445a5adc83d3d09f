"""Addresses of mail and ids of WeChat and QQ, also in the spellings that evade the filters of shops."""

from __future__ import annotations

from ingest.personal.draft import rule
from ingest.personal.numbers import IS

_AT = r"\s?(?:@|[(\[#]\s?at\s?[)\]#])\s?"
_DOT = r"\s?[.．]\s?"
MAIL_RULES = (
    rule(
        "邮箱",
        rf"(?i)(?<![A-Za-z0-9._%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{{0,63}}{_AT}[A-Za-z0-9-]{{1,63}}(?:{_DOT}[A-Za-z0-9-]{{1,63}}){{0,4}}{_DOT}[A-Za-z]{{2,12}}(?![A-Za-z0-9])",
    ),
)
_WECHAT = (
    r"[微徽]\s?信|[薇威维]信|卫星号|[薇微]心|[薇微威卫徽]\s?[❤♥💗💚💕]\ufe0f?|wei信|绿泡泡|绿色软件|[薇微威](?=\s?[:：])|[微薇]我"
    r"|[加➕+＋]\s?个?(?:vx|wx|v信|[v薇微威卫]|[❤♥])|加我(?=[a-z])"
    r"|(?<![a-z])(?:w\s?e\s?i\s?x\s?i\s?n|we\s?chat|wx|vx|v信)|我的?v(?![a-z])|(?<![a-z0-9])v我|(?<![a-z0-9])v(?=\s?[:：.])"
)
_QQ = r"(?<![a-z])(?:q\s?q|加q|q号)|扣扣|企鹅号?|球球|扣(?=\d)|q(?=[是：:\s我])|q同号"
_GAP = rf"(?:{IS}|id|名|同号?|[我，,.]){{0,5}}"
WECHAT_RULES = (
    rule(
        "微信",
        rf"(?i)(?:{_WECHAT})(?:[^，。！？!?a-z0-9]{{0,8}}搜)?{_GAP}"
        r"(?P<v>[a-z][-_a-z0-9]{5,19}(?![-_a-z0-9])|(?!1[3-9]\d{9}(?!\d))\d{6,12}(?!\d))",
    ),
)
QQ_RULES = (rule("QQ", rf"(?i)(?:{_QQ}){_GAP}(?P<v>[1-9]\d{{4,11}})(?!\d)"),)

# RE2 syntax too: Arrow searches whole columns with these.
MAIL_SIGN = r"@|(?i:[(\[#] ?at)"
WECHAT_SIGN = (
    r"(?i:信|卫星号|[薇微]心|[薇微威卫徽] ?[❤♥💗💚💕:：]|[微薇]我|绿泡泡|绿色软件|w ?e ?i ?x ?i ?n|we ?chat|wx|vx"
    r"|[加➕+＋] ?个?[v薇微威卫❤♥]|加我[a-z]|我的?v|v我|v ?[:：.])"
)
QQ_SIGN = r"(?i:q|扣|企鹅|球球)"
