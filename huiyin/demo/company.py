"""Who and what the demo company 和风家电 is made of: products, regions, teams, and the taxonomy's numbers.

All figures are invented; they are the assumptions of the demo, gathered in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

COMPANY = "和风家电"
FIRST_ON = date(2025, 1, 1)
COMPANY_TO_ON = date(2026, 1, 1)
DAYS = (COMPANY_TO_ON - FIRST_ON).days


@dataclass(frozen=True)
class Product:
    """One model: ``category`` decides which problems it can have, ``weight`` how often it is sold."""

    category: str
    model: str
    weight: float
    kind: str

    @property
    def name(self) -> str:
        """The name as systems write it, such as 净饮机 HF-W3."""
        return f"{self.category} {self.model}"


PRODUCTS = (
    Product("净饮机", "HF-W3", 7, "water"),
    Product("净饮机", "HF-W5 Pro", 5, "water"),
    Product("即热饮水机", "HF-J2", 3, "water"),
    Product("滚筒洗衣机", "HF-X10", 9, "wash"),
    Product("滚筒洗衣机", "HF-X12 Max", 5, "wash"),
    Product("波轮洗衣机", "HF-B8", 4, "wash"),
    Product("热泵干衣机", "HF-D9", 4, "wash"),
    Product("洗碗机", "HF-C13", 5, "wash"),
    Product("变频空调", "HF-K35", 10, "air"),
    Product("柜式空调", "HF-K72", 5, "air"),
    Product("空气净化器", "HF-A6", 4, "air"),
    Product("除湿机", "HF-S20", 2, "air"),
    Product("十字门冰箱", "HF-R520", 8, "cold"),
    Product("双门冰箱", "HF-R210", 4, "cold"),
    Product("电热水器", "HF-H60", 6, "water"),
    Product("燃气热水器", "HF-G16", 5, "water"),
    Product("抽油烟机", "HF-Y8", 5, "kitchen"),
    Product("蒸烤一体机", "HF-Z40", 4, "kitchen"),
    Product("扫地机器人", "HF-T9", 6, "small"),
    Product("智能门锁", "HF-L3", 3, "small"),
)

REGIONS: dict[str, float] = {
    "华东": 0.30, "华南": 0.17, "华北": 0.17, "华中": 0.12, "西南": 0.12, "东北": 0.07, "西北": 0.05,
}  # fmt: skip

# city: (province as an address writes it, district, telephone code)
CITIES: dict[str, dict[str, tuple[str, str, str]]] = {
    "华东": {
        "上海": ("上海市", "浦东新区", "021"), "杭州": ("浙江省杭州市", "西湖区", "0571"),
        "南京": ("江苏省南京市", "鼓楼区", "025"), "苏州": ("江苏省苏州市", "吴中区", "0512"),
        "合肥": ("安徽省合肥市", "蜀山区", "0551"), "青岛": ("山东省青岛市", "市南区", "0532"),
    },
    "华南": {
        "广州": ("广东省广州市", "天河区", "020"), "深圳": ("广东省深圳市", "南山区", "0755"),
        "南宁": ("广西壮族自治区南宁市", "青秀区", "0771"), "海口": ("海南省海口市", "龙华区", "0898"),
    },
    "华北": {
        "北京": ("北京市", "朝阳区", "010"), "天津": ("天津市", "南开区", "022"),
        "石家庄": ("河北省石家庄市", "长安区", "0311"), "太原": ("山西省太原市", "小店区", "0351"),
    },
    "华中": {
        "武汉": ("湖北省武汉市", "洪山区", "027"), "长沙": ("湖南省长沙市", "岳麓区", "0731"),
        "郑州": ("河南省郑州市", "金水区", "0371"),
    },
    "西南": {
        "成都": ("四川省成都市", "武侯区", "028"), "重庆": ("重庆市", "渝北区", "023"),
        "昆明": ("云南省昆明市", "盘龙区", "0871"), "贵阳": ("贵州省贵阳市", "南明区", "0851"),
    },
    "东北": {
        "沈阳": ("辽宁省沈阳市", "和平区", "024"), "哈尔滨": ("黑龙江省哈尔滨市", "南岗区", "0451"),
        "长春": ("吉林省长春市", "朝阳区", "0431"),
    },
    "西北": {
        "西安": ("陕西省西安市", "雁塔区", "029"), "兰州": ("甘肃省兰州市", "城关区", "0931"),
        "乌鲁木齐": ("新疆维吾尔自治区乌鲁木齐市", "天山区", "0991"),
    },
}  # fmt: skip

SHOPS = ("天猫旗舰店", "京东", "抖音直播间", "线下门店", "小程序商城", "拼多多", "官网", "苏宁")

FRONT = "一线客服"
COMPLAINTS = "投诉处理组"
# team: agents at scale 1
TEAMS: dict[str, int] = {
    FRONT: 64, COMPLAINTS: 14, "物流组": 13, "安装组": 14, "维修组": 15, "退款组": 10, "技术支持组": 12,
}  # fmt: skip


@dataclass(frozen=True)
class Subtype:
    """How often a problem comes and how the desk handles it.

    ``share`` is its relative frequency; ``promotion`` how strongly sales campaigns lift it; ``team`` who solves what
    the front line can't; ``first_contact`` the share the front line solves at once; ``hours`` the median working
    hours to solve otherwise; ``kinds`` the products it concerns (empty: any), ``product_known`` how often it is
    stated; ``asks`` whether it is rather a question than a complaint.
    """

    code: str
    type: str
    share: float
    team: str
    first_contact: float
    hours: float
    promotion: float = 0.3
    kinds: tuple[str, ...] = ()
    product_known: float = 0.7
    asks: bool = False


SUBTYPES = (
    Subtype("logistics_delay", "process", 8.5, "物流组", 0.15, 13, 0.7),
    Subtype("delivery_damage", "process", 4, "物流组", 0.12, 12, 0.3),
    Subtype("login_failure", "product", 3, "技术支持组", 0.42, 3.5, 0.1, ("air", "small", "wash"), 0.15),
    Subtype("app_bug", "product", 3.6, "技术支持组", 0.2, 10, 0.1, ("air", "small", "wash"), 0.3),
    Subtype("installation_late", "service", 6, "安装组", 0.15, 8, 0.4, ("wash", "air", "water", "kitchen"), 0.9),
    Subtype("installation_quality", "service", 4, "安装组", 0.08, 15, 0.2, ("wash", "air", "water", "kitchen"), 0.9),
    Subtype("repair_slow", "process", 5.6, "维修组", 0.1, 19, 0.1, (), 0.9),
    Subtype("repair_quality", "service", 3.4, "维修组", 0.06, 20, 0.1, (), 0.9),
    Subtype("agent_attitude", "service", 2.4, COMPLAINTS, 0.12, 8, 0.1, (), 0.15),
    Subtype("no_response", "service", 3.8, COMPLAINTS, 0.45, 4, 0.3, (), 0.2),
    Subtype("refund_slow", "process", 5.6, "退款组", 0.12, 12, 0.3, (), 0.5),
    Subtype("return_exchange", "process", 5.8, "退款组", 0.25, 12, 0.4, (), 0.9),
    Subtype("product_leak", "product", 3, "维修组", 0.1, 11, 0.1, ("water", "wash"), 1.0),
    Subtype("product_noise", "product", 3.6, "维修组", 0.2, 14, 0.1, ("wash", "air", "cold", "kitchen", "small"), 1.0),
    Subtype("product_fault", "product", 7.6, "维修组", 0.2, 13, 0.1, (), 1.0),
    Subtype("network_setup", "product", 5.2, "技术支持组", 0.45, 3, 0.0, ("air", "small", "wash"), 1.0),
    Subtype("usage_question", "communication", 9, "技术支持组", 0.82, 1.5, 0.2, (), 0.95, True),
    Subtype("price_protection", "process", 3, "退款组", 0.35, 6, 1.0),
    Subtype("invoice", "process", 4, "退款组", 0.4, 5, 0.2, (), 0.3, True),
    Subtype("warranty", "communication", 4, "维修组", 0.5, 4, 0.0, (), 0.9, True),
    Subtype("promotion_rules", "communication", 4, COMPLAINTS, 0.65, 2.5, 1.0, (), 0.5, True),
    Subtype("membership", "communication", 3, COMPLAINTS, 0.5, 4, 0.2, (), 0.1, True),
    Subtype("address_change", "process", 4, "物流组", 0.65, 1.5, 0.5, (), 0.5, True),
    Subtype("information_inconsistent", "communication", 4.6, COMPLAINTS, 0.35, 5, 0.0, (), 0.8),
)
SUBTYPE_INDEX = {subtype.code: index for index, subtype in enumerate(SUBTYPES)}

CHANNELS = ("phone", "web_chat", "wechat", "app", "email")
CHANNEL_SHARES = (0.30, 0.24, 0.22, 0.18, 0.06)
