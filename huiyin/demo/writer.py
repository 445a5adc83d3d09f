"""Composes what customers, agents and bots of the demo company write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import opencc

from huiyin.demo.company import CITIES, PRODUCTS, SHOPS, SUBTYPES
from huiyin.demo.phrases import ANY, SOCIAL, TALK, Sections
from huiyin.demo.phrases import SUBTYPES as PHRASES
from huiyin.demo.phrases.talk import SLIPS

_WHO = (
    "老人",
    "我妈",
    "老公",
    "老婆",
    "我爸",
    "婆婆",
    "岳父",
    "爷爷",
    "奶奶",
    "室友",
    "媳妇",
    "家里人",
    "对象",
    "我姐",
)
_TIMES = (
    "早上九点",
    "上午10点",
    "下午两点",
    "下午3点",
    "傍晚",
    "晚上七点",
    "周六上午",
    "中午12点",
    "下午四点半",
    "早上8点半",
)
_SYSTEMS = ("安卓14", "安卓", "鸿蒙", "iOS 18", "iPhone15", "小米14", "苹果", "荣耀手机", "华为Mate", "oppo", "vivo")
_NO_PRODUCT = ("机器", "家电", "你们的东西", "设备", "这台", "新机", "电器", "货")
_NUMERALS = "零一两三四五六七八九十"


class _Slots(dict[str, str]):
    """Fills slots when a fragment first asks for them; one text keeps one value a slot."""

    def __init__(self, writer: Writer, product: int, city: str, team: str) -> None:
        super().__init__(city=city, team=team)
        self._writer = writer
        self._product = product

    def __missing__(self, slot: str) -> str:
        value = self._writer.slot(slot, self._product)
        if slot != "p":  # the same thing is called by several names
            self[slot] = value
        return value


class Writer:
    """Writes texts from fragments, with the slips, emoji and moods of real ones. Deterministic under its random."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._draw = random.random
        self._traditional = opencc.OpenCC("s2t")
        self._names = [self._product_names(index) for index in range(len(PRODUCTS))]
        self._cities_by_region = {region: tuple(cities) for region, cities in CITIES.items()}
        self._cities = [city for cities in CITIES.values() for city in cities]
        self._slots: dict[str, Callable[[], str]] = {
            "n": lambda: self._number(3, 16),
            "m": lambda: self._number(2, 9, digits=0.8),
            "k": lambda: str(random.randrange(2, 10)),
            "d": self._date,
            "t": lambda: self.pick(_TIMES),
            "amt": lambda: str(self.pick((20, 30, 50, 80, 99, 100, 150, 199, 200, 260, 300, 388, 400, 499, 600, 1280))),
            "ver": lambda: f"{self.pick(('V', 'v', '', '版本'))}{random.randrange(5, 8)}.{random.randrange(10)}",
            "os": lambda: self.pick(_SYSTEMS),
            "shop": lambda: self.pick(SHOPS),
            "who": lambda: self.pick(_WHO),
            "no": lambda: str(random.randrange(100, 99_999)),
            "city": lambda: self.pick(self._cities),
            "team": lambda: "相关部门",
        }

    def pick(self, items: Sequence[str | int]) -> str:
        """One of them."""
        return str(items[int(self._draw() * len(items))])

    def city_of(self, region: str) -> str:
        """A city of the region."""
        return self.pick(self._cities_by_region[region])

    def slot(self, slot: str, product: int) -> str:
        """A value for a slot; ``product`` is an index or −1."""
        if slot == "p":
            return self.pick(_NO_PRODUCT if product < 0 else self._names[product])
        return self._slots[slot]()

    def _number(self, low: int, high: int, digits: float = 0.7) -> str:
        value = self._random.randrange(low, high)
        return str(value) if value > 10 or self._draw() < digits else _NUMERALS[value]

    def _date(self) -> str:
        random, way = self._random, self._draw()
        if way < 0.4:
            return f"{random.randrange(1, 29)}号"
        if way < 0.6:
            return self.pick(("上周", "上个月", "前天", "上周六", "国庆前", "月初", "大前天", "前几天"))
        return f"{random.randrange(1, 13)}{self.pick(('月', '.', '/'))}{random.randrange(1, 29)}"

    @staticmethod
    def _product_names(index: int) -> tuple[str, ...]:
        product = PRODUCTS[index]
        short = product.model.removeprefix("HF-")
        return (
            product.category, product.category, product.name, product.model, short, product.category[-3:],
            product.model.replace("-", "").lower(), f"{short}{product.category}", f"和风{product.category}",
        )  # fmt: skip

    def _one(self, sections: Sections, name: str, product: int) -> str:
        """A fragment of a section that suits the product."""
        return self.pick(sections[name][PRODUCTS[product].kind if product >= 0 else ANY])

    def _some(self, sections: Sections, name: str, product: int, count: int) -> list[str]:
        """Different fragments of a section, up to ``count``."""
        return list(dict.fromkeys(self._one(sections, name, product) for _ in range(count)))

    def subject(self, subtype: int, product: int, city: str) -> str:
        """A short title, as forms ask for it."""
        text = self._one(PHRASES[SUBTYPES[subtype].code], "subject", product)
        if product >= 0 and self._draw() < 0.35:
            text = f"{self.slot('p', product)}{text}" if "{p}" not in text else text
        return text.format_map(_Slots(self, product, city, ""))

    def request(self, subtype: int, product: int, city: str) -> str:
        """What a customer writes who has this problem."""
        fragments, draw = PHRASES[SUBTYPES[subtype].code], self._draw
        mood = self._mood(SUBTYPES[subtype].asks)
        parts: list[str] = []
        if draw() < 0.55:
            parts.append(self._one(TALK, f"open_{mood}", product))
        parts.append(self._one(fragments, "fact", product))
        way = draw()
        names: tuple[str, ...]
        if way < 0.30:
            names = ("detail", "effect")
        elif way < 0.55:
            names = ("detail", "ask")
        elif way < 0.72:
            names = ("effect", "ask")
        elif way < 0.86:
            second = self._one(fragments, "fact", product)
            if second != parts[-1]:
                parts.append((self._one(TALK, "link", product) if draw() < 0.5 else "") + second)
            names = ("ask",) if draw() < 0.5 else ()
        elif way < 0.94:
            names = ("detail", "effect", "ask")
        else:
            parts.insert(0, self._one(fragments, "ask", product))
            names = ("detail",)
        parts += [self._one(fragments, name, product) for name in names]
        if draw() < 0.35:
            parts.append(self._one(TALK, "close_polite" if mood == "plain" else f"close_{mood}", product))
        return self._finish(parts, _Slots(self, product, city, ""), mood)

    def _mood(self, asks: bool) -> str:
        draw = self._draw()
        if asks:
            return "plain" if draw < 0.6 else "polite" if draw < 0.88 else "angry" if draw < 0.96 else "sarcastic"
        return "plain" if draw < 0.38 else "polite" if draw < 0.58 else "angry" if draw < 0.86 else "sarcastic"

    def _finish(self, parts: Sequence[str], slots: _Slots, mood: str) -> str:
        """Join the parts with someone's punctuation, then let slips, emoji and scripts in."""
        draw = self._draw
        way = draw()
        if way < 0.07:
            text = " ".join(parts)
        elif way < 0.11:
            text = "".join(part + self.pick(("。。。", "！！", "~", "，，")) for part in parts)
        else:
            text = parts[0]
            for part in parts[1:]:
                text += ("。" if draw() < 0.22 else "！" if mood == "angry" and draw() < 0.3 else "，") + part
            ends = (
                "",
                "。",
                "。",
                "！" if mood == "angry" else "。",
                "？" if text.endswith(("吗", "不", "么")) else "",
            )
            text += self.pick(ends)
        return self._roughen(text.format_map(slots), mood)

    def _roughen(self, text: str, mood: str) -> str:
        draw = self._draw
        if draw() < 0.12:
            right, wrong = SLIPS[int(draw() * len(SLIPS))]
            text = text.replace(right, wrong, 1)
        if draw() < 0.09:
            text += self._one(TALK, f"emoji_{mood}", -1) * (1 + int(draw() * 2.2))
        if draw() < 0.03:
            text = str(self._traditional.convert(text))
        return text

    def reply(self, subtype: int, product: int, city: str, team: str) -> str:
        """An agent's first words."""
        draw = self._draw
        parts = [self._one(TALK, "greet" if draw() < 0.6 else "sorry", product)]
        parts.append(self._one(PHRASES[SUBTYPES[subtype].code], "reply", product))
        if draw() < 0.5:
            parts.append(self._one(TALK, "agent_ask" if draw() < 0.6 else "agent_wait", product))
        return "，".join(parts).format_map(_Slots(self, product, city, team))

    def solution(self, subtype: int, product: int, city: str) -> str:
        """An agent's last words."""
        text = self._one(PHRASES[SUBTYPES[subtype].code], "fix", product)
        if self._draw() < 0.6:
            text += "，" + self._one(TALK, "agent_end", product)
        return text.format_map(_Slots(self, product, city, ""))

    def talk(self, section: str, product: int, city: str, team: str = "", rough: bool = False) -> str:
        """A fragment of a section of ``TALK``; ``rough`` for customers' words."""
        text = self._one(TALK, section, product).format_map(_Slots(self, product, city, team))
        return self._roughen(text, "plain") if rough else text

    def said(self, section: str, product: int, city: str) -> str:
        """A comment to a rating: two or three fragments of a section of ``SOCIAL``."""
        draw = self._draw
        parts = self._some(SOCIAL, section, product, 2 + int(draw() * 1.7))
        is_bad = section.endswith("bad")
        if draw() < 0.25:
            parts.append(self._one(TALK, "close_angry" if is_bad else "close_polite", product))
        mood = "angry" if is_bad else "glad" if section.endswith("good") else "plain"
        return self._finish(parts, _Slots(self, product, city, ""), mood)

    def comment(self, subtype: int, product: int, city: str) -> str:
        """What someone dissatisfied adds to a rating: the case itself, shortly."""
        parts = self._some(SOCIAL, "csat_bad", product, 1 + int(self._draw() * 2))
        parts.append(self._one(PHRASES[SUBTYPES[subtype].code], "fact", product))
        return self._finish(parts, _Slots(self, product, city, ""), "angry")

    def complaint_post(self, subtype: int, product: int, city: str, is_review: bool) -> str:
        """A public complaint; reviews go without the manners of social networks."""
        draw, fragments = self._draw, PHRASES[SUBTYPES[subtype].code]
        parts = [self._one(fragments, name, product) for name in ("fact", "detail")]
        if draw() < 0.6:
            parts.append(self._one(fragments, "effect", product))
        slots = _Slots(self, product, city, "")
        if is_review:
            if draw() < 0.4:
                parts.insert(0, self._one(TALK, "open_angry" if draw() < 0.6 else "open_sarcastic", product))
            return self._finish(parts, slots, "angry")
        parts.insert(0, self._one(SOCIAL, "post_open", product))
        if draw() < 0.5:
            parts.append(self._one(SOCIAL, "post_end", product))
        text = self._finish(parts, slots, "angry")
        return f"{text} {self._one(SOCIAL, 'post_tag', product).format_map(slots)}" if draw() < 0.5 else text

    def praise(self, product: int, city: str) -> str:
        """A satisfied review."""
        draw = self._draw
        parts = self._some(SOCIAL, "good", product, 1 if draw() < 0.08 else 2 + int(draw() * 1.4))
        if draw() < 0.75:
            parts.insert(len(parts) if draw() < 0.8 else 0, self._one(SOCIAL, "good_more", product))
        return self._finish(parts, _Slots(self, product, city, ""), "glad")

    def middling(self, product: int, city: str) -> str:
        """A lukewarm review: something good, something so-so."""
        parts = [self._one(SOCIAL, "middling", product), self._one(SOCIAL, "good", product)]
        if self._draw() < 0.5:
            parts.reverse()
        if self._draw() < 0.4:
            parts.append(self._one(SOCIAL, "middling", product))
        return self._finish(parts, _Slots(self, product, city, ""), "plain")

    def question_post(self, product: int, city: str) -> str:
        """A public question before buying."""
        parts = [self._one(SOCIAL, "post_open", product), *self._some(SOCIAL, "ask_post", product, 2)]
        is_social = self._draw() < 0.4
        parts.append(self._one(SOCIAL if is_social else TALK, "post_end" if is_social else "close_polite", product))
        return self._finish(parts, _Slots(self, product, city, ""), "plain")

    def copied(self, random: Random) -> str:
        """The complaint that everybody pastes, with a word before or after it at most."""
        (text,), draw = SOCIAL["copied"][ANY], random.random()
        if draw < 0.25:
            return f"{random.choice(SOCIAL['copied_before'][ANY])}：{text}"
        return f"{text}，{random.choice(SOCIAL['copied_after'][ANY])}" if draw < 0.5 else text

    def advertising(self, random: Random) -> str:
        """What somebody sells under a brand's name."""
        return random.choice(SOCIAL["advertising"][ANY])

    def meme(self) -> str:
        """A joke about another brand."""
        parts = [self._one(SOCIAL, "meme", -1), self._one(SOCIAL, "meme_end", -1)]
        if self._draw() < 0.6:
            parts.append(self._one(SOCIAL, "meme", -1))
        if self._draw() < 0.3:
            parts.append(self._one(SOCIAL, "meme_end", -1))
        return self._finish(parts, _Slots(self, -1, self.pick(self._cities), ""), "plain")
