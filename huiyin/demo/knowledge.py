"""The knowledge base of the demo company: what customers may look up, with some of what they ask again and again."""

from __future__ import annotations

import csv
from pathlib import Path

_HEADER = ["条目编号", "标题", "正文", "链接", "是否发布", "更新时间"]
# Numbers are those that agents link: the place of the problem subtype, then the entry's own.
_ARTICLES = (
    (
        "1201", "怎么换货、退货", "2024-06-18",
        "签收七天内且不影响二次销售的可以退换：在订单里点申请售后，上传照片和铭牌，质检后重发或退款。",
    ),
    (
        "1701", "滤芯多久换一次", "2024-03-05",
        "一般用6到12个月，水质偏硬的地区会短一些；以机身的滤芯提示灯为准，换好后长按复位键五秒。",
    ),
    (
        "1702", "洗羽绒服、羊毛衫用什么程序", "2024-03-05",
        "羽绒服选羽绒程序并用中性洗涤剂；羊毛衫选羊毛程序，不要烘干。",
    ),
    (
        "1703", "儿童锁怎么解除", "2025-02-20",
        "长按儿童锁图标三秒，听到提示音即解除；断电不会解锁。",
    ),
    (
        "1901", "电子发票怎么开", "2023-11-30",
        "在App的我的订单里点申请开票，填写抬头和税号；两小时内发到邮箱。",
    ),
    (
        "1902", "发票抬头开错了怎么改", "2023-11-30",
        "开票当月可以作废重开：在开票记录里点修改抬头；跨月的联系客服红冲。",
    ),
    (
        "2001", "保修多久", "2024-01-10",
        "整机一年、主要部件三年，从发票日期算起；在服务页输入机身序列号可以查到期日。",
    ),
    (
        "2002", "上门检测怎么收费", "2024-01-10",
        "保修期内免费；过保后按公示标准收取检测费，同意维修的抵扣维修费。",
    ),
    (
        "2101", "满减怎么算", "2025-05-15",
        "先减单品立减，再算店铺满减，最后用券；预售商品以尾款页面为准。",
    ),
)  # fmt: skip
_DRAFTS = {"1703"}


def write_articles(file: Path) -> None:
    """Write the entries anew, as the knowledge base exports them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_HEADER)
        writer.writerows(
            [f"KB-{number}", title, body, f"https://help.hefeng.example/kb/{number}",
             "否" if number in _DRAFTS else "是", f"{updated_on} 10:00:00"]
            for number, title, updated_on, body in _ARTICLES
        )  # fmt: skip
