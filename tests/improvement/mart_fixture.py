"""A small published mart made by hand: every public mart of docs/architecture.md, plausible and reproducible.

No dbt needed. Aggregates are computed here from the facts in SQL of their own, so that readers of the mart can be
tested against figures that hang together.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

AS_OF = date(2025, 12, 31)

# table → columns as "name type"; d = date, t = timestamp, i = bigint, f = double, b = boolean, default = varchar
_TYPES = {"d": "DATE", "t": "TIMESTAMP", "i": "BIGINT", "f": "DOUBLE", "b": "BOOLEAN", "": "VARCHAR"}
MARTS: dict[str, str] = {
    "dim_date": "date_day:d year:i quarter:i month:i month_start_on:d week_start_on:d iso_week:i iso_weekday:i"
    " is_workday:b day_kind holiday_name campaign",
    "dim_customer": "customer_key customer_ref valid_from_at:t valid_to_at:t is_current:b tier segment region"
    " annual_revenue:f customer_since_on:d",
    "dim_agent": "agent_key agent_ref valid_from_at:t valid_to_at:t is_current:b team role hired_on:d",
    "dim_channel": "channel name_zh name_en medium is_registered:b",
    "dim_topic": "topic_id:i label keywords state born_on:d text_count:i model_version",
    "dim_service_window": "schedule_id window_start_at:t window_end_at:t business_seconds_before:i",
    "fct_tickets": "ticket_key source ticket_id customer_ref customer_tier customer_segment annual_revenue:f channel"
    " priority problem_type problem_subtype problem_subtype_zh stage product region team agent_ref"
    " agent_tenure_days:i subject body created_at:t created_on:d created_hour:i is_peak_hour:b status is_solved:b"
    " first_response_at:t first_response_seconds:i first_response_business_seconds:i first_bot_response_at:t"
    " first_resolved_at:t resolved_at:t first_resolution_seconds:i resolution_seconds:i"
    " resolution_business_seconds:i reopen_count:i transfer_count:i customer_message_count:i agent_message_count:i"
    " is_first_contact_resolved:b is_repeat_contact:b csat_score:f",
    "fct_ticket_events": "event_id source ticket_id event_at:t field old_value new_value actor_ref actor_role"
    " event_sequence:i seconds_since_previous:i",
    "fct_sla": "ticket_key source ticket_id sla_metric policy_id target_business_seconds:i started_at:t ended_at:t"
    " elapsed_business_seconds:i predicted_breach_at:t sla_state over_target_ratio:f severity created_on:d"
    " customer_tier priority channel problem_type problem_subtype region team",
    "fct_feedback": "feedback_key source feedback_id kind ticket_id customer_ref customer_tier channel product region"
    " team agent_ref agent_tenure_days:i problem_type problem_subtype score:f csat_score:f is_satisfied:b nps_score:f"
    " nps_group likes:i text created_at:t created_on:d",
    "fct_sentiment": "voice_id voice_kind source ticket_id feedback_id customer_ref customer_tier annual_revenue:f"
    " channel problem_type problem_subtype product region team text occurred_at:t occurred_on:d sentiment_score:f"
    " sentiment_label sentiment_model_version topic_id:i topic_similarity:f topic_model_version noise_kind noise_reason"
    " is_noise:b duplicate_of group_size:i account_count:i is_campaign:b is_counted:b",
    "fct_voice_opinions": "voice_id opinion_kind opinion_code opinion_zh polarity strength:f words customer_ref"
    " occurred_at:t occurred_on:d",
    "agg_drivers": "target driver_kind driver_column driver affected_count:i affected_share:f effect:f effect_low:f"
    " effect_high:f gain:f gain_low:f gain_high:f is_harmful:b is_certain:b sentence_zh computed_on:d",
    "agg_knowledge_gaps": "gap_id:i question state first_seen_on:d ticket_count:i previous_ticket_count:i"
    " change_ratio:f agent_minutes:f agent_time_share:f held_count:i support_count:i answer answer_ticket_key"
    " article_id article_title article_url draft computed_on:d",
    "fct_customer_risk": "customer_ref segment_zh risk:f risk_method priority:f reasons_zh customer_tier"
    " annual_revenue:f computed_on:d",
    "fct_topic_daily": "date_day:d topic_id:i voice_count:i text_count:i ticket_count:i negative_count:i"
    " customer_count:i vip_count:i likes:i",
    "fct_alerts": "alert_id rule_code metric scope_key scope_label severity state started_on:d fired_on:d"
    " resolved_on:d observed:f expected:f over_expected_ratio:f p_value:f window_days:i card_id note",
    "fct_cards": "card_id title scope_key scope_label metric problem_type problem_subtype root_cause_class state"
    " severity priority_score:f priority_version owner team opened_on:d due_on:d closed_on:d updated_at:t"
    " voice_count:i customer_count:i vip_share:f negative_share:f revenue_at_risk:f recurrence_count:i",
    "fct_actions": "action_id card_id measure scope_key metric owner team started_on:d due_on:d done_on:d status"
    " progress_percent:f target_change_ratio:f note",
    "fct_action_effects": "action_id evaluated_on:d metric baseline_from_on:d baseline_to_on:d evaluation_from_on:d"
    " evaluation_to_on:d baseline_mean:f observed_mean:f change_ratio:f change_ratio_low:f change_ratio_high:f"
    " p_value:f verdict knowable_on:d method",
    "agg_indicator_daily": "date_day:d indicator_code dimension dimension_value numerator:f denominator:f",
    "agg_indicator_summary": "period_kind period_start_on:d indicator_code indicator_zh unit formula data_source"
    " target_value:f target_direction actual_value:f observation_count:i previous_value:f year_ago_value:f"
    " is_target_met:b deviation_ratio:f is_volatile:b note",
    "agg_duration_distribution": "period_kind period_start_on:d dimension dimension_value duration_metric"
    " observation_count:i mean_business_minutes:f p50_business_minutes:f p90_business_minutes:f"
    " p95_business_minutes:f",
    "agg_composite_index": "period_kind period_start_on:d dimension dimension_value composite_index:f speed_points:f"
    " quality_points:f satisfaction_points:f previous_index:f year_ago_index:f is_volatile:b"
    " measured_weight_share:f observation_count:i note",
    "agg_composite_contribution": "period_kind period_start_on:d dimension dimension_value indicator_code"
    " indicator_zh indicator_group weight:f effective_weight:f actual_value:f target_value:f observation_count:i"
    " points:f contribution:f",
    "agg_problem_response": "period_start_on:d problem_type problem_type_zh ticket_count:i"
    " mean_first_response_minutes:f p50_first_response_minutes:f p90_first_response_minutes:f"
    " p95_first_response_minutes:f mean_handling_minutes:f p90_handling_minutes:f csat_mean:f csat_count:i"
    " main_delay_stage",
    "agg_action_tracking": "action_id card_id measure owner team started_on:d due_on:d done_on:d progress_percent:f"
    " status is_overdue:b effect_verdict effect_change_ratio:f note",
    "agg_ticket_reconciliation": "source reason ticket_count:i",
    "fct_demand_hourly": "month_start_on:d date_day:d hour_of_day:i channel problem_type open_seconds:i arrival_count:i"
    " ticket_count:i duplicate_count:i abandoned_count:i mis_operation_count:i",
    "fct_demand_forecast": "made_on:d date_day:d hour_of_day:i channel horizon_days:i expected_count:f low_count:i"
    " high_count:i actual_count:i error_count:f is_within_interval:b method is_backtest:b is_newest:b",
    "agg_forecast_accuracy": "made_on:d horizon_week:i channel is_backtest:b day_count:i actual_count:i"
    " expected_count:f bias_ratio:f wape:f naive_wape:f mape:f naive_mape:f within_interval_share:f",
    "fct_staffing_groups": "date_day:d hour_of_day:i staffing_group group_zh team method made_on:d expected_count:f"
    " handling_seconds:f load_erlangs:f required_positions:f required_agents:f service_level:f occupancy:f"
    " target_service_level:f target_seconds:f concurrency:f shrinkage:f",
    "fct_staffing": "date_day:d hour_of_day:i hour_start_at:t team made_on:d expected_count:f load_erlangs:f"
    " required_agents:i rostered_agents:f gap_agents:f",
}

SUBTYPES = (
    ("logistics_delay", "物流延误", "process", "物流组"),
    ("installation_late", "安装不准时", "service", "安装调度组"),
    ("refund_slow", "退款缓慢", "process", "售后财务组"),
    ("product_leak", "产品漏水", "product", "品质组"),
    ("login_failure", "登录失败", "product", "App 支持组"),
    ("usage_question", "使用咨询", "communication", "一线客服组"),
)
REGIONS = ("华东", "华南", "华北", "西南", "东北")
_INDICATORS = """
    ('ticket_count', '工单量', '件', '可报告工单数', 'fct_tickets', NULL, NULL),
    ('first_response_minutes', '首次响应时长', '分钟', '人工首次回复的营业时间合计 ÷ 有人工回复的工单数', 'fct_tickets', 120, 'at_most'),
    ('resolution_hours', '解决时长', '小时', '营业时间内解决时长合计 ÷ 已解决工单数', 'fct_tickets', 24, 'at_most'),
    ('resolution_sla_met_share', '解决 SLA 达成率', '%', '按时解决数 ÷ 已到期数', 'fct_sla', 0.9, 'at_least'),
    ('first_response_sla_met_share', '首次响应 SLA 达成率', '%', '按时响应数 ÷ 已到期数', 'fct_sla', 0.9, 'at_least'),
    ('first_contact_resolution_share', '一次解决率', '%', '一次解决工单数 ÷ 已解决工单数', 'fct_tickets', 0.7, 'at_least'),
    ('csat_mean', '满意度均分', '分', '评分合计 ÷ 评分份数', 'fct_feedback', 4.2, 'at_least'),
    ('nps', '净推荐值', '分', '(推荐者 − 贬损者) ÷ 回答数 × 100', 'fct_feedback', 20, 'at_least'),
    ('negative_share', '负面声音占比', '%', '负面文本数 ÷ 已判断文本数', 'fct_sentiment', 0.35, 'at_most')
"""  # noqa: E501


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Every public mart, empty, in schema ``mart``."""
    connection.execute("CREATE SCHEMA mart")
    for table, columns in MARTS.items():
        parts = [column.partition(":") for column in columns.split()]
        connection.execute(
            f"CREATE TABLE mart.{table} ({', '.join(f'{name} {_TYPES[kind]}' for name, _, kind in parts)})"
        )


def publish_mart(file: Path, *, filled: bool = True, with_outcomes: bool = True) -> None:
    """Write the DuckDB file.

    ``filled=False`` leaves every mart empty. ``with_outcomes=False`` makes tickets without status and ratings, as a
    source of letters from citizens has them.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(file)) as connection:
        create_tables(connection)
        if filled:
            _fill(connection, with_outcomes)


def _fill(c: duckdb.DuckDBPyConnection, with_outcomes: bool) -> None:
    c.execute("CREATE TEMP TABLE subtypes (n INTEGER, code VARCHAR, zh VARCHAR, kind VARCHAR, team VARCHAR)")
    c.executemany("INSERT INTO subtypes VALUES (?, ?, ?, ?, ?)", [(n, *row) for n, row in enumerate(SUBTYPES)])
    c.execute("CREATE MACRO dice(seed, salt, sides) AS (hash(seed || '/' || salt) % sides)::INTEGER")
    c.execute(
        "INSERT INTO mart.dim_date SELECT d::DATE, year(d), quarter(d), month(d), date_trunc('month', d)::DATE,"
        " date_trunc('week', d)::DATE, week(d), isodow(d), isodow(d) < 6, if(isodow(d) < 6, 'workday', 'weekend'),"
        " NULL, NULL FROM generate_series(TIMESTAMP '2025-07-01', TIMESTAMP '2025-12-31', INTERVAL 1 DAY) t(d)"
    )
    # About 16 tickets a day; logistics in 华东 swells after 11 November; 华南 has twice the late installers.
    c.execute(f"""
        INSERT INTO mart.fct_tickets BY NAME
        WITH days AS (SELECT date_day, row_number() OVER (ORDER BY date_day) AS n FROM mart.dim_date),
        numbered AS (
            SELECT date_day, k, date_day || '-' || k AS seed, date_day >= DATE '2025-11-12' AS after_promotion
            FROM days, range(1, 17 + dice(date_day, 'volume', 6)
                + if(date_day BETWEEN DATE '2025-11-12' AND DATE '2025-12-10', 10, 0)) t(k)
        ),
        cast_dice AS (
            SELECT *,
                CASE WHEN k > 16 AND after_promotion THEN 0 ELSE dice(seed, 'subtype', 6) END AS n,
                CASE WHEN k > 16 AND after_promotion THEN 0 ELSE dice(seed, 'region', 5) END AS region_n,
                dice(seed, 'customer', 900) AS customer_n
            FROM numbered
        )
        SELECT 'desk:' || seed AS ticket_key, 'service_desk' AS source, seed AS ticket_id,
            'c' || customer_n AS customer_ref, if(customer_n % 9 = 0, 'vip', 'regular') AS customer_tier,
            '家庭' AS customer_segment, 1500.0 + customer_n * 3 AS annual_revenue,
            ['phone', 'web_chat', 'wechat', 'app', 'email'][1 + dice(seed, 'channel', 5)] AS channel,
            ['urgent', 'high', 'medium', 'low'][1 + dice(seed, 'priority', 4)] AS priority,
            kind AS problem_type, code AS problem_subtype, zh AS problem_subtype_zh, 'after_sale' AS stage,
            '净水器 X3' AS product,
            {list(REGIONS)}[1 + if(code = 'installation_late' AND dice(seed, 'south', 3) = 0, 1, region_n)] AS region,
            team, 'a' || dice(seed, 'agent', 30) AS agent_ref, dice(seed, 'agent', 900) AS agent_tenure_days,
            zh AS subject, '等了好几天还没有处理,请尽快' AS body,
            date_day + INTERVAL 2 HOUR + INTERVAL (dice(seed, 'minute', 600)) MINUTE AS created_at,
            date_day AS created_on, 10 + dice(seed, 'minute', 600) // 60 AS created_hour,
            if({with_outcomes}, if(dice(seed, 'solved', 10) > 0, 'closed', 'open'), NULL) AS status,
            if({with_outcomes}, dice(seed, 'solved', 10) > 0, NULL) AS is_solved,
            date_day + INTERVAL 12 HOUR AS first_response_at,
            600 + dice(seed, 'response', 9000) AS first_response_seconds,
            600 + dice(seed, 'response', 9000) + if(code = 'refund_slow', 4000, 0) AS first_response_business_seconds,
            if({with_outcomes} AND dice(seed, 'solved', 10) > 0, date_day + INTERVAL 40 HOUR, NULL) AS resolved_at,
            if({with_outcomes} AND dice(seed, 'solved', 10) > 0, 20000 + dice(seed, 'resolve', 150000), NULL)
                AS resolution_business_seconds,
            if(dice(seed, 'reopen', 12) = 0, 1, 0) AS reopen_count,
            if({with_outcomes}, dice(seed, 'fcr', 10) < 6, NULL) AS is_first_contact_resolved,
            if({with_outcomes} AND dice(seed, 'rated', 4) = 0, 1 + dice(seed, 'score', 5), NULL) AS csat_score
        FROM cast_dice JOIN subtypes USING (n)
    """)
    if with_outcomes:
        c.execute("""
            INSERT INTO mart.fct_sla BY NAME
            SELECT ticket_key, source, ticket_id, sla_metric, 'p1' AS policy_id, target AS target_business_seconds,
                created_at AS started_at, elapsed AS elapsed_business_seconds,
                if(elapsed <= target, 'met', 'breached') AS sla_state, elapsed / target - 1 AS over_target_ratio,
                created_on, customer_tier, priority, channel, problem_type, problem_subtype, region, team
            FROM (
                SELECT *, 'first_response' AS sla_metric, 9000 AS target, first_response_business_seconds AS elapsed
                FROM mart.fct_tickets
                UNION ALL
                SELECT *, 'resolution', 129600, resolution_business_seconds
                FROM mart.fct_tickets WHERE resolution_business_seconds IS NOT NULL
            )
        """)
        c.execute("""
            INSERT INTO mart.fct_feedback BY NAME
            SELECT 'csat:' || ticket_id AS feedback_key, source, 's' || ticket_id AS feedback_id, 'csat' AS kind,
                ticket_id, customer_ref, region, team, problem_type, problem_subtype, csat_score AS score, csat_score,
                csat_score >= 4 AS is_satisfied, NULL AS nps_score, NULL AS nps_group, created_at, created_on
            FROM mart.fct_tickets WHERE csat_score IS NOT NULL
            UNION ALL BY NAME
            SELECT 'nps:' || ticket_id AS feedback_key, source, 'n' || ticket_id AS feedback_id, 'nps' AS kind,
                customer_ref, region, score, score AS nps_score, created_at, created_on,
                CASE WHEN score >= 9 THEN 'promoter' WHEN score >= 7 THEN 'passive' ELSE 'detractor' END AS nps_group
            FROM (SELECT *, greatest(dice(ticket_id, 'nps', 11), dice(ticket_id, 'nps2', 11)) AS score
                FROM mart.fct_tickets WHERE dice(ticket_id, 'asked', 6) = 0)
        """)
    c.execute("""
        INSERT INTO mart.fct_sentiment BY NAME
        SELECT 'ticket:' || source || ':' || ticket_id AS voice_id, 'ticket' AS voice_kind, source, ticket_id,
            customer_ref, customer_tier, annual_revenue, channel, problem_type, problem_subtype, product, region,
            t.team, subject || '。' || body AS text, created_at AS occurred_at, created_on AS occurred_on,
            dice(ticket_id, 'mood', 100) / 100 AS sentiment_score,
            CASE WHEN dice(ticket_id, 'mood', 100) < 40 THEN 'negative'
                WHEN dice(ticket_id, 'mood', 100) < 60 THEN 'neutral' ELSE 'positive' END AS sentiment_label,
            'snownlp-0.12.3' AS sentiment_model_version, n AS topic_id, 0.8 AS topic_similarity,
            'topics-1' AS topic_model_version, false AS is_noise, 1 AS group_size, 1 AS account_count,
            false AS is_campaign, true AS is_counted
        FROM mart.fct_tickets t JOIN subtypes ON code = problem_subtype
    """)
    # A text that 38 accounts pasted in three days, a pair, and three advertisements.
    c.execute("""
        INSERT INTO mart.fct_sentiment BY NAME
        SELECT 'feedback:social:c' || i AS voice_id, 'post' AS voice_kind, 'social' AS source, 'weibo' AS channel,
            if(i < 38, '三号楼二十户业主要求退还押金，拖了半年没有说法', '洗衣机外壳磕掉一块漆，<b>没人</b>接电话')
                AS text,
            DATE '2025-12-20' + (i // 15)::INTEGER AS occurred_on, occurred_on::TIMESTAMP AS occurred_at,
            0.5 AS sentiment_score, 'neutral' AS sentiment_label, 2 AS topic_id, false AS is_noise,
            if(i < 38, 38, 2) AS group_size, group_size AS account_count, i < 38 AS is_campaign,
            CASE WHEN i BETWEEN 1 AND 37 THEN 'feedback:social:c0' WHEN i = 39 THEN 'feedback:social:c38' END
                AS duplicate_of, duplicate_of IS NULL AS is_counted
        FROM range(40) t(i)
        UNION ALL BY NAME
        SELECT 'feedback:social:n' || i AS voice_id, 'post' AS voice_kind, 'social' AS source, 'weibo' AS channel,
            '加微信领取优惠' AS text, DATE '2025-12-21' AS occurred_on, occurred_on::TIMESTAMP AS occurred_at,
            0.5 AS sentiment_score, 'neutral' AS sentiment_label, -1 AS topic_id, 'advertising' AS noise_kind,
            '推销用语 加微信' AS noise_reason, true AS is_noise, 3 AS group_size, 3 AS account_count,
            false AS is_campaign, if(i > 0, 'feedback:social:n0', NULL) AS duplicate_of, false AS is_counted
        FROM range(3) t(i)
    """)
    c.execute("""
        INSERT INTO mart.fct_voice_opinions BY NAME
        SELECT voice_id, 'aspect' AS opinion_kind, if(topic_id = 1, 'logistics', 'attitude') AS opinion_code,
            if(topic_id = 1, '物流配送', '服务态度') AS opinion_zh, sentiment_label AS polarity, '慢' AS words,
            customer_ref, occurred_at, occurred_on
        FROM mart.fct_sentiment
        UNION ALL BY NAME
        SELECT voice_id, 'urgency' AS opinion_kind, 'regulator' AS opinion_code, '要投诉到监管' AS opinion_zh,
            0.8 AS strength, '12315' AS words, customer_ref, occurred_at, occurred_on
        FROM mart.fct_sentiment WHERE sentiment_score < 0.1
    """)
    c.execute("""
        INSERT INTO mart.agg_drivers VALUES
        ('csat', 'topic', 'topic_label', '物流延误', 400, 0.25, -0.8, -0.95, -0.65, 0.1, 0.08, 0.12, true, true,
            '「物流延误」比谈其他问题的满意度低 0.80 分', DATE '2025-12-28'),
        ('csat', 'topic', 'topic_label', '使用咨询', 200, 0.2, 0.3, 0.1, 0.5, -0.03, -0.05, -0.01, false, true,
            '「使用咨询」高', DATE '2025-12-28')
    """)
    c.execute("""
        INSERT INTO mart.agg_knowledge_gaps VALUES
        (7, '滤芯大概多久换一次', 'missing', DATE '2025-11-16', 84, 60, 0.4, 540, 0.031, 40, 22,
            '一般6到12个月更换，以提示灯为准', 'desk:T3', NULL, NULL, NULL, '问:滤芯大概多久换一次', DATE '2025-12-28'),
        (9, '电子发票怎么开', 'not_found', DATE '2025-12-14', 30, 0, NULL, 90, 0.005, 0, 0,
            NULL, NULL, 'KB-12', '如何开具电子发票', 'https://kb.example.com/12', '问:电子发票怎么开',
            DATE '2025-12-28'),
        (4, '保修几年', 'unanswered', DATE '2025-12-14', 0, 5, -1, 0, 0, 0, 0,
            NULL, NULL, NULL, NULL, NULL, '问:保修几年', DATE '2025-12-28')
    """)
    c.execute("""
        INSERT INTO mart.fct_customer_risk
        SELECT DISTINCT customer_ref, '反复来电', 0.7, 'score', 0.9, '反复联系 3 次', customer_tier, annual_revenue,
            DATE '2025-12-28'
        FROM mart.fct_tickets WHERE customer_ref = (SELECT min(customer_ref) FROM mart.fct_tickets)
    """)
    c.execute("""
        INSERT INTO mart.dim_topic
        SELECT n, zh || ':物流、快递、等待', '物流、快递、等待、催促、没到', 'active',
            if(n = 3, DATE '2025-12-08', DATE '2025-07-07'), 500, 'topics-1' FROM subtypes
        UNION ALL SELECT -1, '未归类', '', 'active', DATE '2025-07-07', 0, 'topics-1'
    """)
    c.execute("""
        INSERT INTO mart.fct_topic_daily
        SELECT occurred_on, topic_id, count(*) FILTER (is_counted), count(*), count(ticket_id),
            count(*) FILTER (sentiment_label = 'negative'), count(DISTINCT customer_ref),
            count(*) FILTER (customer_tier = 'vip'), 0
        FROM mart.fct_sentiment WHERE NOT is_noise GROUP BY occurred_on, topic_id
    """)
    _indicators(c)
    c.execute("""
        INSERT INTO mart.agg_problem_response
        SELECT date_trunc('month', created_on)::DATE AS period, problem_type,
            CASE problem_type WHEN 'process' THEN '流程问题' WHEN 'service' THEN '服务问题'
                WHEN 'product' THEN '产品问题' ELSE '沟通问题' END,
            count(*), avg(first_response_business_seconds) / 60,
            quantile_cont(first_response_business_seconds, 0.5) / 60,
            quantile_cont(first_response_business_seconds, 0.9) / 60,
            quantile_cont(first_response_business_seconds, 0.95) / 60,
            avg(resolution_business_seconds) / 60, quantile_cont(resolution_business_seconds, 0.9) / 60,
            avg(csat_score), count(csat_score), if(problem_type = 'process', '等待转派', '处理中')
        FROM mart.fct_tickets GROUP BY 1, 2
    """)
    _composite(c)
    _decisions(c)
    _demand(c, with_outcomes)
    c.execute("""
        INSERT INTO mart.agg_ticket_reconciliation
        SELECT 'service_desk', 'reportable', count(*) FROM mart.fct_tickets
        UNION ALL VALUES ('service_desk', 'test', 41), ('service_desk', 'abandoned', 120),
            ('service_desk', 'duplicate', 63), ('service_desk', 'spam', 12)
    """)


def _indicators(c: duckdb.DuckDBPyConnection) -> None:
    c.execute("""
        CREATE TEMP TABLE observations AS
        SELECT created_on AS day, 'ticket_count' AS code, 1.0 AS part, 1.0 AS whole, team, region FROM mart.fct_tickets
        UNION ALL SELECT created_on, 'first_response_minutes', first_response_business_seconds / 60, 1, team, region
            FROM mart.fct_tickets
        UNION ALL SELECT created_on, 'resolution_hours', resolution_business_seconds / 3600, 1, team, region
            FROM mart.fct_tickets WHERE resolution_business_seconds IS NOT NULL
        UNION ALL SELECT created_on, 'first_contact_resolution_share', is_first_contact_resolved::INTEGER, 1, team, region
            FROM mart.fct_tickets WHERE is_solved
        UNION ALL SELECT created_on, sla_metric || '_sla_met_share', (sla_state = 'met')::INTEGER, 1, team, region
            FROM mart.fct_sla
        UNION ALL SELECT created_on, 'csat_mean', csat_score, 1, team, region
            FROM mart.fct_feedback WHERE csat_score IS NOT NULL
        UNION ALL SELECT created_on, 'nps', (nps_group = 'promoter')::INTEGER - (nps_group = 'detractor')::INTEGER, 1,
            team, region FROM mart.fct_feedback WHERE nps_group IS NOT NULL
        UNION ALL SELECT occurred_on, 'negative_share', (sentiment_label = 'negative')::INTEGER, 1, team, region
            FROM mart.fct_sentiment WHERE is_counted
    """)  # noqa: E501
    for dimension, value in (("all", "'all'"), ("team", "team"), ("region", "region")):
        c.execute(f"""
            INSERT INTO mart.agg_indicator_daily
            SELECT day, code, '{dimension}', {value}, sum(part), if(code = 'ticket_count', 1, sum(whole))
            FROM observations WHERE {value} IS NOT NULL GROUP BY 1, 2, 4
        """)
    for kind in ("month", "week", "quarter"):
        c.execute(f"""
            INSERT INTO mart.agg_indicator_summary
            WITH names(code, zh, unit, formula, data_source, target, direction) AS (VALUES {_INDICATORS}),
            measured AS (
                SELECT date_trunc('{kind}', date_day)::DATE AS period, indicator_code AS code,
                    CASE indicator_code WHEN 'ticket_count' THEN sum(numerator)
                        WHEN 'nps' THEN 100 * sum(numerator) / sum(denominator)
                        ELSE sum(numerator) / sum(denominator) END AS actual, sum(denominator)::BIGINT AS n
                FROM mart.agg_indicator_daily WHERE dimension = 'all' GROUP BY 1, 2
            ),
            compared AS (
                SELECT *, lag(actual) OVER (PARTITION BY code ORDER BY period) AS previous
                FROM measured JOIN names USING (code)
            )
            SELECT '{kind}', period, code, zh, unit, formula, data_source, target, direction, actual, n, previous, NULL,
                CASE direction WHEN 'at_most' THEN actual <= target WHEN 'at_least' THEN actual >= target END,
                CASE direction WHEN 'at_most' THEN actual / target - 1 WHEN 'at_least' THEN 1 - actual / target END,
                abs(actual / previous - 1) > 0.1, NULL
            FROM compared
        """)


def _composite(c: duckdb.DuckDBPyConnection) -> None:
    c.execute("""
        INSERT INTO mart.agg_duration_distribution
        SELECT 'month', date_trunc('month', created_on)::DATE, 'all', 'all', 'first_response', count(*),
            avg(first_response_business_seconds) / 60, quantile_cont(first_response_business_seconds, 0.5) / 60,
            quantile_cont(first_response_business_seconds, 0.9) / 60,
            quantile_cont(first_response_business_seconds, 0.95) / 60
        FROM mart.fct_tickets WHERE first_response_business_seconds IS NOT NULL GROUP BY 2
    """)
    c.execute("""
        INSERT INTO mart.agg_composite_contribution
        SELECT period_kind, period_start_on, 'all', 'all', indicator_code, indicator_zh,
            CASE indicator_code WHEN 'nps' THEN 'satisfaction' WHEN 'resolution_sla_met_share' THEN 'speed'
                ELSE 'quality' END,
            0.3, 1 / 3, actual_value, target_value, observation_count,
            greatest(0, least(actual_value / target_value * 100, 120)),
            greatest(0, least(actual_value / target_value * 100, 120)) / 3
        FROM mart.agg_indicator_summary
        WHERE indicator_code IN ('nps', 'resolution_sla_met_share', 'first_contact_resolution_share')
    """)
    c.execute("""
        INSERT INTO mart.agg_composite_index
        WITH index AS (
            SELECT period_kind, period_start_on, 'all' AS dimension, 'all' AS value, sum(contribution) AS points,
                max(points) FILTER (indicator_group = 'speed') AS speed,
                max(points) FILTER (indicator_group = 'quality') AS quality,
                max(points) FILTER (indicator_group = 'satisfaction') AS satisfaction,
                min(observation_count) AS n
            FROM mart.agg_composite_contribution GROUP BY 1, 2
        )
        SELECT period_kind, period_start_on, dimension, value, points, speed, quality, satisfaction,
            lag(points) OVER (PARTITION BY period_kind ORDER BY period_start_on), NULL, false, 1, n, NULL FROM index
        UNION ALL
        SELECT period_kind, period_start_on, 'team', '物流组', points - 7, speed, quality, satisfaction, NULL, NULL,
            false, 1, n, '样本不足，仅供参考' FROM index
    """)


def _decisions(c: duckdb.DuckDBPyConnection) -> None:
    c.execute("""
        INSERT INTO mart.fct_alerts VALUES
        ('al-1', 'topic_volume', 'ticket_count', 'problem_subtype=logistics_delay|region=华东', '华东 · 物流延误',
            'red', 'firing', '2025-11-12', '2025-11-13', NULL, 96, 31, 2.097, 1e-9, 7, 'card-1', NULL),
        ('al-2', 'topic_volume', 'ticket_count', 'problem_subtype=installation_late|region=华南', '华南 · 安装不准时',
            'orange', 'acknowledged', '2025-11-20', '2025-11-22', NULL, 41, 27, 0.52, 0.0008, 7, 'card-2', NULL),
        ('al-3', 'target', 'resolution_hours', 'team=售后财务组', '售后财务组 · 解决时长', 'yellow', 'firing',
            '2025-12-20', '2025-12-22', NULL, 27.4, 24, 0.142, NULL, 7, NULL, NULL),
        ('al-4', 'topic_volume', 'ticket_count', 'problem_subtype=login_failure', '登录失败', 'orange', 'resolved',
            '2025-10-14', '2025-10-15', '2025-10-21', 38, 19, 1.0, 0.0001, 3, 'card-3', '版本回退后恢复'),
        ('al-5', 'topic_volume', 'ticket_count', 'problem_subtype=usage_question', '使用咨询', 'yellow', 'resolved',
            '2025-07-14', '2025-07-15', '2025-07-21', 38, 30, 0.27, 0.004, 3, NULL, NULL)
    """)
    c.execute("""
        INSERT INTO mart.fct_cards VALUES
        ('card-1', '华东「物流延误」激增', 'problem_subtype=logistics_delay|region=华东', '华东 · 物流延误',
            'ticket_count', 'process', 'logistics_delay', 'process', '整改中', 'red', 82.4, '2025-01', '物流经理',
            '物流组', '2025-11-13', '2025-12-20', NULL, '2025-12-30 09:00', 412, 366, 0.124, 0.61, 1284000, 0),
        ('card-2', '华南「安装不准时」偏多', 'problem_subtype=installation_late|region=华南', '华南 · 安装不准时',
            'ticket_count', 'service', 'installation_late', 'people', '已确认', 'orange', 55.1, '2025-01', NULL,
            '安装调度组', '2025-11-22', '2026-01-15', NULL, '2025-12-28 09:00', 133, 121, 0.09, 0.55, 302000, 2),
        ('card-3', '「登录失败」激增', 'problem_subtype=login_failure', '登录失败', 'ticket_count', 'product',
            'login_failure', 'system', '已关闭', 'orange', 40.0, '2025-01', 'App 负责人', 'App 支持组', '2025-10-15',
            '2025-11-01', '2025-12-01', '2025-12-01 09:00', 96, 88, 0.1, 0.48, 150000, 0)
    """)
    c.execute("""
        INSERT INTO mart.fct_actions VALUES
        ('act-1', 'card-1', '启用备用承运商并每日通报积压', 'problem_subtype=logistics_delay|region=华东',
            'ticket_count', '物流经理', '物流组', '2025-11-20', '2025-12-20', NULL, 'in_progress', 70, -0.4, NULL),
        ('act-2', 'card-3', '回退登录组件,发布修复版', 'problem_subtype=login_failure', 'ticket_count', 'App 负责人',
            'App 支持组', '2025-10-16', '2025-10-25', '2025-10-24', 'done', 100, -0.4, NULL),
        ('act-3', 'card-2', '更换安装预约话术', 'problem_subtype=installation_late|region=华南', 'ticket_count',
            '调度主管', '安装调度组', '2025-11-25', '2025-12-05', '2025-12-05', 'done', 100, -0.3, NULL)
    """)
    c.execute("""
        INSERT INTO mart.fct_action_effects VALUES
        ('act-2', '2025-12-15', 'ticket_count', '2025-08-15', '2025-10-10', '2025-10-25', '2025-12-14', 3.1, 1.6, -0.48,
            -0.62, -0.29, 0.0004, 'improved', NULL, 'quasi_poisson'),
        ('act-3', '2025-12-30', 'ticket_count', '2025-09-20', '2025-11-15', '2025-12-06', '2025-12-29', 1.9, 1.85,
            -0.03, -0.28, 0.31, 0.81, 'not_improved', NULL, 'quasi_poisson'),
        ('act-1', '2025-12-30', 'ticket_count', '2025-09-15', '2025-11-10', '2025-12-21', '2025-12-29', NULL, NULL, NULL,
            NULL, NULL, NULL, 'not_yet_knowable', '2026-01-18', 'quasi_poisson')
    """)  # noqa: E501
    c.execute("""
        INSERT INTO mart.agg_action_tracking
        SELECT a.action_id, card_id, measure, owner, team, started_on, due_on, done_on, progress_percent, status,
            done_on IS NULL AND due_on < DATE '2025-12-31', e.verdict, e.change_ratio, a.note
        FROM mart.fct_actions a LEFT JOIN mart.fct_action_effects e USING (action_id)
    """)


def _demand(c: duckdb.DuckDBPyConnection, with_staffing: bool) -> None:
    """Forecasts of 20 phone calls a day, 2 an hour from 9 to 19, four made before and one on the report's day."""
    c.execute("""
        UPDATE mart.dim_date SET campaign = '双12' WHERE date_day BETWEEN DATE '2025-12-10' AND DATE '2025-12-12'
    """)
    c.execute("""
        INSERT INTO mart.dim_date BY NAME
        SELECT d::DATE AS date_day, year(d) AS year, isodow(d) AS iso_weekday,
            CASE WHEN d <= TIMESTAMP '2026-01-03' THEN 'holiday' WHEN d = TIMESTAMP '2026-01-04' THEN 'makeup_workday'
                WHEN isodow(d) < 6 THEN 'workday' ELSE 'weekend' END AS day_kind,
            if(d <= TIMESTAMP '2026-01-04', '元旦', NULL) AS holiday_name
        FROM generate_series(TIMESTAMP '2026-01-01', TIMESTAMP '2026-02-28', INTERVAL 1 DAY) t(d)
    """)
    c.execute("""
        INSERT INTO mart.fct_demand_hourly
        SELECT date_trunc('month', created_on)::DATE, created_on, created_hour, channel, problem_type, 3600, count(*),
            count(*), 0, 0, 0
        FROM mart.fct_tickets GROUP BY ALL
    """)
    # A day brings 20 calls; whatever came on days that are over was 10 % less or more by turns.
    c.execute("""
        INSERT INTO mart.fct_demand_forecast
        SELECT made_on, made_on + n::INTEGER, h, 'phone', n + 1, expected, 0, 5,
            if(made_on + n::INTEGER < DATE '2025-12-31', actual, NULL),
            if(made_on + n::INTEGER < DATE '2025-12-31', expected - actual, NULL),
            if(made_on + n::INTEGER < DATE '2025-12-31', true, NULL), 'combination', made_on < DATE '2025-12-24',
            made_on = DATE '2025-12-31'
        FROM (
            SELECT DATE '2025-12-31' - (7 * k)::INTEGER AS made_on, n, h,
                if(n IN (1, 2, 3), 1.0, if(n = 4, 3.0, 2.0)) AS expected,
                if(h = 9, if(n % 2 = 0, 0, 2), 1) * expected AS actual
            FROM range(5) a(k), range(28) b(n), range(9, 19) t(h)
        )
    """)
    c.execute("""
        INSERT INTO mart.agg_forecast_accuracy
        SELECT DATE '2025-12-31' - (7 * k)::INTEGER, w, 'all', k > 1, 7, 100 * k, 100 * k, 0, 0.1 + k / 100, 0.3,
            0.12, 0.25, 0.9
        FROM range(1, 5) a(k), range(1, 5) b(w) WHERE w <= k
    """)
    if not with_staffing:
        return
    # Each open hour 200 calls of 180 s (the worked example: 14 desks, 20 on the roster) and 12 mails of 300 s.
    # As many as required are rostered, at noon only 11 desks' worth, nobody from 17:00; no roster in the last week.
    c.execute("""
        INSERT INTO mart.fct_staffing_groups BY NAME
        SELECT d::DATE AS date_day, h AS hour_of_day, 'hotline' AS staffing_group, '热线电话' AS group_zh,
            '一线客服组' AS team, 'erlang_c' AS method, DATE '2025-12-31' AS made_on, 200 AS expected_count,
            180 AS handling_seconds, 10 AS load_erlangs, 14 AS required_positions, 20 AS required_agents,
            0.88835 AS service_level, 0.714 AS occupancy, 0.8 AS target_service_level, 20 AS target_seconds,
            1 AS concurrency, 0.3 AS shrinkage
        FROM generate_series(DATE '2025-12-31', DATE '2026-01-27', INTERVAL 1 DAY) a(d), range(9, 19) b(h)
        UNION ALL
        SELECT d::DATE, h, 'written', '邮件与表单', '一线客服组', 'workload', DATE '2025-12-31', 12, 300, 1,
            1 / 0.85, 1 / 0.85 / 0.7, 1, 0.85, NULL, 14400, 1, 0.3
        FROM generate_series(DATE '2025-12-31', DATE '2026-01-27', INTERVAL 1 DAY) a(d), range(9, 19) b(h)
    """)
    c.execute("""
        INSERT INTO mart.fct_staffing BY NAME
        SELECT *, rostered_agents - required_agents AS gap_agents
        FROM (
            SELECT date_day, hour_of_day, date_day + hour_of_day * INTERVAL 1 HOUR AS hour_start_at, team, made_on,
                sum(expected_count) AS expected_count, sum(load_erlangs) AS load_erlangs,
                ceil(sum(required_agents))::BIGINT AS required_agents,
                if(date_day < DATE '2026-01-21', CASE WHEN hour_of_day = 12 THEN 11 / 0.7
                    WHEN hour_of_day < 17 THEN sum(required_agents) ELSE 0 END, NULL) AS rostered_agents
            FROM mart.fct_staffing_groups GROUP BY date_day, hour_of_day, team, made_on
        )
    """)
