"""A published mart with known incidents, made by hand: only what the loop reads is filled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from mart_fixture import _TYPES, MARTS

FIRST_ON = date(2025, 1, 1)
REGIONS = ("华东", "华南", "西南", "华北")
SUBTYPES = ("logistics_delay", "refund_slow", "product_leak", "invoice", "login_failure", "repair_slow")
TEAMS = {"logistics_delay": "物流组", "refund_slow": "退款组", "product_leak": "维修组", "invoice": "退款组",
         "login_failure": "技术支持组", "repair_slow": "维修组"}  # fmt: skip
WORDS = {"logistics_delay": "快递三天没动静", "refund_slow": "退款还没到账", "product_leak": "机器底下一滩水",
         "invoice": "发票抬头开错了", "login_failure": "验证码收不到登不上", "repair_slow": "师傅说等配件"}  # fmt: skip
WEEK = np.array([1.15, 1.1, 1.05, 1.0, 1.0, 0.8, 0.7])


@dataclass(frozen=True)
class Incident:
    """Tickets of a subtype (in one region, or everywhere) are multiplied from day to day (both inclusive)."""

    subtype: str
    from_on: date
    to_on: date
    factor: float
    region: str | None = None


@dataclass(frozen=True)
class Meme:
    """So many posts a day of a topic that no ticket is about: a stranger's joke, or customers' complaint."""

    from_on: date
    to_on: date
    posts_a_day: int
    by_customers: bool = False


def publish(
    file: Path,
    until_on: date,
    incidents: tuple[Incident, ...] = (),
    *,
    meme: Meme | None = None,
    actions: tuple[dict[str, object], ...] = (),
    a_day: float = 1.5,
    seed: int = 11,
) -> None:
    """Write the mart file with tickets, voices and ratings of every day up to ``until_on``.

    Days draw their random numbers by themselves, so that a mart up to an earlier day is the beginning of a later one.
    """
    tickets, posts = [], []
    for index in range((until_on - FIRST_ON).days + 1):
        day = FIRST_ON + timedelta(days=index)
        generator = np.random.default_rng([seed, index])
        for subtype in SUBTYPES:
            for region in REGIONS:
                mean = a_day * WEEK[day.weekday()]
                for incident in incidents:
                    inside = incident.from_on <= day <= incident.to_on and incident.subtype == subtype
                    if inside and incident.region in (None, region):
                        mean *= incident.factor
                for number in range(generator.poisson(mean)):
                    key = f"{day:%m%d}-{subtype}-{region}-{number}"
                    customer = int(generator.integers(0, 900))
                    tickets.append(
                        (key, day, subtype, region, customer, float(generator.gamma(2.0, 6.0)), generator.random())
                    )
        extra = meme.posts_a_day if meme and meme.from_on <= day <= meme.to_on else 0
        for number in range(generator.poisson(1.0 + extra)):
            posts.append((f"P{day:%m%d}-{number}", day))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema mart")
        for table, columns in MARTS.items():
            typed = [column.partition(":") for column in columns.split()]
            connection.execute(
                f"create table mart.{table} ({', '.join(f'{name} {_TYPES[kind]}' for name, _, kind in typed)})"
            )
        frame = pd.DataFrame(tickets, columns=["key", "day", "subtype", "region", "customer", "hours", "draw"])  # noqa: F841
        teams = pd.DataFrame({"subtype": list(TEAMS), "team": list(TEAMS.values()), "words": [WORDS[s] for s in TEAMS]})  # noqa: F841
        feed = pd.DataFrame(posts, columns=["key", "day"])  # noqa: F841
        connection.execute(
            "insert into mart.fct_tickets by name select 'desk:' || key as ticket_key, 'desk' as source,"
            " key as ticket_id, 'C' || customer as customer_ref,"
            " case when customer % 10 = 0 then 'vip' else 'regular' end as customer_tier,"
            " (customer % 50) * 1000.0 as annual_revenue, 'phone' as channel, 'process' as problem_type,"
            " f.subtype as problem_subtype, region, team, words || ',' || key as body, cast(day as date) as created_on,"
            " cast(day as timestamp) + interval 3 hour as created_at, 400 as agent_tenure_days,"
            " cast(hours * 3600 as bigint) as resolution_business_seconds, true as is_solved"
            " from frame f join teams t on t.subtype = f.subtype"
        )
        connection.execute(
            "insert into mart.fct_feedback by name select 'desk:F' || key as feedback_key, 'desk' as source,"
            " 'F' || key as feedback_id, 'csat' as kind, key as ticket_id, 'C' || customer as customer_ref, region,"
            " f.subtype as problem_subtype, team, case when draw < 0.05 then 1.0 else 5.0 end as csat_score,"
            " draw >= 0.05 as is_satisfied, cast(day as date) as created_on,"
            " cast(day as timestamp) as created_at, 400 as agent_tenure_days"
            " from frame f join teams t on t.subtype = f.subtype where draw < 0.4"
        )
        connection.execute(
            "insert into mart.fct_sentiment by name select 'ticket:desk:' || ticket_id as voice_id,"
            " 'ticket' as voice_kind, source, ticket_id, customer_ref, customer_tier, annual_revenue, channel,"
            " problem_type, problem_subtype, region, team, body as text, created_at as occurred_at,"
            " created_on as occurred_on, 0.1 as sentiment_score, 'negative' as sentiment_label,"
            " case problem_subtype when 'logistics_delay' then 1 when 'refund_slow' then 2 else 3 end as topic_id,"
            " false as is_noise, true as is_counted"
            " from mart.fct_tickets"
        )
        connection.execute(
            "insert into mart.fct_sentiment by name select 'feedback:feed:' || key as voice_id, 'post' as voice_kind,"
            " 'feed' as source, key as feedback_id, 'weibo' as channel, '友商广告笑死 ' || key as text,"
            " case when $own then 'C' || day_number % 40 end as customer_ref,"
            " case when $own then 'regular' end as customer_tier,"
            " cast(day as timestamp) as occurred_at, cast(day as date) as occurred_on, 0.7 as sentiment_score,"
            " case when $own then 'negative' else 'positive' end as sentiment_label, 9 as topic_id,"
            " false as is_noise, true as is_counted"
            " from (select *, row_number() over () as day_number from feed)",
            {"own": bool(meme and meme.by_customers)},
        )
        connection.execute("insert into mart.dim_topic by name select unnest([1, 2, 3, 9]) as topic_id,"
                           " unnest(['物流', '退款', '其他', '友商']) as label")  # fmt: skip
        connection.execute(
            "insert into mart.dim_date by name select cast(d as date) as date_day, 'workday' as day_kind"
            f" from generate_series(date '{FIRST_ON}', date '{until_on}', interval 1 day) t(d)"
        )
        for action in actions:
            row = pd.DataFrame([action])  # noqa: F841
            connection.execute("insert into mart.fct_actions by name select * from row")
