"""Invented personal data, planted into free text and remembered for the ground truth."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from huiyin.demo.company import CITIES

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华慧建文辉玲鑫宇浩婷雪梅琳峰欣怡晨佳豪凯瑞琪萱彤睿诗涵"
_PREFIXES = (
    "133",
    "135",
    "136",
    "137",
    "138",
    "139",
    "150",
    "151",
    "157",
    "158",
    "159",
    "177",
    "180",
    "186",
    "188",
    "199",
)
_AREAS = ("110105", "310115", "330106", "320106", "440305", "510107", "420111", "430104", "610113", "210102", "370202")
_ROADS = (
    "人民路",
    "解放大道",
    "建设街",
    "中山路",
    "文化路",
    "学府路",
    "滨河路",
    "长江路",
    "迎宾大道",
    "和平里",
    "新华街",
)
_ESTATES = (
    "阳光花园",
    "翠湖苑",
    "金色家园",
    "万和城",
    "书香名邸",
    "东方雅居",
    "绿洲新村",
    "梧桐里",
    "锦绣华庭",
    "星河湾",
)
_SYLLABLES = (
    "li",
    "wang",
    "xiao",
    "hao",
    "mei",
    "jun",
    "yan",
    "tao",
    "lin",
    "feng",
    "yu",
    "chen",
    "jia",
    "lele",
    "ning",
)

# How people give it away; {} takes the value.
_CONTEXTS: dict[str, tuple[str, ...]] = {
    "mobile": (
        "电话{}",
        "打我手机{}",
        "联系号码：{}",
        "我的号{}",
        "回电{}",
        "手机{}找我",
        "有事call我{}",
        "号码{}（微信同号）",
        "联系{}",
        "{}这个号能找到我",
    ),
    "landline": ("座机{}", "家里电话{}", "单位电话{}，白天打", "固话：{}", "打办公室{}"),
    "id_card": ("身份证{}", "身份证号：{}", "实名用的证件号{}", "证件{}"),
    "bank_card": ("退到卡号{}", "银行卡{}", "卡号：{}，别退错", "打到这张卡{}", "账号{}"),
    "email": ("邮箱{}", "发到{}", "我的email是{}", "电子版寄{}就行", "抄送{}", "mail：{}"),
    "address": ("地址：{}", "我家住{}", "送到{}", "收货地址{}", "人在{}", "上门到{}"),
    "person_name": (
        "我叫{}",
        "收货人{}",
        "联系人：{}",
        "我是{}",
        "本人{}",
        "机主姓名{}",
        "户名{}",
        "签收人写的{}",
        "我姓名是{}",
    ),
    "wechat": ("加我微信{}", "微信号：{}", "vx:{}", "wx {}", "V：{}", "加v{}"),
    "order_number": ("订单号{}", "单号：{}", "订单{}", "查一下订单号 {}", "这单{}", "编号{}"),
}
_ENDINGS = ("。", "！", "？", "~", "，", "…")
_SHARES = {
    "mobile": 30, "order_number": 26, "person_name": 14, "address": 10, "email": 6, "wechat": 6, "landline": 4,
    "bank_card": 3, "id_card": 3,
}  # fmt: skip


def _digits(random: Random, count: int) -> str:
    return str(random.randrange(10**count)).zfill(count)


def luhn_digit(digits: str) -> str:
    """The check digit that makes ``digits`` + it valid by Luhn (ISO/IEC 7812)."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def id_check_digit(digits: str) -> str:
    """The 18th character of a resident identity number (GB 11643, ISO 7064 mod 11-2)."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(int(d) * w for d, w in zip(digits, weights, strict=True)) % 11]


class Inventor:
    """Invents personal data; ``planted`` collects what was put into texts, by kind."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.planted: dict[str, list[str]] = {kind: [] for kind in _CONTEXTS}
        self._makers: dict[str, Callable[[str], str]] = {
            "mobile": lambda _: self._spaced_mobile(),
            "landline": self._landline,
            "id_card": lambda _: self._id_card(),
            "bank_card": lambda _: self._bank_card(),
            "email": lambda _: self.email(),
            "address": self._address,
            "person_name": lambda _: self.name(),
            "wechat": lambda _: self.wechat(),
            "order_number": lambda _: f"HD2025{_digits(random, 12)}",
        }
        self._kinds = tuple(kind for kind, share in _SHARES.items() for _ in range(share))
        self._regions = {city: region for region, cities in CITIES.items() for city in cities}

    def name(self) -> str:
        """A full name of two or three characters."""
        random = self._random
        given = "".join(random.choice(_GIVEN) for _ in range(1 if random.random() < 0.3 else 2))
        return random.choice(_SURNAMES) + given

    def mobile(self) -> str:
        """Eleven digits."""
        return self._random.choice(_PREFIXES) + _digits(self._random, 8)

    def email(self) -> str:
        """An address in a domain that is reserved for examples (RFC 2606)."""
        random = self._random
        user = random.choice(_SYLLABLES) + random.choice(("", ".", "_")) + random.choice(_SYLLABLES)
        return f"{user}{_digits(random, 3)}@{random.choice(('example.com', 'mail.example.com', 'example.org'))}"

    def wechat(self) -> str:
        """A WeChat id: a letter, then letters, digits and underscores."""
        random = self._random
        user = random.choice(_SYLLABLES) + random.choice(_SYLLABLES) + random.choice(("_", ""))
        return f"{user}{_digits(random, 4)}"

    def plant(self, text: str, city: str) -> str:
        """``text`` with one or two pieces of personal data in a natural context."""
        random = self._random
        for _ in range(2 if random.random() < 0.25 else 1):
            kind = random.choice(self._kinds)
            value = self._makers[kind](city)
            self.planted[kind].append(value)
            said = random.choice(_CONTEXTS[kind]).format(value)
            if random.random() < 0.25:
                text = f"{said}，{text}"
            else:
                text += ("" if text.endswith(_ENDINGS) else random.choice(("，", " ", "。"))) + said
        return text

    def _spaced_mobile(self) -> str:
        number, way = self.mobile(), self._random.random()
        separator = " " if way < 0.1 else "-" if way < 0.2 else ""
        return separator.join((number[:3], number[3:7], number[7:]))

    def _landline(self, city: str) -> str:
        code = CITIES[self._regions[city]][city][2]
        return f"{code}-{self._random.choice('23568')}{_digits(self._random, 6 if len(code) == 4 else 7)}"

    def _id_card(self) -> str:
        random = self._random
        born = f"{random.randrange(1955, 2005)}{random.randrange(1, 13):02}{random.randrange(1, 29):02}"
        digits = random.choice(_AREAS) + born + _digits(random, 3)
        return digits + id_check_digit(digits)

    def _bank_card(self) -> str:
        digits = "62" + _digits(self._random, 16)
        return digits + luhn_digit(digits)

    def _address(self, city: str) -> str:
        random = self._random
        province, district, _ = CITIES[self._regions[city]][city]
        if random.random() < 0.5:
            place = f"{random.choice(_ROADS)}{random.randrange(1, 900)}号"
        else:
            place = random.choice(_ESTATES)
        return f"{province}{district}{place}{random.randrange(1, 40)}栋{random.randrange(101, 3304)}室"
