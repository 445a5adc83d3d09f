"""The CRM of the demo company: an SQLite database with customers, agents and rosters."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

from huiyin.demo.company import FIRST_ON
from huiyin.demo.people import SEGMENTS, Agents, Customers
from huiyin.demo.tickets import REGION_NAMES
from huiyin.demo.timeline import DAY, day_of, instant

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


def write_crm(file: Path, customers: Customers, agents: Agents) -> None:
    """Write ``crm.db`` anew. Times are Beijing time."""
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(_SCHEMA)
        connection.executemany(
            "INSERT INTO kh_customer VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                (
                    customers.ref(span.customer),
                    f"{span.valid_from_on.isoformat()} 00:00:00",
                    customers.names[span.customer],
                    "VIP" if span.is_vip else "普通",
                    SEGMENTS[customers.segment[span.customer]],
                    REGION_NAMES[customers.region[span.customer]],
                    span.annual_revenue,
                    (FIRST_ON + timedelta(days=int(customers.since_day[span.customer]))).isoformat(),
                    customers.mobiles[span.customer],
                    customers.emails[span.customer],
                    customers.wechats[span.customer],
                    _changed_at(span.valid_from_on),
                )
                for span in customers.spans()
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
        # Rosters are known a week ahead.
        connection.executemany(
            "INSERT INTO kf_roster VALUES (?,?,?,?)",
            (
                (
                    shift.agent.ref, str(instant(shift.starts)), str(instant(shift.ends)),
                    _changed_at(instant(max(shift.starts - 7 * DAY, day_of(FIRST_ON) * DAY)).date()),
                )
                for shift in agents.shifts
            ),
        )  # fmt: skip
