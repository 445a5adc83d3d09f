"""Columns beyond the contract, kept masked as JSON in ``_extra`` (sources with ``drift: evolve``)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from ingest.masking import Masker, mask_texts

How = Literal["identifier", "name", "free_text"]

_NAME = re.compile(
    r"姓名|名字|昵称|称呼|联系人|收件人|收货人|寄件人|客户名|用户名|会员名|户名|nick|realname|contact|(?<!file)name\b"
)
# Names of things, as far as they are usual.
_THING = re.compile(
    r"\b(?:file|product|item|goods|sku|spu|brand|shop|store|channel|group|team|department|dept|tag|topic|category|type"
    r"|app|page|event|field|form|brand|campaign|status|city|province|country|company|model)[_. ]?name\b"
    r"|(?:产品|商品|品牌|店铺|门店|渠道|团队|部门|标签|分类|类型|活动|状态|公司|文件|型号)名"
)
_IDENTIFIER = re.compile(
    r"电话|手机|联系方式|座机|传真号|邮箱|邮件地址|身份证|证件|护照|驾照|微信|微博|抖音号|小红书号|账号|帐号|卡号|银行卡|车牌"
    r"|地址|住址|住所|收货地|生日|出生|设备号|经度|纬度|工号|坐席|员工编号"
    r"|(?:客户|会员|用户|买家|顾客|提问人|作者)(?:编号|号|id|标识)"
    r"|(?:customer|client|user|member|buyer|requester|author|submitter|assignee|agent|visitor|contact|person)"
    r"_?(?:id|no|nr|ref|number|code|key)\b|\buid\b"
    r"|\b(?:tel|mobile|cell|fax|qq|ip|imei|idfa|oaid|mac|lat|lng|lon|dob|ssn)\b"
    r"|phone|telephone|e-?mail|address|\baddr\b|street|passport|id_?card|identity|wechat|weixin|weibo|open_?id|union_?id"
    r"|account|card_?(?:no|number)|plate|device_?id|birth|latitude|longitude|\bgps\b"
)


def how_masked(column: str) -> How:
    """What a column's name, Chinese or English, says about its values: identifiers and names of persons become
    pseudonyms; everything else is searched as free text."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column).casefold()
    # `_` joins words for \\b; split there.
    split = words.replace("_", " ")
    if _IDENTIFIER.search(words) or _IDENTIFIER.search(split):
        return "identifier"
    if _THING.search(words) or _THING.search(split):
        return "free_text"
    return "name" if _NAME.search(words) or _NAME.search(split) else "free_text"


def extra_values(rows: pa.Table, masker: Masker) -> pa.Array:
    """The text columns of each row, masked, as one JSON object; NULL where all of them are empty."""
    masked = {name: _masked(rows.column(name), how_masked(name), masker) for name in sorted(rows.column_names)}
    values = []
    for row in zip(*masked.values(), strict=True):
        filled = {name: value for name, value in zip(masked, row, strict=True) if value}
        values.append(json.dumps(filled, ensure_ascii=False) if filled else None)
    return pa.array(values, pa.string())


def _masked(column: pa.ChunkedArray, how: How, masker: Masker) -> list[str | None]:
    texts = pc.utf8_trim_whitespace(column)
    if how == "free_text":
        searched: list[str | None] = mask_texts(texts).to_pylist()
        return searched
    pseudonym: Callable[[str], str] = masker.pseudonym if how == "identifier" else masker.name
    return [pseudonym(text) if text else None for text in texts.to_pylist()]
