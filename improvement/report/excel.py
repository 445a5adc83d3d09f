"""The evaluation template's three tables and the knowledge gaps as an Excel workbook, numbers as numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from improvement.report.mart import Row
from improvement.report.sections.context import Context, in_order
from improvement.report.sections.demand import arrivals, event_of, expected, interval
from improvement.report.sections.effects import effect_windows, effect_words
from improvement.report.sections.staffing import consequence, is_short, team_plans

PERCENT, SIGNED_PERCENT, DECIMAL, COUNT, DAY = "0.0%", "+0.0%;-0.0%;0.0%", "#,##0.0", "#,##0", "yyyy-mm-dd"
_HEADER_FILL = PatternFill("solid", fgColor="1F5F8B")
_LINE = Border(bottom=Side(style="thin", color="E3E6EA"))
_MISSED = Font(color="B3261E", bold=True)


@dataclass(frozen=True)
class Column:
    """A caption, where the value comes from, its number format (None: text) and width in characters."""

    caption: str
    value: Callable[[Row], Any]
    number_format: str | None = None
    width: int = 14


def workbook_bytes(context: Context) -> bytes:
    """The workbook as a file's content."""
    text, rows = context.text, context.rows
    book = Workbook()
    first = book.active
    assert first is not None  # a new workbook has one sheet
    book.remove(first)
    summary = [*in_order(rows.summary_month), *in_order(rows.summary_week), *in_order(rows.summary_quarter)]
    _sheet(book, text["sheet_summary"], _summary_columns(context), summary, missed=4)
    _sheet(book, text["sheet_problem"], _problem_columns(context), rows.problem_response)
    _sheet(book, text["sheet_actions"], _action_columns(context), rows.actions)
    _sheet(book, text["sheet_knowledge"], _knowledge_columns(context), rows.knowledge_gaps)
    _sheet(book, text["sheet_demand"], _demand_columns(context), _demand_rows(context))
    _sheet(book, text["sheet_staffing"], _staffing_columns(context), _staffing_rows(context))
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def _field(name: str) -> Callable[[Row], Any]:
    return lambda row: row[name]


def _summary_columns(context: Context) -> list[Column]:
    text = context.text

    def met(row: Row) -> str:
        return "" if row["is_target_met"] is None else text["met" if row["is_target_met"] else "not_met"]

    def volatility(row: Row) -> str:
        return "" if row["is_volatile"] is None else text["volatile" if row["is_volatile"] else "stable"]

    def direction(row: Row) -> str:
        return {"at_most": "≤", "at_least": "≥"}.get(row["target_direction"] or "", "")

    return [
        Column(text["period_kind"], lambda row: context.name("period_kind", row["period_kind"]), width=8),
        Column(text["period_start"], _field("period_start_on"), DAY, 12),
        Column(text["indicator"], context.indicator_name, width=22),
        Column(text["unit"], _field("unit"), width=8),
        Column(text["is_met"], met, width=10),
        Column(text["actual"], _field("actual_value"), "by_indicator", 12),
        Column(text["target_direction"], direction, width=6),
        Column(text["target"], _field("target_value"), "by_indicator", 12),
        Column(text["deviation"], _field("deviation_ratio"), SIGNED_PERCENT, 12),
        Column(text["previous"], _field("previous_value"), "by_indicator", 12),
        Column(text["year_ago"], _field("year_ago_value"), "by_indicator", 12),
        Column(text["volatility"], volatility, width=10),
        Column(text["observation_count"], _field("observation_count"), COUNT, 10),
        Column(text["formula"], _field("formula"), width=44),
        Column(text["data_source"], _field("data_source"), width=18),
        Column(text["note"], _field("note"), width=30),
    ]


def _problem_columns(context: Context) -> list[Column]:
    text, minutes = context.text, context.text["unit_minutes"]
    durations = [
        ("first_response_mean", "mean_first_response_minutes"),
        ("first_response_p50", "p50_first_response_minutes"),
        ("first_response_p90", "p90_first_response_minutes"),
        ("first_response_p95", "p95_first_response_minutes"),
        ("handling_mean", "mean_handling_minutes"),
        ("handling_p90", "p90_handling_minutes"),
    ]
    return [
        Column(text["month"], _field("period_start_on"), DAY, 12),
        Column(text["problem_type"], context.problem_type_name, width=16),
        Column(text["ticket_count"], _field("ticket_count"), COUNT, 10),
        *(Column(f"{text[key]}({minutes})", _field(name), DECIMAL, 18) for key, name in durations),
        Column(text["csat"], _field("csat_mean"), "0.00", 10),
        Column(text["csat_answers"], _field("csat_count"), COUNT, 10),
        Column(text["delay_stage"], _field("main_delay_stage"), width=22),
    ]


def _action_columns(context: Context) -> list[Column]:
    text = context.text

    def progress(row: Row) -> float | None:
        return None if row["progress_percent"] is None else row["progress_percent"] / 100

    return [
        Column(text["measure"], _field("measure"), width=40),
        Column(text["alert_card"], _field("card_id"), width=14),
        Column(text["owner"], _field("owner"), width=14),
        Column(text["team"], _field("team"), width=14),
        Column(text["started"], _field("started_on"), DAY, 12),
        Column(text["due"], _field("due_on"), DAY, 12),
        Column(text["done"], _field("done_on"), DAY, 12),
        Column(text["progress"], progress, "0%", 8),
        Column(text["status"], lambda row: context.name("action_status", row["status"]), width=10),
        Column(text["overdue"], lambda row: text["overdue"] if row["is_overdue"] else "", width=8),
        Column(text["effect"], lambda row: effect_words(context, row), width=56),
        Column(text["effect_basis"], lambda row: effect_windows(context, row), width=60),
        Column(text["note"], _field("note"), width=30),
    ]


def _knowledge_columns(context: Context) -> list[Column]:
    text = context.text
    return [
        Column(text["knowledge_question"], _field("question"), width=36),
        Column(text["knowledge_state"], lambda row: context.name("gap_state", row["state"]), width=18),
        Column(text["knowledge_tickets"], _field("ticket_count"), COUNT, 10),
        Column(text["previous"], _field("previous_ticket_count"), COUNT, 10),
        Column(text["topic_change"], _field("change_ratio"), SIGNED_PERCENT, 10),
        Column(text["knowledge_hours"], lambda row: row["agent_minutes"] / 60, DECIMAL, 10),
        Column(text["knowledge_share"], _field("agent_time_share"), PERCENT, 10),
        Column(text["knowledge_answer"], _field("answer"), width=50),
        Column(text["knowledge_answer_ticket"], _field("answer_ticket_key"), width=24),
        Column(text["knowledge_article"], _field("article_title"), width=30),
        Column(text["knowledge_article_id"], _field("article_id"), width=12),
        Column(text["knowledge_draft"], _field("draft"), width=60),
    ]


def _demand_rows(context: Context) -> list[Row]:
    came, ahead, between = arrivals(context), expected(context), interval(context)
    return [
        {
            "date_day": day,
            "actual": came.get(day),
            "expected": ahead.get(day),
            "low": between[day][0] if day in between else None,
            "high": between[day][1] if day in between else None,
        }
        for day in [*came, *ahead]
    ]


def _demand_columns(context: Context) -> list[Column]:
    text = context.text
    return [
        Column(text["day"], _field("date_day"), DAY, 12),
        Column(text["weekday"], lambda row: context.name("weekday", row["date_day"].isoweekday()), width=8),
        Column(text["event"], lambda row: event_of(context, row["date_day"]), width=24),
        Column(text["chart_demand_came"], _field("actual"), COUNT, 10),
        Column(text["chart_demand_expected"], _field("expected"), DECIMAL, 10),
        Column(text["interval_low"], _field("low"), DECIMAL, 10),
        Column(text["interval_high"], _field("high"), DECIMAL, 10),
    ]


def _staffing_rows(context: Context) -> list[Row]:
    """Hours in which somebody is needed or rostered, with what a shortage means."""
    return [
        {**row, "consequence": consequence(context, plan, row) if is_short(row) else ""}
        for plan in team_plans(context)
        for row in plan.hours
        if row["required_agents"] or row["rostered_agents"]
    ]


def _staffing_columns(context: Context) -> list[Column]:
    text = context.text
    return [
        Column(text["team"], _field("team"), width=16),
        Column(text["day"], _field("date_day"), DAY, 12),
        Column(text["weekday"], lambda row: context.name("weekday", row["date_day"].isoweekday()), width=8),
        Column(text["event"], lambda row: event_of(context, row["date_day"]), width=18),
        Column(text["hour"], _field("hour_of_day"), "00", 8),
        Column(text["expected_arrivals"], _field("expected_count"), DECIMAL, 10),
        Column(text["required"], _field("required_agents"), COUNT, 10),
        Column(text["rostered"], _field("rostered_agents"), DECIMAL, 10),
        Column(text["gap"], _field("gap_agents"), "+0.0;-0.0;0.0", 10),
        Column(text["consequence"], _field("consequence"), width=70),
    ]


def _sheet(book: Workbook, title: str, columns: list[Column], rows: list[Row], missed: int | None = None) -> None:
    """``missed`` is the position of the column that is marked where the target is missed."""
    sheet = book.create_sheet(title)
    for place, column in enumerate(columns, 1):
        head = sheet.cell(1, place, column.caption)
        head.font, head.fill = Font(bold=True, color="FFFFFF"), _HEADER_FILL
        head.alignment = Alignment(wrap_text=True, vertical="center")
        sheet.column_dimensions[get_column_letter(place)].width = column.width
    for line, row in enumerate(rows, 2):
        for place, column in enumerate(columns, 1):
            _write(sheet, line, place, column, row)
        if missed is not None and row["is_target_met"] is False:
            sheet.cell(line, missed + 1).font = _MISSED
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{len(rows) + 1}"
    sheet.sheet_view.showGridLines = False
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "1:1"


def _write(sheet: Worksheet, line: int, place: int, column: Column, row: Row) -> None:
    value = column.value(row)
    cell = sheet.cell(line, place)
    if isinstance(value, str):
        value = ILLEGAL_CHARACTERS_RE.sub("", value)
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"  # a text that begins with = is no formula
    if column.number_format == "by_indicator":
        cell.number_format = _indicator_format(row["indicator_code"])
    elif column.number_format:
        cell.number_format = column.number_format
    cell.border = _LINE
    cell.alignment = Alignment(vertical="top", wrap_text=column.number_format is None)


def _indicator_format(code: str) -> str:
    if code.endswith("_share"):
        return PERCENT
    if code.endswith("_count"):
        return COUNT
    return "0.00" if code == "csat_mean" else DECIMAL
