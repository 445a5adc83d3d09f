"""The business rules that people edit are checked before anything is built on them."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from huiyin.config import Settings
from huiyin.errors import HuiyinError
from warehouse.composite import weight_problems

_SHOWN = 20
_LONGEST_TARGET = 10 * 366 * 86_400  # seconds
_LISTS = ("pauses_on",)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):[0-5]\d|24:00")


class RulesError(HuiyinError):
    """The folder of business rules is unusable; the message names file, row and column."""


def check_rules(settings: Settings) -> None:
    """Raise :class:`RulesError` unless ``settings.rules_dir`` holds every rules file with usable columns and values.

    What each file must hold stands in ``dbt_project/models/rules/_rules.yml``.
    """
    properties = settings.dbt_dir / "models" / "rules" / "_rules.yml"
    problems: list[str] = []
    for seed in yaml.safe_load(properties.read_text(encoding="utf-8"))["seeds"]:
        file = settings.rules_dir / f"{seed['name']}.csv"
        config = seed["config"]
        problems += _problems(
            file, config["column_types"], config["meta"]["required"], config["meta"].get("values", {})
        )
    if problems:
        raise RulesError(
            f"the business rules in {settings.rules_dir} can't be used:\n"
            + "\n".join(f"  {problem}" for problem in problems[:_SHOWN])
            + f"\nmend the files; the project's own set in {settings.dbt_dir / 'seeds'} shows what they hold"
        )


def _problems(
    file: Path, types: Mapping[str, str], required: Sequence[str], values: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            header = list(reader.fieldnames or [])
            rows = list(reader)
    except FileNotFoundError:
        yield f"{file.name}: the file is missing"
        return
    except UnicodeDecodeError as error:
        yield f"{file.name}: is not UTF-8 (byte {error.start}); save it as UTF-8"
        return
    except (OSError, csv.Error) as error:
        yield f"{file.name}: can't be read ({error})"
        return
    missing = [name for name in types if name not in header]
    unknown = [name for name in header if name not in types]
    if missing or unknown:
        found = (("lacks the columns", missing), ("has unknown columns", unknown))
        yield f"{file.name}: " + "; ".join(f"{what} {', '.join(map(repr, names))}" for what, names in found if names)
        return
    for number, row in enumerate(rows, start=2):
        for name, kind in types.items():
            value = (row[name] or "").strip()
            if not value:
                if name in required:
                    yield f"{file.name} row {number}: {name} is empty"
            elif not _fits(value, kind):
                yield f"{file.name} row {number}: {name} is {value!r}, which is no {kind}"
            elif name in values and not set(value.split("|") if name in _LISTS else [value]) <= set(values[name]):
                what = "joined by '|' of" if name in _LISTS else "one of"
                yield f"{file.name} row {number}: {name} is {value!r}, which isn't {what} {', '.join(values[name])}"
    if file.stem == "service_schedules":
        yield from _schedule_problems(file, rows)
    if file.stem == "sla_policies":
        yield from _policy_problems(file, rows)
    if file.stem == "composite_weights":
        yield from weight_problems(file, rows)


def _schedule_problems(file: Path, rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    for number, row in enumerate(rows, start=2):
        for name in ("opens", "closes"):
            if not _CLOCK.fullmatch(row[name].strip()):
                yield f"{file.name} row {number}: {name} is {row[name]!r}, which is no clock time such as 09:00"
        try:
            ZoneInfo(row["timezone"])
        except (ZoneInfoNotFoundError, ValueError):
            yield f"{file.name} row {number}: timezone is {row['timezone']!r}, which is no time zone"
    if len({row["schedule_id"] for row in rows if row["is_default"].strip().lower() == "true"}) != 1:
        yield f"{file.name}: exactly one schedule_id must be the default (is_default true)"


def _policy_problems(file: Path, rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    known = {
        "channel": _column(file.with_name("channels.csv"), "channel"),
        "problem_type": _column(file.with_name("problem_types.csv"), "problem_type"),
    }
    seen: set[str] = set()
    for number, row in enumerate(rows, start=2):
        if row["policy_id"] in seen:
            yield f"{file.name} row {number}: policy_id {row['policy_id']!r} is there twice; each target has its own"
        seen.add(row["policy_id"])
        minutes = row["target_minutes"].strip()
        if _fits(minutes, "double precision") and not 1 <= float(minutes) * 60 <= _LONGEST_TARGET:
            yield f"{file.name} row {number}: target_minutes is {minutes}, which is no time from a second to ten years"
        begin, end = row["effective_from_on"].strip(), row["effective_to_on"].strip()
        if begin and end and _fits(begin, "date") and _fits(end, "date") and begin >= end:
            yield f"{file.name} row {number}: effective_to_on {end} isn't after effective_from_on {begin}"
        for name, values in known.items():
            value = row[name].strip()
            if value and values and value not in values:
                yield (
                    f"{file.name} row {number}: {name} is {value!r}, which {file.with_name(f'{name}s.csv').name} lacks;"
                    " no ticket would ever have this target"
                )


def _column(file: Path, name: str) -> set[str]:
    """Values of one column; none where the file is unusable, which is reported where it is read."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return {(row.get(name) or "").strip() for row in csv.DictReader(lines)} - {""}
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()


def _fits(value: str, kind: str) -> bool:
    parse: Mapping[str, Callable[[str], object]] = {
        "text": str,
        "integer": int,
        "double precision": float,
        "date": date.fromisoformat,
        "boolean": lambda text: ("false", "true").index(text.lower()),
    }
    try:
        parse[kind](value)
    except ValueError:
        return False
    return True
