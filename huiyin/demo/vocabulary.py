"""The Chinese words by which the demo company's systems name what the raw contract has codes for."""

from __future__ import annotations

CHANNEL_ZH = {
    "phone": "电话", "web_chat": "在线客服", "wechat": "微信", "app": "APP", "email": "邮件", "weibo": "微博",
    "douyin": "抖音", "xiaohongshu": "小红书", "app_store": "应用商店", "ecommerce": "电商评价", "forum": "论坛",
}  # fmt: skip
PRIORITY_ZH = {"urgent": "紧急", "high": "高", "medium": "中", "low": "低"}
TYPE_ZH = {"product": "产品", "service": "服务", "process": "流程", "communication": "沟通"}
ROLE_ZH = {"customer": "客户", "agent": "客服", "bot": "机器人", "system": "系统"}
EVENT_FIELD_ZH = {
    "status": "状态", "assignee": "受理人", "team": "受理组", "priority": "优先级", "problem_subtype": "问题小类",
    "tag": "标签", "knowledge_article": "知识条目",
}  # fmt: skip
STATUS_ZH = {
    "new": "新建", "open": "处理中", "pending": "待客户回复", "on_hold": "挂起", "solved": "已解决", "closed": "已关闭",
}  # fmt: skip
TAG_ZH = {"mis_operation": "误操作", "spam": "垃圾信息", "abandoned": "客户放弃"}
SUBTYPE_ZH = {
    "logistics_delay": "物流延误", "delivery_damage": "运输破损", "login_failure": "登录失败", "app_bug": "App故障",
    "installation_late": "安装不准时", "installation_quality": "安装质量", "repair_slow": "维修缓慢",
    "repair_quality": "维修质量", "agent_attitude": "客服态度", "no_response": "无人回应", "refund_slow": "退款缓慢",
    "return_exchange": "退换货", "product_leak": "产品漏水", "product_noise": "产品噪音", "product_fault": "产品故障",
    "network_setup": "配网困难", "usage_question": "使用咨询", "price_protection": "价格保护", "invoice": "发票",
    "warranty": "保修", "promotion_rules": "促销规则", "membership": "会员权益", "address_change": "修改地址",
    "information_inconsistent": "信息不一致",
}  # fmt: skip
IDENTIFIER_ZH = {"phone": "手机号", "email": "邮箱", "wechat": "微信", "handle": "社交账号", "other": "店铺账号"}
METRIC_ZH = {
    "ticket_count": "工单量", "resolution_hours": "解决时长", "csat_mean": "满意度", "negative_share": "负面占比",
}  # fmt: skip
ACTION_STATUS_ZH = {"planned": "计划中", "in_progress": "进行中", "done": "已完成", "cancelled": "已取消"}


def status_zh(status: str) -> str:
    """The desk's word for a status; empty stays empty."""
    return STATUS_ZH[status] if status else ""
