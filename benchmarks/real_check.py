"""Whether the mart recomputes what real service desks recorded of themselves.

    OMP_NUM_THREADS=1 python benchmarks/real_check.py [--data ../shared/data] [--limit 0]

Three public logs go through the real loader (a sources file with a mapping in a temporary folder) and dbt on DuckDB.

- ``servicedesk_events``: 20,769 incidents as they stood after each update. The desk kept counts of its own:
  reassignments, reopenings, the instant of the solution. Recomputed are cross-team hand-overs, reopenings, resolution.
- ``helpdesk_events``: 4,580 cases as activities; nothing is counted there, so each case is counted a second time from
  its activities in pandas.
- ``citizen_complaints``: 2,816 letters with their replies; how many have another number of working days from letter to
  reply because of make-up workdays (调休), and because of the whole calendar.

Each figure stands with the rate of agreement; what doesn't agree is sorted by why. ``--limit`` takes the first so many
incidents and cases.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from huiyin.config import PROJECT_ROOT, Settings
from huiyin.interval import Interval
from ingest.calendar import load_calendar
from ingest.load import ingest_source
from warehouse.connection import open_warehouse
from warehouse.dbt import run_dbt

DATA = PROJECT_ROOT.parent / "shared" / "data"
MODELS = ("+fct_tickets", "+fct_handovers")
DONE = ("Resolved", "Closed")
STATES = {
    "New": "new",
    "Active": "open",
    "Awaiting User Info": "pending",
    "Awaiting Vendor": "on_hold",
    "Awaiting Problem": "on_hold",
    "Awaiting Evidence": "on_hold",
    "Resolved": "solved",
    "Closed": "closed",
}
ACTIVITIES = {
    "Take in charge ticket": "open",
    "Wait": "pending",
    "Require upgrade": "on_hold",
    "Resolve ticket": "solved",
    "Closed": "closed",
}


@dataclass(frozen=True)
class Agreement:
    """How often a recomputed figure is the recorded one, and why it isn't otherwise."""

    measure: str
    compared: int
    agreeing: int
    rest: dict[str, int]

    @property
    def rate(self) -> float:
        """Share of tickets that agree."""
        return self.agreeing / self.compared


@dataclass(frozen=True)
class WorkingDays:
    """Letters by their working days from letter to reply: others without make-up workdays, others by weekdays alone."""

    letters: int
    by_makeup_days: int
    by_calendar: int


def main() -> None:
    """Run the checks and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the public data")
    parser.add_argument("--limit", type=int, default=0, help="so many incidents and cases (0: all)")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    for check in (check_servicedesk, check_helpdesk):
        with tempfile.TemporaryDirectory() as folder:
            print(f"{check.__name__.removeprefix('check_')}:")
            for agreement in check(arguments.data, Path(folder), arguments.limit):
                _show(agreement)
    with tempfile.TemporaryDirectory() as folder:
        days = check_working_days(arguments.data, Path(folder))
    print(f"citizens' letters: {days.letters:,} counts of working days from letter to reply")
    for changed, how in (
        (days.by_makeup_days, "change by make-up workdays alone"),
        (days.by_calendar, "differ from a count of Mondays to Fridays (holidays and make-up workdays)"),
    ):
        print(f"    {changed:>6,}  ({changed / days.letters:.1%}) {how}")


def _show(agreement: Agreement) -> None:
    print(f"  {agreement.measure}: {agreement.agreeing:,} of {agreement.compared:,} agree ({agreement.rate:.2%})")
    for reason, count in sorted(agreement.rest.items(), key=lambda pair: -pair[1]):
        print(f"    {count:>6,}  {reason}")


# -- a desk that delivers how each incident stands ---------------------------------------------------------------------


def check_servicedesk(data: Path, folder: Path, limit: int = 0) -> list[Agreement]:
    """Compare what the mart makes of the updates with the desk's own counts."""
    log = pd.read_csv(data / "servicedesk_events.csv.gz", dtype=str, keep_default_na=False)
    log = _first_cases(log, "number", limit)
    # The publisher blanked names; the desk counted each change to and from such a group like any other.
    log["assignment_group"] = log["assignment_group"].replace("", "not stated")
    last = log.groupby("number").last()
    incidents = last.reset_index()[["number", "caller_id", "contact_type", "priority", "opened_at"]]
    incidents.to_csv(folder / "incidents.csv", index=False)
    _changes(log).to_csv(folder / "changes.csv", index=False)
    _write_sources(
        folder,
        [
            {
                "entity": "tickets",
                "path": "incidents.csv",
                "columns": {"ticket_id": "number", "customer_ref": "caller_id", "created_at": "opened_at"},
                "values": {"priority": {"1 - Critical": "urgent", "2 - High": "high", "3 - Moderate": "medium",
                                        "4 - Low": "low"}},
                "constants": {"channel": "phone"},
            },
            {
                "entity": "ticket_events",
                "path": "changes.csv",
                "columns": {"ticket_id": "number"},
                "values": {"old_value": STATES, "new_value": STATES},
                "constants": {"actor_role": "agent"},
            },
        ],
    )  # fmt: skip
    tickets, handovers = _build(folder)
    joined = tickets.join(last, how="left", rsuffix="_recorded")
    joined["cross_team"] = handovers[handovers["is_cross_team"]].groupby("ticket_id").size()
    joined["cross_team"] = joined["cross_team"].fillna(0).astype(int)
    signs = _signs(log)
    solved = joined[joined["resolved_at_recorded"] != ""]
    late = pd.to_datetime(solved["resolved_at_recorded"])
    return [
        _compared(
            "reassignments = hand-overs to another group",
            joined["cross_team"] == joined["reassignment_count"].astype(int),
            signs,
            {
                "the log begins with a count above zero": "counted_before",
                "the desk counted without a change of group in its log": "counted_unseen",
            },
        ),
        _compared(
            "reassignments = all hand-overs, persons within a group included",
            joined["transfer_count"] == joined["reassignment_count"].astype(int),
            signs,
            {
                "a person of the same group took over, which this desk doesn't count": "person_changed",
                "the log begins with a count above zero": "counted_before",
                "the desk counted without a change of group in its log": "counted_unseen",
            },
        ),
        _compared(
            "reopenings",
            joined["reopen_count"] == joined["reopen_count_recorded"].astype(int),
            signs,
            {"left Resolved, but the desk didn't count it": "reopened"},
        ),
        _compared(
            "instant of the solution",
            solved["resolved_at"].dt.floor("min") == late,
            signs.assign(
                saved_again=solved["resolved_at"].dt.floor("min") < late,
                closed_again=solved["resolved_at"].dt.floor("min") > late,
            ),
            {
                "the desk stamps every save of a solved incident; the mart takes the first": "saved_again",
                "reopened and closed without another Resolved": "closed_again",
            },
        ),
    ]


def _first_cases(log: pd.DataFrame, key: str, limit: int) -> pd.DataFrame:
    return log[log[key].isin(log[key].drop_duplicates().head(limit))] if limit else log


def _changes(log: pd.DataFrame) -> pd.DataFrame:
    """One row per change of a field from one update to the next, in the desk's own words."""
    found = []
    for place, (field, column) in enumerate(
        {"status": "incident_state", "team": "assignment_group", "assignee": "assigned_to"}.items()
    ):
        before = log.groupby("number")[column].shift().fillna("")
        changed = log[log[column] != before]
        # Numbered in the order of the file: updates share minutes.
        numbers = [f"{position:07d}-{place}" for position in changed.index]
        found.append(
            pd.DataFrame(
                {
                    "event_id": numbers,
                    "number": changed["number"],
                    "event_at": changed["sys_updated_at"],
                    "field": field,
                    "old_value": before[changed.index],
                    "new_value": changed[column],
                }
            )
        )
    return pd.concat(found)


def _signs(log: pd.DataFrame) -> pd.DataFrame:
    """What explains a difference, by incident."""
    by_number = log.groupby("number")
    count = log["reassignment_count"].astype(int)
    step = count.groupby(log["number"]).diff().fillna(0)
    moved, person = (_moved(log, column) for column in ("assignment_group", "assigned_to"))
    left = log["incident_state"].isin(DONE).groupby(log["number"]).shift().eq(True) & ~log["incident_state"].isin(DONE)
    return pd.DataFrame(
        {
            "counted_before": by_number["reassignment_count"].first().astype(int) > 0,
            "counted_unseen": (step != moved).groupby(log["number"]).any(),
            "person_changed": (person & ~moved).groupby(log["number"]).any(),
            "reopened": left.groupby(log["number"]).any(),
        }
    )


def _moved(log: pd.DataFrame, column: str) -> pd.Series[bool]:
    """Updates that put another value in the place of the last known one."""
    stated = log[column].where(log[column] != "")
    before = stated.groupby(log["number"]).ffill().groupby(log["number"]).shift()
    return stated.notna() & before.notna() & (stated != before)


# -- a desk that delivers activities -----------------------------------------------------------------------------------


def check_helpdesk(data: Path, folder: Path, limit: int = 0) -> list[Agreement]:
    """Compare what the mart makes of the activities with a count of them."""
    log = pd.read_csv(data / "helpdesk_events.csv.gz", dtype=str, keep_default_na=False)
    log = _first_cases(log, "case_id", limit)
    log["line"] = [f"{position:06d}" for position in range(len(log))]
    log.to_csv(folder / "activities.csv", index=False)
    log.groupby("case_id", as_index=False).first().to_csv(folder / "cases.csv", index=False)
    activities = {
        "entity": "ticket_events",
        "path": "activities.csv",
        "columns": {"ticket_id": "case_id", "event_at": "timestamp", "actor_ref": "resource"},
    }
    _write_sources(
        folder,
        [
            {
                "entity": "tickets",
                "path": "cases.csv",
                "columns": {"ticket_id": "case_id", "created_at": "timestamp"},
                "constants": {"channel": "web_form"},
            },
            activities
            | {
                "where": {"activity": list(ACTIVITIES)},
                "columns": {**activities["columns"], "new_value": "activity"},
                "values": {"new_value": ACTIVITIES},
                "templates": {"event_id": "{line}-status"},
                "constants": {"field": "status", "actor_role": "agent"},
            },
            activities
            | {
                "where": {"activity": "Take in charge ticket"},
                "columns": {**activities["columns"], "new_value": "resource"},
                "templates": {"event_id": "{line}-taken"},
                "constants": {"field": "assignee", "actor_role": "agent"},
            },
        ],
    )
    tickets, _ = _build(folder)
    counted = _counted(log)
    joined = tickets.join(counted, how="left", rsuffix="_recorded")
    return [
        _compared(
            "a case resolved twice or more was reopened",
            (joined["reopen_count"] > 0) == (joined["resolved_times"] > 1),
            counted.assign(
                resent=(counted["resolved_times"] > 1) & (counted["left_done"] == 0),
                unfinished=(counted["resolved_times"] < 2) & (counted["left_done"] > 0),
            ),
            {
                "resolved again without anything in between: no reopening": "resent",
                "reopened, but not resolved a second time": "unfinished",
            },
        ),
        _compared("reopenings counted in pandas", joined["reopen_count"] == joined["left_done"], counted, {}),
        _compared("persons taking over counted in pandas", joined["transfer_count"] == joined["taken"], counted, {}),
        _compared(
            "seconds to the solution counted in pandas",
            joined["resolution_seconds"].fillna(-1) == joined["seconds"].fillna(-1),
            counted,
            {},
        ),
    ]


def _counted(log: pd.DataFrame) -> pd.DataFrame:
    """Each case by its activities, read one after the other."""
    rows = {}
    for case, activities in log.groupby("case_id"):
        at = pd.to_datetime(activities["timestamp"], utc=True)
        ordered = activities.assign(at=at).sort_values("at", kind="stable")
        state, holder, solved_at, left, taken = "new", None, None, 0, 0
        for row in ordered.itertuples():
            new = ACTIVITIES.get(str(row.activity))
            if row.activity == "Take in charge ticket":
                taken += holder not in (None, row.resource)
                holder = row.resource
            if new is None:
                continue
            was_done, is_done = state in ("solved", "closed"), new in ("solved", "closed")
            solved_at = row.at if is_done and not was_done else solved_at
            left += was_done and not is_done
            state = new
        is_solved = state in ("solved", "closed")
        rows[case] = {
            "resolved_times": int((activities["activity"] == "Resolve ticket").sum()),
            "left_done": left,
            "taken": taken,
            "seconds": (solved_at - at.iloc[0]).total_seconds() if is_solved and solved_at is not None else None,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


# -- working days ------------------------------------------------------------------------------------------------------


def check_working_days(data: Path, folder: Path) -> WorkingDays:
    """Count the working days from letter to reply with make-up workdays and without."""
    sources = yaml.safe_load((PROJECT_ROOT / "examples" / "citizen_complaints.yml").read_text(encoding="utf-8"))
    for source in sources["sources"]:
        for table in source["tables"]:
            table["path"] = str(data / "citizen_complaints.csv.gz")
    (folder / "sources.yml").write_text(yaml.safe_dump(sources, allow_unicode=True), encoding="utf-8")
    settings = Settings(var=folder / "var", sources=folder / "sources.yml", mask_key="real check")
    load_calendar(settings)
    ingest_source(settings, "citizen_desk", Interval(), "real-check")
    run_dbt(settings, "build", [*MODELS, "+dim_date"])
    with open_warehouse(settings) as warehouse:
        row = warehouse.rows(
            """
            with letters as (
                select t.ticket_key,
                    count(*) filter (where d.is_workday) as days,
                    count(*) filter (where d.is_workday and d.day_kind <> 'makeup_workday') as days_without_makeup,
                    count(*) filter (where d.iso_weekday <= 5) as weekdays
                from mart.fct_tickets as t
                left join mart.dim_date as d
                    on d.date_day > t.created_on
                    and d.date_day <= cast(t.first_response_at + interval '8 hours' as date)
                where t.first_response_at is not null
                group by t.ticket_key
            )
            select
                count(*) as letters,
                count(*) filter (where days <> days_without_makeup) as by_makeup_days,
                count(*) filter (where days <> weekdays) as by_calendar
            from letters
            """
        )[0]
    return WorkingDays(row["letters"], row["by_makeup_days"], row["by_calendar"])


# -- shared ------------------------------------------------------------------------------------------------------------


def _write_sources(folder: Path, tables: list[dict[str, Any]]) -> None:
    source = {"name": "desk", "domain": "tickets", "kind": "files", "tables": tables}
    text = yaml.safe_dump({"company": "real check", "timezone": "UTC", "sources": [source]}, allow_unicode=True)
    (folder / "sources.yml").write_text(text, encoding="utf-8")


def _build(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Load and build; the tickets by their number, and the hand-overs."""
    settings = Settings(var=folder / "var", sources=folder / "sources.yml", mask_key="real check", timezone="UTC")
    load_calendar(settings)
    reports = ingest_source(settings, "desk", Interval(), "real-check")
    if lost := sum(report.quarantined for report in reports):
        print(f"  {lost:,} rows went to quarantine")
    run_dbt(settings, "build", list(MODELS))
    with open_warehouse(settings) as warehouse:
        tickets = warehouse.query("select * from mart.fct_tickets").to_pandas().set_index("ticket_id")
        handovers = warehouse.query("select * from mart.fct_handovers").to_pandas()
        excluded = warehouse.rows(
            "select reason, count(*) as tickets from intermediate.int_ticket_cleaning"
            " where reason <> 'reportable' group by reason"
        )
    for row in excluded:
        print(f"  left out by the cleaning rules: {row['tickets']:,} ({row['reason']})")
    return tickets, handovers


def _compared(measure: str, agrees: pd.Series[bool], signs: pd.DataFrame, reasons: dict[str, str]) -> Agreement:
    """Sort what doesn't agree by the first reason whose sign the ticket shows."""
    rest: dict[str, int] = {}
    for ticket in agrees.index[~agrees.to_numpy(dtype=bool)]:
        shown = [why for why, sign in reasons.items() if bool(signs[sign].get(ticket, False))]
        reason = shown[0] if shown else "not explained"
        rest[reason] = rest.get(reason, 0) + 1
    return Agreement(measure, len(agrees), int(agrees.sum()), rest)


if __name__ == "__main__":
    main()
