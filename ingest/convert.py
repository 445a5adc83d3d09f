"""Typed values out of text, vectorised; what can't be converted is a fault of its row, never an exception."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import Entity, Field

Mask = npt.NDArray[np.bool_]
Instants = npt.NDArray[np.datetime64]

_TRUE = ("true", "t", "yes", "y", "1", "1.0", "on", "是", "真", "有", "对", "√", "已")
_FALSE = ("false", "f", "no", "n", "0", "0.0", "off", "否", "假", "无", "错", "×", "未")
_NOTHING = ("null", "none", "nan", "nat", "n/a", "na", r"\n", "-", "--", "—", "无", "空")
_INSTANT = (
    r"^(?P<year>\d{4})\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*日?"
    r"(?:[T\s]*(?P<half>上午|下午|晚上|AM|PM)?\s*(?P<hour>\d{1,2})\s*[:时点]\s*(?P<minute>\d{1,2})?\s*分?"
    r"(?:[:]?\s*(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,9}))?\s*秒?)?\s*(?P<half_after>AM|PM)?)?"
    r"\s*(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)?$"
)
_COMPACT = (
    r"^(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?:T?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})(?P<offset>Z|[+-]\d{4})?)?$"
)
_EPOCH = r"^\d{10}(?:\.\d+)?$|^\d{13}$|^\d{16}$"
_NUMBER = (
    r"^(?P<sign>[-+−])?[¥￥$]?\s*(?P<whole>\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,3})?)"
    r"\s*(?P<unit>万|亿|%)?\s*(?:元|分|次|条|个)?$"
)
_EARLIEST, _LATEST = np.datetime64("1970-01-01", "us"), np.datetime64("2100-01-01", "us")
_LAST_OF_HOUR = np.timedelta64(3_600_000_000 - 1, "us")
_KIND_REMEDIES = {
    "instant": "write YYYY-MM-DD HH:MM:SS (1970 to 2099), with +08:00 where the zone differs, or name its `formats`",
    "date": "write YYYY-MM-DD, or name its `formats`",
    "number": "write digits with a decimal point",
    "integer": "write a whole number",
    "boolean": "write true or false (or 是/否), or translate it under `values`",
}


@dataclass(frozen=True)
class Fault:
    """A rule that some rows of one field break."""

    rule: str
    field: str
    rows: Mask
    remedy: str


@dataclass(frozen=True)
class Converted:
    """``table`` is typed by the contract, faulty values NULL; ``unregistered`` counts values outside `values`."""

    table: pa.Table
    faults: Sequence[Fault]
    unregistered: Mapping[str, Mapping[str, int]]


def convert(text: pa.Table, entity: Entity, zone: str, formats: Mapping[str, str] | None = None) -> Converted:
    """Type each field of a table of text by the contract and find the rows that break it.

    ``zone`` is that of instants without one, ``formats`` strptime formats by field. Checked in this order: required,
    convertible, within range, within the registered values (only where required and not open).
    """
    columns: list[pa.Array] = []
    faults: list[Fault] = []
    unregistered: dict[str, dict[str, int]] = {}
    for field in entity.fields:
        given = _combined(text.column(field.name))
        typed, invalid = _typed(given, field, zone, (formats or {}).get(field.name))
        if invalid.any():
            faults.append(Fault("type", field.name, invalid, _KIND_REMEDIES[field.kind]))
        if field.required or field.name in entity.key:
            missing = _as_mask(pc.is_null(typed)) & ~invalid
            if missing.any():
                remedy = "the source must fill it; or give it by `constants` or `templates`"
                faults.insert(0, Fault("required", field.name, missing, remedy))
        if fault := _range_fault(typed, field):
            faults.append(fault)
        if field.values:
            typed, fault, strangers = _registered(typed, field)
            if fault:
                faults.append(fault)
            elif strangers:
                unregistered[field.name] = strangers
        columns.append(typed)
    return Converted(pa.Table.from_arrays(columns, names=text.column_names), faults, unregistered)


def instants(text: pa.Array, zone: str) -> tuple[pa.Array, Mask]:
    """Instants (naive UTC) out of text, and where a value is none. ``zone`` is that of values without one."""
    return _typed(text, Field("instant", "instant"), zone, None)


def _typed(given: pa.Array, field: Field, zone: str, date_format: str | None) -> tuple[pa.Array, Mask]:
    if field.kind == "text":
        return given, np.zeros(len(given), dtype=bool)
    # Few different values repeat over many rows (flags, days, scores); each is converted once.
    encoded = given.dictionary_encode()
    different = pc.ascii_lower(pc.utf8_trim_whitespace(pc.utf8_normalize(encoded.dictionary, "NFKC")))
    # 无 is an answer to a yes-no question, elsewhere it says that there is no value.
    nothing = pc.is_in(different, pa.array(_NOTHING[:-2] if field.kind == "boolean" else _NOTHING))
    different = pc.if_else(nothing, pa.scalar(None, pa.string()), different)
    if field.kind == "boolean":
        typed = _booleans(different)
    elif field.kind == "number":
        typed = _numbers(different, percent=1.0 if field.name.endswith("_percent") else 100.0)
    elif field.kind == "integer":
        typed = _integers(different)
    else:
        instants, dates = _instants(different, encoded.dictionary, zone, date_format)
        typed = instants if field.kind == "instant" else dates
    bad_values = pc.and_(pc.is_valid(different), pc.is_null(typed))
    invalid = pc.fill_null(pc.take(bad_values, encoded.indices), False)
    return pc.take(typed, encoded.indices), _as_mask(invalid)


def _booleans(text: pa.Array) -> pa.Array:
    yes, no = pc.is_in(text, pa.array(_TRUE)), pc.is_in(text, pa.array(_FALSE))
    return pc.if_else(yes, True, pc.if_else(no, False, pa.scalar(None, pa.bool_())))


def _numbers(text: pa.Array, percent: float = 100.0) -> pa.Array:
    """Numbers as people write them: 1,234.5 · ¥3.5万 · 35% (divided by ``percent``) · −2 · 1e5."""
    parts = pc.extract_regex(text, _NUMBER)
    value = pc.cast(pc.replace_substring(pc.struct_field(parts, "whole"), ",", ""), pa.float64())
    unit = pc.struct_field(parts, "unit")
    factor = pc.take(pa.array([1.0, 1e4, 1e8, 1.0]), pc.index_in(unit, pa.array(["", "万", "亿", "%"])))
    value = pc.divide(value, pc.if_else(pc.equal(unit, "%"), percent, 1.0))
    negative = pc.is_in(pc.struct_field(parts, "sign"), pa.array(["-", "−"]))
    value = pc.multiply(pc.multiply(value, factor), pc.if_else(negative, -1.0, 1.0))
    return pc.if_else(pc.is_finite(value), value, pa.scalar(None, pa.float64()))


def _integers(text: pa.Array) -> pa.Array:
    exact = pc.match_substring_regex(text, r"^-?\d{1,18}$")
    whole = pc.cast(pc.if_else(exact, text, pa.scalar(None, pa.string())), pa.int64())
    number = _numbers(text)
    integral = pc.and_(pc.equal(number, pc.floor(number)), pc.less(pc.abs(number), 2.0**53))
    rounded = pc.cast(pc.if_else(integral, number, pa.scalar(None, pa.float64())), pa.int64())
    return pc.coalesce(whole, rounded)


def _instants(text: pa.Array, original: pa.Array, zone: str, date_format: str | None) -> tuple[pa.Array, pa.Array]:
    """Instants in naive UTC, and the days as they were written (in the zone for epochs)."""
    local = np.full(len(text), np.datetime64("NaT", "us"))
    offset_minutes = np.full(len(text), np.nan)
    if date_format is not None:
        parsed = pc.strptime(original, format=date_format, unit="us", error_is_null=True)
        local = np.array(parsed.to_numpy(zero_copy_only=False), dtype="datetime64[us]")
    else:
        for pattern in (_INSTANT, _COMPACT):
            pending = np.isnat(local)
            found, minutes = _parsed(pc.extract_regex(text, _insensitive(pattern)))
            local[pending], offset_minutes[pending] = found[pending], minutes[pending]
    has_offset = ~np.isnan(offset_minutes)
    shift = (np.nan_to_num(offset_minutes) * 60_000_000).astype("timedelta64[us]")
    utc = np.where(has_offset, local - shift, _to_utc(local, zone))
    if date_format is None:
        epochs = _epochs(text)
        is_epoch = ~np.isnat(epochs)
        utc[is_epoch] = epochs[is_epoch]
        local[is_epoch] = _to_local(epochs[is_epoch], zone)
    with np.errstate(invalid="ignore"):
        outside = ~((utc >= _EARLIEST) & (utc < _LATEST))
    utc[outside] = np.datetime64("NaT")
    days = local.astype("datetime64[D]")
    days[np.isnat(local)] = np.datetime64("NaT")
    return pa.array(utc, pa.timestamp("us"), from_pandas=True), pa.array(days, pa.date32(), from_pandas=True)


def _insensitive(pattern: str) -> str:
    return "(?i)" + pattern


def _parsed(parts: pa.Array) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.float64]]:
    """Local times and offsets in minutes (NaN: none) out of the named groups; impossible ones are NaT."""
    names = [field.name for field in parts.type]

    def text(name: str) -> pa.Array:
        found = pc.struct_field(parts, name) if name in names else pa.nulls(len(parts), pa.string())
        return pc.if_else(pc.equal(found, ""), pa.scalar(None, pa.string()), found)

    def number(name: str, missing: int = 0) -> npt.NDArray[np.int64]:
        values: npt.NDArray[np.int64] = pc.fill_null(pc.cast(text(name), pa.int64()), missing).to_numpy()
        return values

    year, month, day = number("year", -1), number("month"), number("day")
    hour, minute, second = number("hour"), number("minute"), number("second")
    half = pc.coalesce(text("half"), text("half_after"))
    afternoon = _as_mask(pc.is_in(half, pa.array(["下午", "晚上", "pm", "PM"])))
    morning = _as_mask(pc.is_in(half, pa.array(["上午", "am", "AM"])))
    hour = np.where(afternoon & (hour < 12), hour + 12, np.where(morning & (hour == 12), 0, hour))
    fraction = pc.utf8_rpad(pc.fill_null(text("fraction"), "0"), 9, "0")
    microsecond = pc.cast(fraction, pa.int64()).to_numpy() // 1000
    possible = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second < 60)
    months = (np.where(possible, year, 1970) - 1970) * 12 + np.where(possible, month, 1) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]")
    length = ((months + 1).astype("datetime64[M]").astype("datetime64[D]") - first).astype(np.int64)
    possible &= day <= length
    seconds = (hour * 60 + minute) * 60 + second
    local = (first + (day - 1).astype("timedelta64[D]")).astype("datetime64[us]")
    local = local + (seconds * 1_000_000 + microsecond).astype("timedelta64[us]")
    local[~possible] = np.datetime64("NaT")
    return local, _offset_minutes(text("offset"))


def _offset_minutes(offset: pa.Array) -> npt.NDArray[np.float64]:
    digits = pc.utf8_rpad(pc.replace_substring_regex(offset, r"[^0-9]", ""), 4, "0")
    value = pc.cast(digits, pa.int64())
    minutes = pc.add(
        pc.multiply(pc.divide(value, 100), 60), pc.subtract(value, pc.multiply(pc.divide(value, 100), 100))
    )
    signed = pc.if_else(pc.starts_with(offset, "-"), pc.negate(minutes), minutes)
    result: npt.NDArray[np.float64] = pc.cast(signed, pa.float64()).to_numpy(zero_copy_only=False)
    return result


def _to_utc(local: Instants, zone: str) -> Instants:
    """Local times as UTC: of an hour that comes twice the first, of one that is skipped the instant after it."""

    def convert(some: Instants) -> Instants:
        index = pd.DatetimeIndex(some).tz_localize(
            ZoneInfo(zone), ambiguous=np.ones(len(some), dtype=bool), nonexistent="shift_forward"
        )
        return np.array(index.tz_convert("UTC").tz_localize(None), dtype="datetime64[us]")

    return _hour_by_hour(local, convert)


def _to_local(utc: Instants, zone: str) -> Instants:
    def convert(some: Instants) -> Instants:
        index = pd.DatetimeIndex(some).tz_localize("UTC").tz_convert(ZoneInfo(zone))
        return np.array(index.tz_localize(None), dtype="datetime64[us]")

    return _hour_by_hour(utc, convert)


def _hour_by_hour(instants: Instants, convert: Callable[[Instants], Instants]) -> Instants:
    """``convert``, which takes a microsecond a value, asked for the ends of each different hour only.

    Where both ends of an hour are shifted alike, all of it is; a clock isn't changed twice within one.
    """
    hours, position = np.unique(instants.astype("datetime64[h]"), return_inverse=True)
    if len(hours) * 4 > len(instants):
        return convert(instants)
    starts = hours.astype("datetime64[us]")
    shifted = convert(starts)
    ends: Instants = (starts + _LAST_OF_HOUR).astype("datetime64[us]")
    is_steady = convert(ends) - shifted == _LAST_OF_HOUR
    result: Instants = shifted[position] + (instants - starts[position])
    changing = ~is_steady[position] & ~np.isnat(instants)
    if changing.any():
        result[changing] = convert(instants[changing])
    return result


def _epochs(text: pa.Array) -> npt.NDArray[np.datetime64]:
    """Seconds, milliseconds or microseconds since 1970, told apart by their number of digits."""
    is_epoch = pc.match_substring_regex(text, _EPOCH)
    value = pc.cast(pc.if_else(is_epoch, text, pa.scalar(None, pa.string())), pa.float64())
    numbers = value.to_numpy(zero_copy_only=False).astype(np.float64)
    factor = np.where(numbers < 1e11, 1e6, np.where(numbers < 1e14, 1e3, 1.0))
    found = np.full(len(numbers), np.datetime64("NaT", "us"))
    valid = ~np.isnan(numbers)
    found[valid] = np.round(numbers[valid] * factor[valid]).astype(np.int64).astype("datetime64[us]")
    return found


def _range_fault(typed: pa.Array, field: Field) -> Fault | None:
    if field.minimum is None and field.maximum is None:
        return None
    low = -np.inf if field.minimum is None else field.minimum
    high = np.inf if field.maximum is None else field.maximum
    values = pc.cast(typed, pa.float64())
    outside = _as_mask(pc.fill_null(pc.or_(pc.less(values, low), pc.greater(values, high)), False))
    if not outside.any():
        return None
    span = f"at least {low:g}" if high == np.inf else f"at most {high:g}" if low == -np.inf else f"{low:g}…{high:g}"
    return Fault("range", field.name, outside, f"must be {span}; correct it in the source")


def _registered(typed: pa.Array, field: Field) -> tuple[pa.Array, Fault | None, dict[str, int]]:
    """Registered values in their own spelling; the others kept, and either a fault or counted."""
    allowed = pa.array(field.values, pa.string())
    folded = pc.utf8_lower(typed)
    typed = pc.if_else(pc.is_in(folded, allowed), folded, typed)
    strange = pc.and_(pc.is_valid(typed), pc.invert(pc.is_in(typed, allowed)))
    rows = _as_mask(strange)
    if not rows.any():
        return typed, None, {}
    if field.required and not field.open_values:
        remedy = f"must be one of {', '.join(field.values)}; translate it under `values`"
        return typed, Fault("values", field.name, rows, remedy), {}
    counted = pc.value_counts(typed.filter(strange))
    return typed, None, {item["values"]: item["counts"] for item in counted.to_pylist()}


def _combined(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        combined = pa.concat_arrays(combined.chunks) if combined.num_chunks else pa.array([], column.type)
    return combined


def _as_mask(flags: pa.Array) -> Mask:
    mask: Mask = np.asarray(pc.fill_null(flags, False).to_numpy(zero_copy_only=False), dtype=bool)
    return mask
