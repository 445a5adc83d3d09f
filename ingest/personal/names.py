"""Names of people, told by a surname and by the words around it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from ingest.personal.draft import HIDDEN, Rule, rule

if TYPE_CHECKING:
    import rjieba

SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧肖程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶"
    "阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚"
    "文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤毕聂丛焦向柳邢岳齐沿梅莫庄辛管祝左涂谷祁时舒耿牟卜"
    "路詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁柯阮桂闵解强柴华车冉房边辜"
    "吉饶刁瞿戚丘古米池滕晋苑邬臧畅宫来嵺苟全褚廉简娄盖符奚木穆党燕郎邸冀谈姬屠连郜晏栾郁商蒙计喻揭窦迟宇"
    "敖糜鄢冷卓花仇艾蓝都巩稽井练仲乐虞卞封竺冼原官衣楚佟栗匡宗应台巫鞠僧桑荆谌银扬明沙薄伏岑习胥保和蔺"
    "朴那农凤骆佘尚商仝荣"
)
# Surnames that are no everyday words, for places where little else tells a name.
_COMMON = (
    "王李张刘陈杨赵黄周吴徐孙胡朱林何郭马罗梁宋郑谢韩唐冯董萧肖程曹袁邓许傅沈曾彭吕苏"
    "卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪姜范姚谭廖邹熊陆郝崔邱秦顾侯邵孟"
)
_FAIRLY_COMMON = _COMMON + (
    "高石任尹黎易孔钱汤龙段雷贺龚文樊施洪颜倪严牛芦季俞葛伍韦毕聂焦柳齐梅庄辛管左涂祁耿舒"
    "詹关费靳童欧甄曲裴席屈鲍霍翁甘景柯桂于田康毛史江尤殷陶翟兰武乔赖庞金白方骆戚申岳章鲁阮佟冉覃冼栾蔺乐仇宁卫符邢盛游温华"
)
# Those that may follow 客服, 给, 联系 … directly: the others begin too many words there.
_WEAK = "".join(surname for surname in _FAIRLY_COMMON if surname not in "管于高方白石金关任时常温")
_COMPOUND = (
    "欧阳|上官|司马|诸葛|东方|皇甫|尉迟|公孙|令狐|慕容|司徒|夏侯|端木|独孤|南宫|百里|呼延|宇文|闻人|鲜于|轩辕|澹台"
)
# Characters that given names are made of.
_TYPICAL = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华慧建文辉玲鑫宇浩婷雪梅琳峰欣怡晨佳豪凯瑞琪萱彤睿诗涵国志海春红玉兰"
    "凤珍荣芬燕云萍香月莉素贞莲环瑶荷菊娥琴毓悦昭冰爽琬茗羽希宁飘育滢馥筠柔竹霭凝晓欢霄枫芸菲寒伊亚宜可姬舒影荔枝思"
    "毅俊光信子永健世广义兴良贵福生龙元全胜学祥才发武新利清飞彬富顺昌成康星天达安岩中茂进林有坚和彪博诚先敬震振壮会"
    "思群豪心邦承乐绍功松善厚庆友裕河哲江亮政谦亨奇固之轮翰朗伯宏言若鸣朋斌梁栋维启克伦翔旭鹏泽辰士以家致树炎德行时泰盛"
    "雄琛钧冠策腾楠榕风航弘嘉淑惠珠翠雅芝仙姣倩婉娴瑾颖露婵雁蓓纨仪丹蓉眉君勤珊莎锦黛青婕馨瑗芊梓桐轩奕沐妍雨语潇莹"
    "晴岚璇媛颜蕾薇蕊芷若曦月昕煜炜烨灿焕熙琨珂珏琰璐璟铭钰锋镇鸿浩淳淼清渊滨澜沁汐洁沛涵润鹤骏骁驰腾彦彰卓越赫臻宸宝"
    "培坤城垚基堂增奎威娇娅婧嫣孟季宗定宪宾密寅尧崇岭岱嵩巧帆帅幸廷开异弛彩徽忆忠念怀恒恩悟情惜愉愿慕懿戈扬抒拓挺捷"
    "敦斯方旺昂昆昊显普景智暄曼朔权来杉杏杨柏柳栩根桃森楚榆槐歆正殿毓民汉沙治泉泓波洲浦渝湘湛溪滔漪焱然熠牧玟玥珑珩"
    "东川拯炳锐钢铁钊勋勃劲勉励菡蕙芙茵苓茉怜恬恺悠惟憬羿翊翎耕尘夕妙姝妤如孝存安守宥宛容峻岸巍年庭战攀斐旎映晗晟暖朝桦棠楷榛"
    "樱歌沅沫泊泠洛淇澄澈瀚灵炫爱献玄玖珀珈琉琢琤瑞璧璨禾穗竣竞笙箐羚翀聆臣苇葵蓬衍裕谨赞赟轲辞逍遇邈郁采释野钦铎铖锡闯闻阔霁"
    "韫飚鲲鸥鹃鹭默鼎龄"
    "理琅琦琼瑜瑛璋瑄生申白皓益盈相真石礼祖福禄秋秦稷章童笑筱简粤红纯纲经绮绿缘罡美耀耘聪舜舟艺芃芮苏苑苒苗茜茹荀荟莎"
    "莘菁萌葆葳蒙蓝蔓蔚薪虎虹蝶衡诺谊豫贝贤超路跃远连逸遥道郁采金鑫长阳际陆陶隆雯霆霏露靖韬韵顺颂飒香驰骥高魁麒麟黎齐小大"
)
# Characters that follow a name rather than belong to one.
_NOT_GIVEN = (
    "的是要想在我你他她它买说电手住来去有不了和与先女小今昨这那请给投反家号地订联身因就已很还也到从把被让"
    "对等没会能可以下上打报退换申咨求希个位们吗呢吧啊呀客员级户单机答签留改拒催推代做收发修写叫一都又再更最刚只太跟找问讲承拖骂乱态人"
)
# Characters that end what names a number: 农行卡 6228….
_NO_LAST = "号是卡证车牌在单码机话箱信址到给打寄退了吧"
_GIVEN = rf"(?:(?![{_NOT_GIVEN}])[一-龥])"
_NAME = rf"(?:(?:{_COMPOUND})[一-龥]{_GIVEN}?|[{SURNAMES}][一-龥]{_GIVEN}?)"
# Names of other peoples are written with a dot between their parts.
_FOREIGN = (
    "塔图音雅勒其次仁洛旦赫不鲁日白"
    "阿艾买提古丽努尔木江汗别克格热合吾帕玛依萨拉卡巴哈力甫图荪库尼亚孜迪达娜肉司衣明麦海塔西牙生吐逊曼班罕穆默德玉素"
    "赛凯沙吉约翰斯特都日娅兰卜杜杰布乌买马依力山胡加奴维祖农坎白斯扎桑莎茹仙姆"
)
_DOTTED = (
    rf"[{_FOREIGN}]{{2,8}}[·•・][{_FOREIGN}]{{2,8}}?(?:[·•・][{_FOREIGN}]{{2,8}}?)?"
    r"(?=先生|女士|小姐|太太|师傅|[的说要在被反和签收拿取]|[^一-龥·•・]|$)"
)
_TIBETAN_UIGHUR = (
    "扎西|卓玛|央金|才旦|才让|多吉|格桑|尼玛|达瓦|次仁|旺堆|索朗"
    "|阿依|古丽|买买提|麦麦提|艾力|阿卜杜|艾买提|帕提|热合|努尔"
)
_LATIN = r"[A-Z][A-Za-z]{1,12}\s[A-Z][A-Za-z]{1,14}(?![A-Za-z])"
_EDGE = rf"[\s，。！？；、,.!?;:：（）()~～\d\[{HIDDEN}]"
_END = rf"(?=$|{_EDGE})"
_START = rf"(?:(?<=^)|(?<={_EDGE}))"

_CONTEXT = (
    "我叫|名叫|[他她妈爸公婆儿子傅]叫|叫做|姓名|名字|户名|机主|抬头|署名|签名|落款|开户名|会员名|本名|曾用名|收[件货]信息|收货?(?=[：:])"
    "|(?:联系|收货|收件|签收|代收|收款|付款|寄件|发件|持卡|下单|购买|预约|报修|登记|投保|持证|开票|注册|经手|公证|被保险)人"
)
_ROLE_CONTEXT = "户主|业主|(?:申请|投诉|经办|当事|委托|负责)人"
_NAMED = r"(?:个人|是|为|叫|改成|改为|写成了?|写的?是?|填的?是?|登记的?是?|留的?是?|：|:|\s)"
_RELATIVE = (
    "老公|老婆|爱人|丈夫|妻子|[我她他]先生|[我他]太太|妈妈?|爸爸?|[我他她][姐弟哥妹]|岳[父母]|女儿(?!童)|儿子|孩子|母亲|父亲|朋友|同事|家属"
    "|师傅|维修工|安装工|(?:送货|快递|配送|技术|业务|理货|店|值班|维修人|工作人|售后人)员|员工|工程师|客服|专员|[店站班]长|主管|经理|主任|保安|前台|值班|老板"
    "|代表|客户|用户|会员|买家|卖家|业主|法人|当事人|负责人|[车房货]主|房东|租客|邻居|对方|投诉|联系|登记|(?:发票|[退开发转寄送交货])给|请[找转]|转告|换成|付款账户"
)
# Verbs that persons follow as well as things: after them both characters must be those of given names.
_VERB = "投诉|联系|[找给换让向跟和是被叫]"
_TITLE = "先生(?!成|系列)|女士(?!专用|洗)|小姐(?!姐)|太太|老师"
_LIGHT_TITLE = "师傅|经理|主任|阿姨|大姐|大哥|大叔|[哥姐总](?=$|[，,帮的说也在])"


@cache
def _segmenter() -> rjieba.Jieba:
    import rjieba

    return rjieba.Jieba()


def _is_no_word(match: re.Match[str]) -> bool:
    """Whether no word of the dictionary but a name begins there (rjieba, jieba's dictionary)."""
    start = match.start("v")
    word, part_of_speech = _segmenter().tag(match.string[start : start + 8])[0]
    return not _is_common(word, part_of_speech)


def _is_new(match: re.Match[str]) -> bool:
    """Whether the very value is in no dictionary, or as a name: 任何 and 周末 are none."""
    value = match["v"]
    if len(value) == 1:
        return True
    word, part_of_speech = _segmenter().tag(value)[0]
    return word != value or not _is_common(word, part_of_speech)


def _is_tagged(match: re.Match[str]) -> bool:
    """Whether the tagger takes the very value for a name, knowing what follows."""
    start = match.start("v")
    word, part_of_speech = _segmenter().tag(match.string[start : start + 8])[0]
    return word == match["v"] and part_of_speech.startswith("nr")


def _stands_free(match: re.Match[str]) -> bool:
    """Whether words of the dictionary end where the value begins and ends, and none but a name begins there."""
    start, end = match.span("v")
    place = max(0, start - 4)
    for word, part_of_speech in _segmenter().tag(match.string[place : end + 4]):
        after = place + len(word)
        if (place < start < after or place < end < after) and _segmenter().has_word(word):
            return False
        if place == start and _is_common(word, part_of_speech):
            return False
        place = after
    return True


def _is_common(word: str, part_of_speech: str) -> bool:
    """Whether the dictionary knows the word as anything but a name; what the tagger only guesses doesn't count."""
    if len(word) < 2 or part_of_speech.startswith("nr") or word in _COMPOUND:
        return False
    return _segmenter().has_word(word)


_ANY = rf"(?:{_CONTEXT}|{_ROLE_CONTEXT})"
_INTRODUCED = r"(?:我是|本人(?:是|叫)?|这里是)\s?"
# Surnames that begin everyday words; where little else tells a name they tell nothing.
_WORDY = "(?:华为|岳[父母]|辛苦|康师|史密|历史|[和都来连时全车单安任从于向时成应原过方白高石])"
_TITLED = r"(?<![感谢多](?=谢))(?<!语)(?<!主(?=任))(?!谢谢|感谢|多谢|华为|康师)"
_FAIRLY = rf"(?=[{_FAIRLY_COMMON}]|{_COMPOUND})"
_WEAKLY = rf"(?!华为|岳[父母]|辛苦|康师)(?=[{_WEAK}]|{_COMPOUND})"
_BARE = rf"(?!谢谢|麻烦|{_WORDY})(?:(?:{_COMPOUND})[一-龥]{{1,2}}|[{SURNAMES}][一-龥]{{1,2}})(?<![{_NO_LAST}])"


def _names(pattern: str, check: Callable[[re.Match[str]], bool] | None = None) -> Rule:
    return rule("姓名", pattern, check)


# Groups of rules, each behind the sign without which none of them finds anything (RE2 syntax: Arrow searches with it).
GROUPS: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    (
        f"{_CONTEXT}|{_ROLE_CONTEXT}".replace("(?=[：:])", "[：:]"),
        (
            _names(rf"{_ANY}{_NAMED}{{0,4}}(?P<v>{_LATIN})"),
            _names(rf"{_ANY}{_NAMED}{{0,4}}(?P<v>{_DOTTED})"),
            _names(
                rf"(?:{_CONTEXT}){_NAMED}{{0,4}}(?P<v>(?:{_TIBETAN_UIGHUR})[一-龥]{{0,4}}?)(?=$|{_EDGE}|[被的在说写])"
            ),
            _names(rf"(?:{_CONTEXT}){_NAMED}{{0,4}}(?P<v>[一-龥]{{2}}(?:{_TIBETAN_UIGHUR})){_END}"),
            _names(rf"{_ANY}{_NAMED}{{0,4}}(?P<v>[{_FOREIGN}]{{2,5}}){_END}"),
            _names(rf"{_ANY}{_NAMED}{{1,4}}(?P<v>[{SURNAMES}][一-龥]{{1,2}}){_END}", _is_no_word),
            _names(rf"{_ANY}(?P<v>[{_FAIRLY_COMMON}][一-龥]{{1,2}}){_END}", _is_no_word),
            _names(rf"{_ANY}(?P<v>(?!{_WORDY})[{SURNAMES}](?:[{_TYPICAL}]{{1,2}}|{_GIVEN}{{2}})){_END}", _is_new),
            _names(rf"{_ANY}(?P<v>(?!{_WORDY})[{SURNAMES}][{_TYPICAL}]{{2}})", _is_no_word),
            _names(rf"(?:{_CONTEXT}){_NAMED}{{1,4}}(?P<v>{_NAME})"),
            _names(rf"(?:{_CONTEXT})(?P<v>{_FAIRLY}{_NAME})"),
            _names(rf"(?:{_ROLE_CONTEXT})(?:姓名)?[：:]\s*(?P<v>{_NAME})"),
            _names(rf"{_ANY}(?P<v>(?!{_WORDY})[{SURNAMES}][{_TYPICAL}])(?![{_TYPICAL}])", _stands_free),
        ),
    ),
    (rf"[{_FOREIGN}][·•・][{_FOREIGN}]", (_names(rf"(?<![·•・]){_DOTTED}"),)),
    (
        "我是|本人|这里是|[我他她人贵]姓",
        (
            _names(
                rf"{_INTRODUCED}(?P<v>(?!常客|安装|高级|黄金|白金|金牌|新|老客|应届|顾客|单位|住户|商户){_NAME})"
                rf"(?={_EDGE}|$|的家属)"
            ),
            _names(rf"(?:[我他她]|免贵|本人)姓(?P<v>[{SURNAMES}]|{_COMPOUND}){_END}"),
        ),
    ),
    (
        "先生|女士|小姐|太太|老师",
        (
            _names(
                rf"{_START}(?P<v>[一-龥])(?<![老某各这那该男女众诸好小两位名个的是我她他你您大本])(?=(?:先生|女士)(?:$|{_EDGE}|[您你说的反投来要]))"
            ),
            _names(
                rf"{_TITLED}(?P<v>(?:{_COMPOUND})(?:[一-龥]{_GIVEN}?)??|[{_FAIRLY_COMMON}](?:[一-龥]{_GIVEN}?)??)"
                rf"(?={_TITLE})(?<![的是找位个名])",
                _is_new,
            ),
        ),
    ),
    (
        "师傅|经理|主任|阿姨|大姐|大哥|大叔|[哥姐总]",
        (
            _names(rf"(?:{_START}|[找叫给让请跟和是的问])(?P<v>[{_FAIRLY_COMMON}储楚褚])(?={_LIGHT_TITLE})"),
            _names(rf"{_TITLED}(?P<v>[{_COMMON}石左龙黎陶汤](?:{_GIVEN}{{1,2}})?)(?={_LIGHT_TITLE})", _is_new),
        ),
    ),
    (
        rf"(?:{_RELATIVE.replace('(?!童)', '')})[叫是]?(?:[{SURNAMES}]|{_COMPOUND})",
        (
            _names(
                rf"(?:{_RELATIVE})[叫是]?(?P<v>(?![和都来连时全车单从于向])(?:[{SURNAMES}]|{_COMPOUND})[{_TYPICAL}]{{2}})",
                _is_no_word,
            ),
            _names(rf"(?:{_RELATIVE})[叫是]?(?P<v>[{_FOREIGN}]{{3,5}}){_END}", _is_new),
            _names(rf"(?:{_RELATIVE})[叫是]?(?P<v>{_WEAKLY}.{_GIVEN}{{1,2}})", _is_no_word),
            _names(
                rf"(?:{_RELATIVE})[叫是]?(?P<v>(?!{_WORDY})[{SURNAMES}](?:[{_TYPICAL}]{{1,2}}|{_GIVEN}{{2}})){_END}",
                _is_new,
            ),
            _names(rf"(?:{_RELATIVE})[叫是]?(?P<v>(?!{_WORDY})[{SURNAMES}][{_TYPICAL}])(?![{_TYPICAL}])", _stands_free),
            _names(
                rf"(?:{_RELATIVE})[叫是]?(?P<v>(?:{_TIBETAN_UIGHUR})[{_FOREIGN}]{{0,3}}|[一-龥]{{2}}(?:{_TIBETAN_UIGHUR})){_END}"
            ),
        ),
    ),
    (
        rf"(?:{_VERB})[{_WEAK}][{_TYPICAL}]",
        (
            _names(rf"(?:{_VERB})(?P<v>{_WEAKLY}.[{_TYPICAL}]{{2}})", _stands_free),
            _names(rf"(?:{_VERB})(?P<v>{_WEAKLY}.[{_TYPICAL}])(?=[的把说没不跟来了也都一]|{_EDGE}|$)", _stands_free),
        ),
    ),
    (
        "——|署名|此致|敬礼|谢谢",
        (
            _names(rf"(?:——|署名|此致|敬礼)[！!，。：:\s]{{0,3}}(?P<v>{_NAME})(?=$|\s)"),
            _names(rf"谢谢[！!，。：:\s]{{1,3}}(?P<v>{_NAME})$", _is_no_word),
        ),
    ),
    (
        rf"[{_FAIRLY_COMMON}][{_TYPICAL}]|^[{SURNAMES}][{_TYPICAL}]{{1,2}}[，,]",
        (
            _names(
                rf"(?P<v>(?!{_WORDY})[{_FAIRLY_COMMON}][{_TYPICAL}]{{2}}(?<!和))(?![镇路街县区村市郡]|小学)",
                _stands_free,
            ),
            _names(
                rf"(?<![一-龥])(?P<v>[{_COMMON}][{_TYPICAL}])(?=[，,、和说的您签]|投诉|反映|反馈|要求|申请|来电|咨询)",
                _stands_free,
            ),
            _names(rf"^(?P<v>(?!{_WORDY})[{SURNAMES}][{_TYPICAL}]{{1,2}})(?=[，,])", _is_tagged),
        ),
    ),
)
# A name right beside something that was found already, as in the lines people paste: name, telephone, address.
BESIDE_HIDDEN = (
    _names(rf"^(?P<v>{_BARE})[，,+\s]{{1,2}}(?=[{HIDDEN}])", _is_new),
    _names(rf"(?<=[{HIDDEN}])[，,（(+\s]{{1,2}}(?P<v>{_BARE})(?=$|[\s）)]|[，,]?[{HIDDEN}])", _is_new),
)
