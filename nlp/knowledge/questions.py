"""Which sentence of a text asks how something is done or what holds: a question that an article could answer for all.

Where one's own parcel is, why nobody comes, whether it can't be faster: that asks for an action, not for knowledge.
"""

from __future__ import annotations

import re

from nlp.clauses import sentences
from nlp.text import normalise

_HOW = re.compile(
    r"怎么(?!还|又|这么|那么|这样|回事|搞|可能|会|没|不[能让给]|样了|才|就|能这|说你|老|总|一直|都)|怎样|如何|咋(?!还|又|回事|这么|不|没)"
    r"|在哪儿?(?:里|个|看|查|办|领|改|买|下|开|找|申|能|可)|哪里(?:可以|能|有|看|查|办|领|改|买|下|开|找|申)|去哪儿?(?:里|看|查|办|领|改|买)"
    r"|什么(?:意思|流程|步骤|材料|条件|手续|区别|型号|规格|尺寸|时间段|资料|证件)|哪些(?:材料|条件|手续|资料|证件|步骤)"
    r"|(?:用|换|选|买|加)(?:什么|哪[种个款])|流程是|有什么(?:要求|限制|区别|办法|方法|优惠)"
    r"|多久(?:换|洗|清|更|保养|过期|有效|一次)|保修期?(?:是|有)?(?:多久|多长|几年)|(?:是|有)几年|一般(?:要|是)?(?:几天|多久|多长)|几天到账"
    r"|多少钱|怎么收费|(?:电话|地址|尺寸|功率|容量|号码|价格)是?多少|谁(?:承担|出钱|付)|请教"
)
_WHETHER = re.compile(
    r"(?:支持|提供|包含|包括|需要|要收|收|可以|能|能够|允许|有没有|可否|能否|是否|可不可以|能不能|要不要|需不需要|会不会|算不算).{0,16}"
)
_ASKS = re.compile(r"[吗么嘛?]|能否|可否|是否|可不可以|能不能|有没有|要不要|需不需要")
# Of one's own case, or an outcry in the form of a question.
_OWN_CASE = re.compile(
    r"什么时候|啥时候|何时|到哪了|到哪里了|发货了|还要等|还要多久|到底|凭什么|为什么|为啥|难道|谁来|谁负责|催|尽快|快[一点些]|赶紧|说法|负责|管不管"
    r"|骗子|态度吗|是人吗|有人吗|在吗|今天|明天|昨天|还来|还没|还不|没人|处理一下|帮我|给我|派人|破玩意|公司$|\[单号"
)


def how_to(text: str) -> str:
    """The sentence of the text that asks for knowledge, normalised; empty where there is none."""
    for line in text.splitlines():
        for sentence in sentences(normalise(line)):
            if _OWN_CASE.search(sentence):
                continue
            if _HOW.search(sentence) or (_WHETHER.search(sentence) and _ASKS.search(sentence)):
                return sentence
    return ""
