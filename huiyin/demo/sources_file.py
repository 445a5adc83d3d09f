"""The sources file that maps the demo company's systems to the raw contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from huiyin.demo.company import COMPANY
from huiyin.demo.vocabulary import (
    ACTION_STATUS_ZH,
    CHANNEL_ZH,
    EVENT_FIELD_ZH,
    IDENTIFIER_ZH,
    METRIC_ZH,
    PRIORITY_ZH,
    ROLE_ZH,
    STATUS_ZH,
    SUBTYPE_ZH,
    TAG_ZH,
    TYPE_ZH,
)

_YES_NO = {"是": "true", "否": "false"}


def _codes(words: dict[str, str]) -> dict[str, str]:
    return {word: code for code, word in words.items()}


_CHANNELS = _codes(CHANNEL_ZH)
_CHANGES = _codes(STATUS_ZH) | _codes(SUBTYPE_ZH) | _codes(TAG_ZH) | _codes(PRIORITY_ZH)
_VOICE_COLUMNS = {
    "feedback_id": "id", "channel": "platform", "text": "content", "likes": "like_count", "created_at": "publish_time",
    "product": "sku_name", "region": "area", "url": "link",
}  # fmt: skip

_SOURCES: dict[str, Any] = {
    "company": COMPANY,
    "timezone": "Asia/Shanghai",
    "sources": [
        {
            "name": "service_desk",
            "domain": "tickets",
            "kind": "files",
            "tables": [
                {
                    "entity": "tickets",
                    "path": "tickets/{date}/tickets.csv",
                    "columns": {
                        "ticket_id": "工单编号", "customer_ref": "客户标识", "channel": "渠道", "subject": "标题",
                        "body": "内容",
                        "created_at": "创建时间", "priority": "优先级", "problem_type": "问题大类",
                        "problem_subtype": "问题小类", "product": "产品", "region": "区域", "direction": "呼叫方向",
                        "parent_ticket_id": "父工单", "merged_into_ticket_id": "合并到", "is_test": "是否测试",
                    },
                    "values": {
                        "channel": _CHANNELS, "priority": _codes(PRIORITY_ZH), "problem_type": _codes(TYPE_ZH),
                        "problem_subtype": _codes(SUBTYPE_ZH), "direction": {"呼入": "inbound", "呼出": "outbound"},
                        "is_test": _YES_NO,
                    },
                },
                {
                    "entity": "ticket_events",
                    "path": "tickets/{date}/events.csv",
                    "columns": {
                        "event_id": "流水号", "ticket_id": "工单编号", "event_at": "发生时间", "field": "变更项",
                        "old_value": "原值", "new_value": "新值", "actor_ref": "操作人", "actor_role": "操作人角色",
                    },
                    "values": {
                        "field": _codes(EVENT_FIELD_ZH), "old_value": _CHANGES, "new_value": _CHANGES,
                        "actor_role": _codes(ROLE_ZH),
                    },
                },
                {
                    "entity": "messages",
                    "path": "tickets/{date}/messages.csv",
                    "columns": {
                        "message_id": "消息编号", "ticket_id": "工单编号", "author_ref": "发送人",
                        "author_role": "发送人角色",
                        "is_public": "是否公开", "body": "内容", "sent_at": "发送时间",
                    },
                    "values": {"author_role": _codes(ROLE_ZH), "is_public": _YES_NO},
                },
            ],
        },
        {
            "name": "crm",
            "domain": "crm",
            "kind": "sql",
            "url": "sqlite:///crm.db",
            "tables": [
                {
                    "entity": "customers",
                    "table": "kh_customer",
                    "cursor": "updated_at",
                    "columns": {
                        "customer_ref": "cust_no", "valid_from_at": "eff_from", "name": "cust_name",
                        "tier": "cust_level", "segment": "cust_group", "region": "sales_area",
                        "annual_revenue": "year_amount", "since_on": "join_date", "phone": "mobile", "email": "mail",
                        "wechat": "wx_id",
                    },
                    "values": {"tier": {"VIP": "vip", "普通": "regular"}},
                },
                {
                    "entity": "agents",
                    "table": "kf_agent",
                    "cursor": "updated_at",
                    "columns": {
                        "agent_ref": "job_no", "valid_from_at": "eff_from", "team": "group_name", "role": "post",
                        "hired_on": "entry_date", "skills": "skill_tags",
                    },
                },
                {
                    "entity": "rosters",
                    "table": "kf_roster",
                    "cursor": "updated_at",
                    "columns": {"agent_ref": "job_no", "starts_at": "begin_time", "ends_at": "end_time"},
                },
            ],
        },
        {
            "name": "member_center",
            "domain": "crm",
            "kind": "files",
            "tables": [
                {
                    "entity": "identifiers",
                    "path": "accounts/bindings-{date}.csv",
                    "columns": {
                        "customer_ref": "账号", "identifier_kind": "标识类型", "identifier": "标识",
                        "seen_at": "绑定时间",
                    },
                    "values": {"identifier_kind": _codes(IDENTIFIER_ZH)},
                },
            ],
        },
        {
            "name": "knowledge_base",
            "domain": "crm",
            "kind": "files",
            "expected_every_hours": 8760,
            "tables": [
                {
                    "entity": "articles",
                    "path": "knowledge/articles.csv",
                    "columns": {
                        "article_id": "条目编号", "title": "标题", "body": "正文", "url": "链接",
                        "is_published": "是否发布", "updated_at": "更新时间",
                    },
                    "values": {"is_published": _YES_NO},
                },
            ],
        },
        {
            "name": "improvement_ledger",
            "domain": "crm",
            "kind": "files",
            "tables": [
                {
                    "entity": "actions",
                    "path": "actions.xlsx",
                    "columns": {
                        "action_id": "措施编号", "measure": "改进措施", "scope_key": "针对范围", "metric": "评价指标",
                        "owner": "责任人", "team": "责任部门", "started_on": "开始日期", "due_on": "计划完成",
                        "done_on": "实际完成", "status": "状态", "progress_percent": "进度(%)",
                        "target_change_ratio": "目标变化", "note": "备注",
                    },
                    "values": {"metric": _codes(METRIC_ZH), "status": _codes(ACTION_STATUS_ZH)},
                },
            ],
        },
        {
            "name": "social",
            "domain": "social",
            "kind": "files",
            "tables": [
                {
                    "entity": "feedback",
                    "path": "social/posts-{date}.jsonl",
                    "columns": _VOICE_COLUMNS | {"customer_ref": "author_id"},
                    "values": {"channel": _CHANNELS},
                    "constants": {"kind": "post"},
                },
                {
                    "entity": "feedback",
                    "path": "social/reviews-{date}.jsonl",
                    "columns": _VOICE_COLUMNS | {"score": "stars", "customer_ref": "buyer"},
                    "values": {"channel": _CHANNELS},
                    "constants": {"kind": "review", "scale_min": "1", "scale_max": "5"},
                },
            ],
        },
        {
            "name": "surveys",
            "domain": "social",
            "kind": "files",
            "tables": [
                {
                    "entity": "feedback",
                    "path": f"surveys/{kind}-{{date}}.parquet",
                    "columns": {
                        "feedback_id": "答卷编号", "ticket_id": "工单编号", "customer_ref": "客户标识", "score": "评分",
                        "text": "意见", "product": "产品", "region": "区域", "created_at": "提交时间",
                    },
                    "constants": {
                        "kind": kind, "channel": "survey", "scale_min": str(low), "scale_max": str(high),
                    },
                }
                for kind, low, high in (("csat", 1, 5), ("nps", 0, 10))
            ],
        },
    ],
}  # fmt: skip


class _Plain(yaml.SafeDumper):
    """YAML without anchors: people read this file as an example."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def write_sources_file(file: Path) -> None:
    """Write ``sources.yml`` anew."""
    text = yaml.dump(_SOURCES, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=100)
    file.write_text(f"# 和风家电（演示公司）的数据来源；各键的说明见 docs/sources.md\n{text}", encoding="utf-8")
