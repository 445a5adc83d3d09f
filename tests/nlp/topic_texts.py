"""A small made company whose texts fall into known subjects, worded freely enough that none has a fixed phrase."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBJECTS: dict[str, tuple[list[str], list[str], list[str]]] = {
    "refund": (
        ["退款申请", "退货的钱", "这笔退款", "退款进度"],
        ["等了十几天", "一个多月了", "催了三次", "客服说审核中"],
        ["还没到账", "钱一直没退回来", "卡在财务那里", "银行卡没收到退款"],
    ),
    "logistics": (
        ["快递", "包裹", "物流信息", "我买的冰箱"],
        ["停在中转站", "五天没更新", "派送员不接电话", "显示派送中"],
        ["一直没送到", "就是不派送", "不知道丢哪了", "物流太慢"],
    ),
    "login": (
        ["APP更新后", "新版本", "手机客户端", "账号"],
        ["登录不上", "验证码收不到", "一直闪退", "密码正确却进不去"],
        ["重装也没用", "提示网络错误", "卡在登录页面", "白屏"],
    ),
    "leak": (
        ["净水器", "洗衣机", "热水器", "厨房的净饮机"],
        ["底部漏水", "接口渗水", "滴水不止", "水管爆了"],
        ["地板泡坏了", "柜子发霉", "楼下都渗下去了", "拿盆接着"],
    ),
    "installer": (
        ["安装师傅", "上门的师傅", "空调安装", "预约安装"],
        ["迟到三小时", "改了两次时间", "乱收高空费", "没打招呼就爽约"],
        ["让我白等一天", "电话不接", "装完不试机", "墙打歪了"],
    ),
}
NEW_SUBJECT = (
    ["电子发票", "增值税发票", "开票", "公司抬头"],
    ["税号开错了", "申请半个月没开", "邮箱没收到", "金额不对"],
    ["财务没法报销", "要求重开", "月底入账来不及", "红冲太慢"],
)


def texts_of(parts: tuple[list[str], list[str], list[str]], count: int, seed: int) -> list[str]:
    """Different texts of one subject."""
    generator = random.Random(seed)
    openings = ["", "你好，", "急！", "请问", "那个", "真是服了，", "家里老人用，", "双11买的，"]
    endings = ["", "！", "，谁管", "，麻烦处理", "，给个说法", "。。。", "，谢谢", "😡"]
    found: dict[str, None] = {}
    while len(found) < count:
        middle = generator.sample(parts[1], generator.choice([1, 2]))
        words = [generator.choice(parts[0]), *middle, generator.choice(parts[2])]
        found[generator.choice(openings) + "，".join(words) + generator.choice(endings)] = None
    return list(found)


def company(count: int, seed: int, subjects: dict[str, tuple[list[str], list[str], list[str]]]) -> dict[str, str]:
    """voice id → text, ``count`` of each subject; the id begins with the subject."""
    return {
        f"{name}:{seed}:{number}": text
        for name, parts in subjects.items()
        for number, text in enumerate(texts_of(parts, count, seed))
    }


def write_voices(voices: dict[str, str | None], file: Path) -> Path:
    """A hand-over file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"voice_id": list(voices), "text": pa.array(list(voices.values()), pa.string())}), file)
    return file
