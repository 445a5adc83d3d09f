"""A small service desk whose questions, answers and troubles are known."""

from __future__ import annotations

from itertools import cycle

QUESTIONS: dict[str, list[str]] = {
    "发票": [
        "怎么开电子发票",
        "请问电子发票如何开具",
        "想开电子发票,在哪里开?",
        "电子发票怎么申请",
        "我要电子发票,怎么弄",
        "请问如何开电子发票呢",
    ],
    "滤芯": [
        "净水器滤芯怎么更换",
        "请问净水器的滤芯如何换",
        "净水器换滤芯怎么操作",
        "滤芯怎么拆下来换,净水器的",
        "净水器滤芯更换步骤是怎样的",
        "如何更换净水器的滤芯?",
    ],
    "联网": [
        "空调怎么连接手机WiFi",
        "请问空调如何连WiFi",
        "空调怎么连上家里的WiFi",
        "如何用手机给空调连接WiFi",
        "空调WiFi怎么连",
        "手机怎么连接空调的无线网WiFi?",
    ],
    "密码": [
        "忘记登录密码怎么找回",
        "登录密码忘了怎么办",
        "请问如何找回登录密码",
        "密码忘记了,怎么重新设置登录密码",
        "怎么修改登录密码",
        "登录密码怎么重置",
    ],
}
ANSWERS: dict[str, list[str]] = {
    "发票": [
        "打开App进入我的订单,点申请开票,填写抬头和税号后提交,两小时内发到邮箱。",
        "在App我的订单里点申请开票,填好抬头税号提交即可,电子发票会发到邮箱。",
    ],
    "滤芯": [
        "先关闭进水阀,逆时针旋下旧滤芯,换上新滤芯顺时针拧紧,再冲洗五分钟。",
        "关掉进水阀,把旧滤芯逆时针拧下来,新滤芯顺时针装上拧紧,冲洗五分钟就可以用。",
    ],
    "联网": [
        "长按遥控器的WiFi键五秒,等图标闪烁后在App里点添加设备,选空调并输入家里WiFi密码。",
        "遥控器长按WiFi键五秒,图标闪了以后打开App添加设备,选择空调,输入WiFi密码。",
    ],
    "密码": [
        "在登录页点忘记密码,输入手机号收验证码,就可以设置新密码。",
        "登录页面点击忘记密码,用手机号接收验证码后设置新密码即可。",
    ],
}
WRONG = "这个我们这边处理不了,建议您自己上网搜索一下解决方法看看。"
OTHERS = [
    "我的快递到哪了",
    "怎么还不发货",
    "空调漏水,请派人来修",
    "师傅态度很好,谢谢",
    "什么时候退款到账",
    "等了三天没人联系我",
]


def tickets(times: int = 3) -> tuple[list[dict[str, str]], list[dict[str, str]], dict[str, str]]:
    """Tickets, the messages in them, and the subject of each ticket that asks how something is done."""
    rows: list[dict[str, str]] = []
    messages: list[dict[str, str]] = []
    subject_of: dict[str, str] = {}

    def add(text: str, answer: str, minutes: int, reopened: bool) -> str:
        ticket = f"T{len(rows):04}"
        rows.append(
            {
                "ticket_id": ticket,
                "text": text,
                "agent_minutes": str(minutes),
                "is_solved": "1",
                "reopen_count": str(int(reopened)),
            }
        )
        said = [
            ("customer", text),
            ("agent", f"您好,工号{len(rows)}很高兴为您服务,请问有什么可以帮您?"),
            ("agent", f"{answer}\n感谢您的支持,祝您生活愉快,欢迎再次咨询我们!"),
        ]
        messages.extend({"ticket_id": ticket, "author_kind": who, "text": what} for who, what in said)
        return ticket

    for subject, wordings in QUESTIONS.items():
        answers = cycle(ANSWERS[subject])
        for number in range(times * len(wordings)):
            text = f"你好。{wordings[number % len(wordings)]}" if number % 3 == 0 else wordings[number % len(wordings)]
            # A third of the tickets got no answer worth keeping, and were reopened.
            is_bad = number % 3 == 2
            ticket = add(text, WRONG if is_bad else next(answers), 12 if subject == "滤芯" else 4, is_bad)
            subject_of[ticket] = subject
    for number, text in enumerate(OTHERS * times):
        add(text, f"您的问题{number}已经记录,会有专人跟进处理。", 4, False)
    return rows, messages, subject_of
