"""A large random company, made by SQL straight into the raw tables: what the loaders would leave there.

2,740 tickets a day (a million a year) with about 10 events and 5 messages each, 0.2 ratings and 0.1 reviews, seeded by
the number of the ticket, so that a company with a longer history has the same last days. What happens on a day is
loaded the next morning, events of older tickets too.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import duckdb
import pyarrow as pa

from ingest.contract import ENTITIES
from ingest.identity.tables import IDENTITY
from warehouse.connection import Warehouse
from warehouse.handover import NLP_TABLES, create_nlp_tables

TICKETS_A_DAY = 2_740
CUSTOMERS = 200_000
LAST_DAY = date(2025, 12, 14)  # the history ends here; the day after it is the increment
_LOADS = "'desk' as _source, {at} as _loaded_at, 'b' as _batch_id, md5({key}) as _row_hash, {at} as _delivered_at"

# Random numbers in 0 … 1 that depend on the ticket and on what they are for.
_MACROS = """
    create macro chance(i, salt) as (hash(i * 64 + salt) % 1000003) / 1000003.0;
    create macro pick(i, salt, list) as list[1 + (hash(i * 64 + salt) % len(list))::integer];
    create macro morning(instant) as cast(cast(instant as date) + 1 as timestamp) + interval 2 hour;
"""

_TICKETS = """
    create table made as
    with placed as (
        select i, 'T' || lpad(i::varchar, 9, '0') as ticket_id,
               -- Numbers count from the end, so that the last days are the same in any history.
               date '{last}' + 1 - (i // {daily})::integer as day,
               'c' || lpad(((hash(i * 64 + 1) % {customers}))::varchar, 7, '0') as customer_ref,
               'a' || (hash(i * 64 + 2) % 300)::varchar as agent_ref,
               'a' || (hash(i * 64 + 3) % 300)::varchar as other_agent_ref
        from range({tickets}) r(i)
    )
    select *, cast(day as timestamp) + to_seconds((3600 * (1 + 13 * (chance(i, 4) + chance(i, 5)) / 2)
                                                   + 977 * chance(i, 6))::bigint) as created_at,
           -- Half is solved within the hours of the day, few after weeks, three in a thousand never.
           case when chance(i, 7) < 0.997
               then (1800 + 60000 * chance(i, 8) * chance(i, 9) + case when chance(i, 10) < 0.15
                     then 864000 * chance(i, 11) else 0 end)::bigint end as solved_after,
           chance(i, 12) < 0.05 as is_reopened
    from placed
"""

_RAW_TICKETS = """
    select ticket_id, customer_ref, pick(i, 20, ['phone', 'web_chat', 'wechat', 'app', 'email']) as channel,
           pick(i, 21, ['退款没到账', '洗衣机漏水', '师傅没来', '发票抬头', '安装预约', '空调不制冷']) as subject,
           pick(i, 22, ['等了三天还没有人联系我', '机器一直响请派人来看看谢谢', '钱扣了两次麻烦尽快处理',
                        '客服说今天上门结果没有来', '想改一下地址', '保修期内为什么要收费']) || '，订单 ' || i as body,
           created_at, pick(i, 23, ['urgent', 'high', 'medium', 'low', 'medium', 'low']) as priority,
           pick(i, 24, ['refund_slow', 'product_leak', 'agent_attitude', 'delivery_late', null]) as problem_subtype,
           pick(i, 25, ['洗衣机', '空调', '冰箱', null]) as product,
           pick(i, 26, ['华东', '华南', '华北', '西南', null]) as region,
           'inbound' as direction, chance(i, 27) < 0.005 as is_test,
           {loads}
    from made
"""

_STEPS = """
    with steps as (
        select i, ticket_id, agent_ref, other_agent_ref, created_at, solved_after, unnest([
            {'n': 0, 'share': 0.0, 'field': 'status', 'old': null, 'new': 'new', 'role': 'system'},
            {'n': 1, 'share': 0.01, 'field': 'team', 'old': null, 'new': '一线', 'role': 'system'},
            {'n': 2, 'share': 0.05, 'field': 'assignee', 'old': null, 'new': agent_ref, 'role': 'system'},
            {'n': 3, 'share': 0.1, 'field': 'status', 'old': 'new', 'new': 'open', 'role': 'agent'},
            {'n': 4, 'share': 0.2, 'field': 'tag', 'old': null, 'new': 'follow_up', 'role': 'agent'},
            {'n': 5, 'share': 0.3, 'field': 'status', 'old': 'open', 'new': 'pending', 'role': 'agent'},
            {'n': 6, 'share': 0.5, 'field': 'status', 'old': 'pending', 'new': 'open', 'role': 'system'},
            {'n': 7, 'share': 0.55, 'field': 'team', 'old': '一线', 'new': '二线', 'role': 'agent'},
            {'n': 8, 'share': 0.6, 'field': 'assignee', 'old': agent_ref, 'new': other_agent_ref, 'role': 'agent'},
            {'n': 9, 'share': 0.7, 'field': 'priority', 'old': 'low', 'new': 'high', 'role': 'agent'},
            {'n': 10, 'share': 1.0, 'field': 'status', 'old': 'open', 'new': 'solved', 'role': 'agent'},
            {'n': 11, 'share': 1.3, 'field': 'status', 'old': 'solved', 'new': 'open', 'role': 'system'},
            {'n': 12, 'share': 1.6, 'field': 'status', 'old': 'open', 'new': 'solved', 'role': 'agent'},
            {'n': 14, 'share': 0.15, 'field': 'category', 'old': null, 'new': '售后', 'role': 'agent'},
            {'n': 15, 'share': 0.9, 'field': 'resolution', 'old': null, 'new': '已处理', 'role': 'agent'},
            {'n': 13, 'share': 2.0, 'field': 'status', 'old': 'solved', 'new': 'closed', 'role': 'system'}
        ]) as step, is_reopened
        from made
    )
    select 'E' || ticket_id || '-' || step.n as event_id, ticket_id,
           created_at + to_seconds((step.share * coalesce(solved_after, 7200))::bigint) as event_at,
           step.field as field, step.old as old_value, step.new as new_value,
           case when step.role = 'agent' then agent_ref end as actor_ref, step.role as actor_role, i
    from steps
    where (solved_after is not null or step.share < 1)
        and (is_reopened or step.n not in (11, 12))
        and (step.n not in (7, 8) or chance(i, 30) < 0.3) and (step.n not in (4, 9) or chance(i, 31) < 0.6)
        and (step.n not in (5, 6) or chance(i, 32) < 0.7)
"""

_MESSAGES = """
    with counted as (
        select *, unnest(range(1 + (hash(i * 64 + 40) % 9)::bigint)) as n from made
    )
    select 'M' || ticket_id || '-' || n as message_id, ticket_id,
           case when n % 2 = 1 then agent_ref else customer_ref end as author_ref,
           case when n % 2 = 1 then 'agent' else 'customer' end as author_role, true as is_public,
           pick(i + n, 41, ['您好，已经为您登记', '请问什么时候能好', '好的谢谢', '已安排师傅上门']) as body,
           created_at + to_seconds((n * n * (120 + 3600 * chance(i, 42)))::bigint) as sent_at
    from counted
"""

_FEEDBACK = """
    select 'F' || ticket_id as feedback_id, case when chance(i, 50) < 0.2 then 'csat' else 'review' end as kind,
           case when chance(i, 50) < 0.2 then ticket_id end as ticket_id, customer_ref,
           (1 + hash(i * 64 + 51) % 5)::double as score, 1.0 as scale_min, 5.0 as scale_max,
           pick(i, 52, ['师傅很准时', '太慢了', '服务态度好', '再也不买了', null]) as text,
           'survey' as channel, 0::bigint as likes,
           created_at + to_seconds((86400 * (0.5 + 3 * chance(i, 53)))::bigint) as created_at
    from made where chance(i, 50) < 0.3
"""

_TOPICS = """
    select i as topic_id, '话题' || i as label, '退款、到账' as keywords, 10::bigint as text_count, 'active' as state,
           date '2024-01-01' as born_on, 't1' as model_version
    from range(120) r(i)
"""


class ScaleCompany:
    """The company with ``tickets`` tickets of history and the day after it."""

    def __init__(self, tickets: int) -> None:
        self.tickets = tickets
        self.until = datetime.combine(LAST_DAY, datetime.min.time()) + timedelta(days=1, hours=2)
        self._db = duckdb.connect(config={"threads": 2, "preserve_insertion_order": False})
        self._db.execute(_MACROS)
        self._db.execute(
            _TICKETS.format(last=LAST_DAY, daily=TICKETS_A_DAY, tickets=tickets + TICKETS_A_DAY, customers=CUSTOMERS)
        )

    def load_history(self, warehouse: Warehouse) -> dict[str, int]:
        """Fill the empty raw tables with everything until the last morning; how many rows, by table."""
        return self._load(warehouse, self.until, is_first=True)

    def load_day(self, warehouse: Warehouse) -> dict[str, int]:
        """The next day's loads: new tickets, what happened to older ones, 1 in 500 of a month's tickets corrected."""
        counts = self._load(warehouse, self.until + timedelta(days=1), is_first=False)
        corrected = f"created_at >= timestamp '{self.until - timedelta(days=30)}' and hash(i) % 500 = 0"
        changed = self._db.sql(
            _RAW_TICKETS.format(loads=_loads(f"timestamp '{self.until + timedelta(days=1)}'", "ticket_id || 'b'"))
            + f" where {corrected} and created_at < timestamp '{self.until - timedelta(days=1)}'"
        ).to_arrow_table()
        counts["corrected"] = warehouse.merge("raw", "tickets", changed, ("_source", "ticket_id")).updated
        return counts

    def _load(self, warehouse: Warehouse, until: datetime, is_first: bool) -> dict[str, int]:
        tables = {
            "tickets": _RAW_TICKETS.format(loads=_loads("morning(created_at)", "ticket_id")),
            "ticket_events": _with_loads(_STEPS, "event_at", "event_id"),
            "messages": _with_loads(_MESSAGES, "sent_at", "message_id"),
            "feedback": _with_loads(_FEEDBACK, "created_at", "feedback_id"),
        }
        counts = {}
        for name, query in tables.items():
            schema = ENTITIES[name].arrow_schema
            warehouse.create_table("raw", name, schema, ("_source", *ENTITIES[name].key))
            since = "" if is_first else f" and _loaded_at > timestamp '{self.until}'"
            counts[name] = self._copy(
                warehouse, "raw", name, schema,
                f"select * from ({query}) where _loaded_at <= timestamp '{until}'{since} order by _loaded_at",
            )  # fmt: skip
        if is_first:
            counts |= self._load_people(warehouse)
        return counts

    def _load_people(self, warehouse: Warehouse) -> dict[str, int]:
        loads = _loads("timestamp '2024-01-01'", "i::varchar")
        people = {
            "customers": (
                "select 'c' || lpad(i::varchar, 7, '0') as customer_ref, timestamp '2024-01-01' as valid_from_at,"
                " pick(i, 60, ['vip', 'regular', 'regular', 'regular']) as tier, '家庭' as segment,"
                f" pick(i, 61, ['华东', '华北']) as region, 1000 * chance(i, 62) as annual_revenue, {loads}"
                f" from range({CUSTOMERS}) r(i)"
            ),
            "agents": (
                "select 'a' || i as agent_ref, timestamp '2024-01-01' as valid_from_at,"
                f" '组' || (i % 12) as team, date '2022-01-01' + (i * 3)::integer as hired_on, {loads}"
                " from range(300) r(i)"
            ),
        }
        counts = {}
        for name, query in people.items():
            schema = ENTITIES[name].arrow_schema
            warehouse.create_table("raw", name, schema, ("_source", *ENTITIES[name].key))
            counts[name] = self._copy(warehouse, "raw", name, schema, query)
        warehouse.create_table("raw", "identity", IDENTITY, ("ref",))
        counts["identity"] = self._copy(
            warehouse, "raw", "identity", IDENTITY,
            "select 'c' || lpad(i::varchar, 7, '0') as ref, 'c' || lpad((i - i % 2)::varchar, 7, '0') as person_ref,"
            " 'same_phone' as method, 0.99::double as score, timestamp '2024-01-01' as since"
            f" from range({CUSTOMERS}) r(i) where i % 20 < 2",
        )  # fmt: skip
        return counts

    def load_meaning(self, warehouse: Warehouse) -> int:
        """A score and a topic for each voice that has none, as the language part would give them."""
        create_nlp_tables(warehouse)
        new = (
            "from intermediate.int_voices v"
            " where not exists (select 1 from nlp.sentiment s where s.voice_id = v.voice_id)"
        )
        now = f"timestamp '{datetime.now()}'"  # noqa: DTZ005 (only its order counts)
        voices = warehouse.query(f"select voice_id {new}")
        rows = {
            "sentiment": (
                "select voice_id, 'x' as text_hash, 's1' as model_version, (hash(voice_id) % 100) / 100.0 as score,"
                " case when hash(voice_id) % 100 < 40 then 'negative' else 'positive' end as label"
                f", {now} as scored_at from voices"
            ),
            "topic_assignment": (
                "select voice_id, 'x' as text_hash, (hash(voice_id) % 120)::bigint as topic_id, 0.5::double as"
                f" similarity, 't1' as model_version, {now} as assigned_at from voices"
            ),
        }
        self._db.register("voices", voices)
        for name, query in rows.items():
            self._copy(warehouse, "nlp", name, NLP_TABLES[name][0], query)
        self._db.unregister("voices")
        if not warehouse.rows("select 1 as found from nlp.topics limit 1"):
            self._copy(warehouse, "nlp", "topics", NLP_TABLES["topics"][0], _TOPICS)
        return voices.num_rows

    def _copy(self, warehouse: Warehouse, schema_name: str, name: str, schema: pa.Schema, query: str) -> int:
        """In pieces, so that ten million rows don't lie in memory."""
        count = 0
        found = self._db.sql(query)
        names = [column for column in found.columns if column in schema.names]
        kept = pa.schema([schema.field(column) for column in names])
        for batch in found.to_arrow_reader(500_000):
            rows = pa.Table.from_batches([batch]).select(names).cast(kept)
            warehouse.append(schema_name, name, rows)
            count += rows.num_rows
        return count


def _loads(at: str, key: str) -> str:
    return _LOADS.format(at=at, key=key)


def _with_loads(query: str, instant: str, key: str) -> str:
    return f"select *, {_loads(f'morning({instant})', key)} from ({query}) as rows_of_it"
