"""What Chinese help desks, CRMs and surveys usually call the contract's fields and values.

Words are separated by white space, the more telling ones first. ``recognition.py`` says how they are used; companies
add their own names under ``aliases`` in the sources file, values under a table's ``values``.
"""

from __future__ import annotations

_CUSTOMER = (
    "客户编号 客户号 客户id 客户代码 会员号 会员编号 会员卡号 会员id 用户编号 用户id 用户号 顾客编号 买家id "
    "客户账号 用户账号"
)
_CHANNEL = (
    "渠道 渠道来源 来源渠道 受理渠道 来电渠道 服务渠道 反馈渠道 进线渠道 联系渠道 工单来源 提交渠道 诉求来源 来源"
)
_PRODUCT = "产品 产品名称 产品型号 商品 商品名称 机型 型号 产品类别 产品品类 sku"
_REGION = "地区 区域 所属区域 所属地区 大区 省份 城市 省市 所在地区 所在城市"
_AGENT = "坐席工号 客服工号 员工工号 工号 员工编号 坐席编号 客服编号 坐席id 客服id 坐席 客服 客服人员"
_TICKET = (
    "工单编号 工单号 工单id 工单号码 工单流水号 服务单号 服务工单号 诉求编号 投诉编号 受理编号 受理单号 "
    "案件编号 事件编号 服务请求编号"
)

# Entity: field: usual names of its column.
COLUMNS: dict[str, dict[str, str]] = {
    "tickets": {
        "ticket_id": _TICKET + " 单号 流水号 编号",
        "customer_ref": _CUSTOMER + " 手机号 手机号码 联系电话 客户电话 来电号码 主叫号码 联系方式 电话 openid",
        "channel": _CHANNEL,
        "subject": "标题 主题 工单标题 工单主题 诉求标题 投诉标题 问题标题 概要 摘要",
        "body": (
            "问题描述 工单内容 内容 描述 详细描述 诉求内容 投诉内容 反馈内容 问题内容 来电内容 详情 受理内容 "
            "咨询内容"
        ),
        "created_at": (
            "创建时间 建单时间 工单创建时间 提交时间 受理时间 来电时间 登记时间 发起时间 反馈时间 投诉时间 "
            "诉求时间 创建日期"
        ),
        "priority": "优先级 紧急程度 优先程度 紧急度 工单优先级 重要程度",
        "problem_type": "问题大类 问题类型 工单类型 问题一级分类 一级分类 诉求类型",
        "problem_subtype": "问题分类 问题小类 问题二级分类 二级分类 问题子类 工单分类 问题类别 诉求分类",
        "product": _PRODUCT,
        "region": _REGION,
        "direction": "呼叫方向 呼叫类型 通话方向 方向",
        "parent_ticket_id": "父工单号 父工单编号 父工单id 上级工单 关联工单 主工单号",
        "merged_into_ticket_id": "合并至 合并到 合并工单号 合并至工单",
        "is_test": "是否测试 测试工单 是否测试工单",
    },
    "ticket_events": {
        "event_id": "日志编号 记录编号 流水号 操作编号 日志id 记录id 操作id 流转编号",
        "ticket_id": _TICKET,
        "event_at": "操作时间 变更时间 流转时间 处理时间 更新时间 记录时间 时间",
        "field": "字段 变更字段 操作字段 变更项 字段名 变更类型",
        "old_value": "原值 变更前 旧值 修改前 原内容",
        "new_value": "新值 变更后 修改后 新内容",
        "actor_ref": "操作人工号 操作人 处理人工号 处理人 操作员 经办人 " + _AGENT,
        "actor_role": "操作人类型 操作人角色 操作者类型 角色",
    },
    "messages": {
        "message_id": "消息编号 消息id 记录编号 回复编号 回复id 沟通编号 流水号",
        "ticket_id": _TICKET + " 会话编号 会话id",
        "author_ref": "发送人编号 发送人id 发送人 发送者 回复人工号 回复人 作者",
        "author_role": "发送人类型 发送者类型 发送方 发送人角色 消息来源 角色 回复人类型",
        "is_public": "是否公开 公开 客户可见 是否客户可见",
        "body": "消息内容 内容 回复内容 聊天内容 沟通内容 备注内容",
        "sent_at": "发送时间 消息时间 回复时间 沟通时间 时间 创建时间",
    },
    "customers": {
        "customer_ref": _CUSTOMER,
        "valid_from_at": "更新时间 生效时间 变更时间 修改时间 最后更新时间 建档时间 创建时间",
        "name": "客户姓名 姓名 客户名称 会员姓名 用户姓名 联系人 联系人姓名 会员名称",
        "tier": "客户等级 会员等级 客户级别 会员级别 用户等级 等级 是否vip vip等级",
        "segment": "客户类型 客户分类 客户群 客户细分 用户类型 会员类型",
        "region": _REGION,
        "annual_revenue": "年消费额 年度消费 年消费金额 年收入贡献 累计消费 年销售额",
        "since_on": "注册日期 注册时间 入会日期 入会时间 开户日期 首次购买日期 成为客户日期",
        "churned_on": "流失日期 注销日期 销户日期 退会日期 解约日期 离网日期",
        "phone": "手机号 手机号码 手机 联系电话 电话 电话号码 联系方式 移动电话",
        "email": "邮箱 电子邮箱 邮件 邮箱地址 电子邮件 e-mail",
        "wechat": "微信号 微信 微信openid openid unionid 微信id",
    },
    "identifiers": {
        "customer_ref": _CUSTOMER,
        "identifier_kind": "标识类型 账号类型 联系方式类型 类型",
        "identifier": "标识 账号 联系方式 标识值 号码",
        "seen_at": "最近使用时间 绑定时间 更新时间 最后登录时间",
    },
    "agents": {
        "agent_ref": _AGENT,
        "valid_from_at": "更新时间 生效时间 变更时间 调岗时间 入职时间 入职日期",
        "team": "班组 团队 受理组 技能组 组别 部门 所属部门 所属班组 小组",
        "role": "岗位 职位 角色 职务",
        "hired_on": "入职日期 入职时间 到岗日期",
        "skills": "技能 技能标签 擅长",
    },
    "rosters": {
        "agent_ref": _AGENT,
        "starts_at": "上班时间 开始时间 班次开始 排班开始时间",
        "ends_at": "下班时间 结束时间 班次结束 排班结束时间",
    },
    "feedback": {
        "feedback_id": "评价编号 评价id 反馈编号 反馈id 问卷编号 答卷编号 评论id 评论编号 序号 编号 答卷id",
        "kind": "反馈类型 评价类型 类型 数据类型",
        "ticket_id": _TICKET,
        "customer_ref": _CUSTOMER + " 手机号 手机号码 联系电话 评价人 用户昵称 昵称",
        "score": "评分 满意度 满意度评分 分数 得分 打分 星级 评价等级 满意度得分 评价星级 满意度评价",
        "scale_min": "最低分 评分下限",
        "scale_max": "最高分 满分 评分上限",
        "text": "评价内容 反馈内容 评论内容 意见 意见建议 建议 评语 内容 留言 评论 正文",
        "channel": _CHANNEL + " 平台 评价渠道",
        "product": _PRODUCT,
        "region": _REGION,
        "url": "链接 网址 原文链接 帖子链接 url地址",
        "likes": "点赞数 点赞 赞数 有用数 获赞数",
        "created_at": "评价时间 反馈时间 评论时间 提交时间 发布时间 创建时间 填写时间 答卷时间 时间",
    },
    "articles": {
        "article_id": "条目编号 知识编号 知识条目编号 文章编号 知识id 文章id 条目id 知识点编号",
        "title": "标准问题 标准问 条目标题 知识标题 文章标题 标题 问题",
        "body": "标准答案 条目内容 知识内容 文章内容 正文 答案 内容",
        "url": "条目链接 知识链接 文章链接 链接 网址",
        "is_published": "是否发布 发布状态 是否启用 是否上架",
        "updated_at": "更新时间 修改时间 最后更新时间 发布时间",
    },
    "actions": {
        "action_id": "措施编号 行动编号 整改编号 编号 序号",
        "card_id": "卡片编号 改进卡编号 改进卡片编号",
        "measure": "改进措施 措施 整改措施 行动 措施内容 改进行动",
        "metric": "指标 改进指标 目标指标",
        "owner": "负责人 责任人",
        "team": "责任部门 负责部门 部门 责任团队",
        "started_on": "开始日期 启动日期 开始时间 开始",
        "due_on": "计划完成日期 截止日期 完成期限 计划完成时间 截止",
        "done_on": "实际完成日期 完成日期 实际完成时间",
        "status": "状态 进展状态",
        "progress_percent": "进度 完成进度 完成率 完成百分比",
        "note": "备注 说明",
    },
}  # fmt: skip

_CHANNELS = {
    "phone": "电话 热线 来电 400电话 电话热线 客服热线 呼叫中心 语音 12345热线 人工电话 电话渠道",
    "web_chat": "在线客服 网页 在线 网站 官网 网页聊天 在线咨询 网页客服 官网客服 pc端",
    "wechat": "微信 微信公众号 公众号 微信小程序 小程序 企业微信 微信客服 微信渠道",
    "app": "APP 手机应用 客户端 移动端 手机APP APP端 安卓 苹果",
    "email": "邮件 邮箱 电子邮件",
    "web_form": "表单 网页表单 在线表单 网页留言 留言板 官网留言",
    "weibo": "微博 新浪微博",
    "douyin": "抖音",
    "xiaohongshu": "小红书",
    "app_store": "应用商店 应用市场 AppStore 苹果商店 安卓市场",
    "ecommerce": "电商 淘宝 天猫 京东 拼多多 电商平台 网店 商城",
    "forum": "论坛 社区 贴吧 知乎 黑猫投诉",
    "survey": "问卷 调查 问卷调查 回访 满意度调查",
}
_STATUSES = {
    "new": "新建 待受理 未受理 未处理 待分配 新工单 待领取 尚未受理",
    "open": "处理中 受理中 已受理 进行中 已分配 待处理 跟进中 已打开 重新打开 待跟进",
    "pending": "等待客户 待客户回复 待用户反馈 等待客户回复 待反馈 等待回复 待确认 待客户确认",
    "on_hold": "挂起 暂停 已挂起 已暂停 等待第三方 等待配件",
    "solved": "已解决 已处理 已完成 已办结 处理完成 解决 办结 完成 已回复",
    "closed": "已关闭 关闭 已归档 归档 已结案 结案 已评价",
}
_PRIORITIES = {
    "urgent": "紧急 特急 非常紧急 加急 最高 p0 重大 特别紧急",
    "high": "高 较高 急 重要 p1 较急",
    "medium": "中 普通 一般 正常 p2 中等 标准",
    "low": "低 较低 不急 p3 不紧急",
}
_ROLES = {
    "customer": "客户 用户 访客 买家 顾客 会员 来电人 市民",
    "agent": "坐席 客服 人工 人工客服 员工 客服人员 处理人 工程师",
    "bot": "机器人 智能客服 智能机器人 AI 智能助手",
    "system": "系统 自动 系统自动 系统消息",
}
_TYPES = {
    "product": "产品 产品质量 质量 产品问题 质量问题 商品质量",
    "service": "服务 服务态度 服务问题 服务质量",
    "process": "流程 流程问题 物流 规则 政策",
    "communication": "沟通 沟通问题 信息 宣传 告知",
}
# Entity: field: contract value: usual values of sources.
VALUES: dict[str, dict[str, dict[str, str]]] = {
    "tickets": {
        "channel": _CHANNELS,
        "priority": _PRIORITIES,
        "problem_type": _TYPES,
        "direction": {"inbound": "呼入 来电 进线 客户来电", "outbound": "呼出 外呼 去电 回访 主动外呼"},
    },
    "ticket_events": {
        "field": {
            "status": "状态 工单状态 状态变更",
            "assignee": "处理人 受理人 负责人 经办人 指派人 受理客服",
            "team": "受理组 处理组 技能组 部门 班组 处理部门 团队",
            "priority": "优先级 紧急程度",
            "problem_subtype": "问题分类 工单分类 问题小类",
            "tag": "标签",
            "knowledge_article": "知识库文章 知识 知识条目 引用知识 关联知识",
            "schedule": "服务时间 日程",
        },
        "actor_role": _ROLES,
    },
    "messages": {"author_role": _ROLES},
    "customers": {
        "tier": {
            "vip": "贵宾 会员VIP VIP客户 VIP会员 钻石 钻石会员 白金 白金会员 大客户 重要客户 金卡",
            "regular": "普通 普通客户 普通会员 一般客户 非会员",
        }
    },
    "identifiers": {
        "identifier_kind": {
            "phone": "手机号 手机 电话 手机号码",
            "email": "邮箱 电子邮箱 邮件",
            "wechat": "微信 微信号 openid unionid",
            "app_account": "APP账号 账号 会员账号 用户名",
            "handle": "昵称 微博昵称 社交账号",
            "device": "设备号 设备",
        }
    },
    "feedback": {
        "channel": _CHANNELS,
        "kind": {
            "csat": "满意度 满意度评价 服务评价 满意度评分 坐席评价",
            "nps": "净推荐值 推荐度 推荐意愿",
            "survey": "问卷 调查 问卷调查 调研",
            "review": "评论 商品评价 用户评价 评价 应用评论",
            "post": "帖子 微博 笔记 社交 发帖 动态",
        },
        "score": {
            "5": "非常满意 很满意 五星 5星",
            "4": "满意 比较满意 四星 4星",
            "3": "一般 基本满意 三星 3星",
            "2": "不满意 不太满意 二星 2星 两星",
            "1": "非常不满意 很不满意 一星 1星",
        },
    },
    "actions": {
        "status": {
            "planned": "计划中 未开始 待启动 计划",
            "in_progress": "进行中 实施中 整改中 推进中",
            "done": "已完成 完成 已上线",
            "cancelled": "已取消 取消 终止",
        },
        "metric": {
            "ticket_count": "工单量 工单数 投诉量",
            "resolution_hours": "解决时长 处理时长",
            "csat_mean": "满意度 平均满意度",
            "negative_share": "负面占比 负面率",
        },
    },
}

# Field of an event: contract value: usual values before and after. A tag or a team may be called 加急 too, and stays.
EVENT_VALUES: dict[str, dict[str, str]] = {"status": _STATUSES, "priority": _PRIORITIES}
