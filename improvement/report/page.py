"""The page: sections rendered through the templates into one file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from improvement.report.captions import Captions
from improvement.report.sections.alerts import alerts
from improvement.report.sections.cards import cards
from improvement.report.sections.composite import composite
from improvement.report.sections.context import Context
from improvement.report.sections.demand import demand, demand_chart
from improvement.report.sections.drivers import drivers
from improvement.report.sections.headline import headline
from improvement.report.sections.indicators import indicators
from improvement.report.sections.knowledge import knowledge
from improvement.report.sections.opinions import opinions
from improvement.report.sections.quality import quality
from improvement.report.sections.staffing import staffing, staffing_chart
from improvement.report.sections.tables import tables
from improvement.report.sections.topics import topics
from improvement.report.sections.trends import charts, heat_map

_HERE = Path(__file__).parent
_SECTIONS = (
    "headline",
    "indicators",
    "cards",
    "alerts",
    "topics",
    "knowledge",
    "tables",
    "trends",
    "demand",
    "quality",
)


def render_page(context: Context, *, workbook: str, zone: str) -> str:
    """The whole page.

    Every value is escaped by the template engine. As a second wall the page's own content security policy admits
    only its two scripts, by their hash, and no request of any kind.
    """
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text, periods, numbers = context.text, context.periods, context.numbers
    drawn = {**charts(context), "demand": demand_chart(context), "staffing": staffing_chart(context)}
    options = {name: chart["option"] for name, chart in drawn.items() if chart}
    # The policy's hash covers the very characters between the tags, as the parser sees them: newlines as LF.
    echarts = _file("vendor/echarts/echarts.common.min.js")
    script = _file("templates/report.js")
    written_at = datetime.now(ZoneInfo(zone))
    return environment.get_template("page.html.j2").render(
        t=text,
        say=context.say,
        as_of_on=periods.as_of_on,
        report_of=context.say("report_of", day=numbers.day(periods.as_of_on)),
        period=context.say(
            "period",
            week_from=numbers.short_day(periods.week_start_on),
            week_to=numbers.short_day(periods.week_end_on),
            month_from=numbers.short_day(periods.month_start_on),
            as_of=numbers.short_day(periods.as_of_on),
        ),
        extent_note=_extent_note(context),
        section_numbers={name: number for number, name in enumerate(_SECTIONS, 1)},
        contents=[(name, text[f"{name}_title"]) for name in _SECTIONS],
        workbook=workbook,
        headline=headline(context),
        indicators=indicators(context),
        composite=composite(context),
        cards=cards(context),
        alerts=alerts(context),
        topics=topics(context),
        opinions=opinions(context),
        drivers=drivers(context),
        knowledge=knowledge(context),
        tables=tables(context),
        charts=drawn,
        chart_titles=_chart_titles(context, text),
        chart_options=htmlsafe_json_dumps(options, ensure_ascii=False, allow_nan=False),
        heat=heat_map(context),
        demand=demand(context),
        staffing=staffing(context),
        quality=quality(context),
        generated=context.say("generated", at=f"{written_at:%Y-%m-%d %H:%M}", zone=zone),
        css=Markup(_file("templates/report.css")),
        echarts=Markup(echarts),
        script=Markup(script),
        script_hashes=Markup(" ".join(_policy_hash(part) for part in (echarts, script))),
    )


def _chart_titles(context: Context, text: Captions) -> dict[str, str]:
    month = context.numbers.month(context.periods.month_start_on)
    return {
        "daily": text["chart_daily"],
        "response": text["chart_response"],
        "sla": context.say("chart_sla", month=month),
        "satisfaction": text["chart_satisfaction"],
        "demand": text["chart_demand"],
        "staffing": text["chart_staffing"],
    }


def _extent_note(context: Context) -> str:
    through = context.rows.extent["tickets_through_on"]
    if through is None or through == context.periods.as_of_on:
        return ""
    key = "ahead_note" if through > context.periods.as_of_on else "behind_note"
    return context.say(key, through=context.numbers.day(through))


def _file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _policy_hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
