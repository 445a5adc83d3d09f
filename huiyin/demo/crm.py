"""The CRM of the demo company: an SQLite database with customers, agents and rosters."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

from huiyin.demo.company import FIRST_ON
from huiyin.demo.identities import CrmRecord, Identities
from huiyin.demo.people import ROSTERED_AHEAD_DAYS, SEGMENTS, Agents, Customers, CustomerSpan
from huiyin.demo.tickets import REGION_NAMES
from huiyin.demo.timeline import DAY, instant

_SCHEMA = """
CREATE TABLE kh_customer (
    cust_no TEXT, eff_from DATETIME, cust_name TEXT, cust_level TEXT, cust_group TEXT, sales_area TEXT,
    year_amount NUMERIC, join_date DATE, mobile TEXT, mail TEXT, wx_id TEXT, updated_at DATETIME,
    PRIMARY KEY (cust_no, eff_from)
);
CREATE TABLE kf_agent (
    job_no TEXT, eff_from DATETIME, group_name TEXT, post TEXT, entry_date DATE, skill_tags TEXT, updated_at DATETIME,
    PRIMARY KEY (job_no, eff_from)
);
CREATE TABLE kf_roster (
    job_no TEXT, begin_time DATETIME, end_time DATETIME, updated_at DATETIME,
    PRIMARY KEY (job_no, begin_time)
);
"""


def _changed_at(day: date) -> str:
    """When the CRM got to know it; what is older came with its introduction on the first day."""
    return f"{max(day, FIRST_ON).isoformat()} 06:30:00"


def _spans(customers: Customers, identities: Identities) -> Iterator[tuple[CrmRecord, CustomerSpan]]:
    """The rows of the customer table; the second record of a person knows but a part of the custom."""
    for span in customers.spans():
        yield identities.records[span.customer], span
    for record in identities.records[len(customers) :]:
        day = FIRST_ON + timedelta(days=record.from_day or 0)
        revenue = round(float(customers.revenue[record.person]) * 0.2, 2)
        yield record, CustomerSpan(record.person, day, is_vip=False, annual_revenue=revenue)


def write_crm(file: Path, customers: Customers, identities: Identities, agents: Agents) -> None:
    """Write ``crm.db`` anew. Times are Beijing time."""
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(_SCHEMA)
        connection.executemany(
            "INSERT INTO kh_customer VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                (
                    record.number,
                    f"{span.valid_from_on.isoformat()} 00:00:00",
                    record.name,
                    "VIP" if span.is_vip else "普通",
                    SEGMENTS[customers.segment[span.customer]],
                    REGION_NAMES[customers.region[span.customer]],
                    span.annual_revenue,
                    (FIRST_ON + timedelta(days=int(customers.since_day[span.customer]))).isoformat(),
                    record.phone,
                    record.email,
                    record.wechat,
                    _changed_at(span.valid_from_on),
                )
                for record, span in _spans(customers, identities)
            ),
        )
        connection.executemany(
            "INSERT INTO kf_agent VALUES (?,?,?,?,?,?,?)",
            (
                (
                    agent.ref, f"{(FIRST_ON + timedelta(days=day)).isoformat()} 00:00:00", team, agent.role,
                    agent.hired_on.isoformat(), agent.skills, _changed_at(FIRST_ON + timedelta(days=day)),
                )
                for agent in agents.all
                for day, team in agent.moves
            ),
        )  # fmt: skip
        # Rosters are known four weeks ahead.
        connection.executemany(
            "INSERT INTO kf_roster VALUES (?,?,?,?)",
            (
                (
                    shift.agent.ref, str(instant(shift.starts)), str(instant(shift.ends)),
                    _changed_at(instant(max(shift.starts - ROSTERED_AHEAD_DAYS * DAY, 0)).date()),
                )
                for shift in agents.shifts
            ),
        )  # fmt: skip
