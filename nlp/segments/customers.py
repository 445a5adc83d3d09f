"""One row a customer from rows of tickets or voices: how often, how recently, about what, in which mood, worth what."""

from __future__ import annotations

import numpy as np
import pandas as pd

from huiyin.errors import HuiyinError
from nlp.drivers.roles import OUTCOMES, Floats, read_flags, read_numbers

UNASSIGNED = {"", "-1", "-1.0", "未归类"}
_CUSTOMERS = ("customer_ref", "source_customer_ref", "customer_id")
_INSTANTS = ("created_at", "occurred_at", "created_on", "occurred_on")
_TOPICS = ("topic_label", "topic", "problem_subtype_zh", "problem_subtype", "category")
_ANGER = ("愤怒", "生气", "anger")
_NEGATIVE = ("negative", "负面", "差")
_VIP = ("vip", "钻石", "白金")


class CustomerDataError(HuiyinError, ValueError):
    """The frame doesn't say what is needed of customers; the message says what is missing."""


def customer_features(frame: pd.DataFrame, window_days: int | None = None) -> pd.DataFrame:
    """Customers (index: the customer's reference) by what their rows say.

    Columns: contacts, days_since_last, repeat_contacts, negative_contacts, angry_contacts, threats, unsolved, transfers
    (mean), reopened, lowest_rating (0…1), is_vip, annual_revenue, churned (1, 0; these NaN where unknown), main_topic,
    main_topic_share. What the frame has no column for is 0 or NaN. With ``window_days`` only the last days of the frame
    count. Raises :class:`CustomerDataError` without a column of customers or of instants.
    """
    customer, when = contacts_of(frame)
    known = when.notna() & customer.notna()
    if window_days is not None and known.any():
        known &= when > when[known].max() - pd.Timedelta(days=window_days)
    if not known.any():
        raise CustomerDataError("no row has both a customer and a readable instant")
    rows = frame[known]
    when = when[known]
    facts = pd.DataFrame(
        {
            "contacts": 1.0,
            "days_since_last": (when.max() - when).dt.total_seconds() / 86400,
            "repeat_contacts": _flags(rows, *OUTCOMES["repeat"]),
            "negative_contacts": _words(rows, _NEGATIVE, "sentiment_label", "label"),
            "angry_contacts": _words(rows, _ANGER, "emotions", "emotion"),
            "threats": _any(rows, "threats", "urgency"),
            "unsolved": 1 - _flags(rows, "is_solved", otherwise=1.0),
            "transfers": _numbers(rows, "transfer_count").fillna(0.0),
            "reopened": (_numbers(rows, "reopen_count").fillna(0.0) > 0).astype(float),
            "lowest_rating": _rating(rows),
            "is_vip": _words(rows, _VIP, "customer_tier", "tier"),
            "annual_revenue": _numbers(rows, "annual_revenue"),
            "churned": _flags(rows, *OUTCOMES["churn"], otherwise=np.nan),
        },
        index=rows.index,
    )
    how = dict.fromkeys(facts, "sum") | {"days_since_last": "min", "transfers": "mean", "lowest_rating": "min"}
    how |= dict.fromkeys(("is_vip", "annual_revenue", "churned"), "max")
    key = customer[known]
    table = facts.groupby(key).agg(how)
    topics = _main_topics(rows, key)
    table["main_topic"] = topics["topic"].reindex(table.index).fillna("")
    table["main_topic_share"] = topics["share"].reindex(table.index).fillna(0.0)
    table.index.name = "customer_ref"
    return table


def contacts_of(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Of each row the customer (text, NaN where not known) and the instant (NaT where not readable).

    Raises :class:`CustomerDataError` without a column of customers or of instants.
    """
    customer = next((name for name in _CUSTOMERS if name in frame), None)
    instant = next((name for name in _INSTANTS if name in frame), None)
    if customer is None or instant is None:
        wanted = ", ".join(_CUSTOMERS if customer is None else _INSTANTS)
        raise CustomerDataError(f"one of the columns {wanted} is needed")
    when = pd.to_datetime(frame[instant], errors="coerce", format="mixed")
    known = frame[customer].notna() & (frame[customer].astype(str) != "")
    return frame[customer].astype(str).where(known), when


def topic_shares(frame: pd.DataFrame, customers: pd.Index, most: int = 12) -> pd.DataFrame:
    """Customers × the most frequent topics: shares of their rows, shrunk towards the overall share."""
    customer = next((name for name in _CUSTOMERS if name in frame), None)
    topic = next((name for name in _TOPICS if name in frame), None)
    if customer is None or topic is None:
        return pd.DataFrame(index=customers)
    labels = frame[topic].astype(object).where(frame[topic].notna(), "").astype(str)
    kept = ~labels.isin(UNASSIGNED) & frame[customer].astype(str).isin(customers)
    counts = pd.crosstab(frame.loc[kept, customer].astype(str), labels[kept]).reindex(customers, fill_value=0)
    overall = counts.sum() / max(float(counts.to_numpy().sum()), 1.0)
    shares = (counts + 2 * overall).div(counts.sum(axis=1) + 2, axis=0)
    return shares[overall.sort_values(ascending=False).index[:most]]


def _main_topics(rows: pd.DataFrame, key: pd.Series) -> pd.DataFrame:
    name = next((column for column in _TOPICS if column in rows), None)
    if name is None:
        return pd.DataFrame({"topic": [], "share": []})
    labels = rows[name].astype(object).where(rows[name].notna(), "").astype(str)
    kept = ~labels.isin(UNASSIGNED)
    counts = pd.DataFrame({"customer": key[kept], "topic": labels[kept]}).value_counts().reset_index(name="count")
    # Ties by name, so that the same frame gives the same answer.
    first = counts.sort_values(["count", "topic"], ascending=[False, True]).drop_duplicates("customer")
    first = first.set_index("customer")
    return pd.DataFrame({"topic": first["topic"], "share": first["count"] / key.value_counts().reindex(first.index)})


def _first(rows: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in rows), None)


def _numbers(rows: pd.DataFrame, *names: str) -> pd.Series:
    name = _first(rows, names)
    values: Floats = np.full(len(rows), np.nan) if name is None else read_numbers(rows[name])
    return pd.Series(values, rows.index)


def _flags(rows: pd.DataFrame, *names: str, otherwise: float = 0.0) -> pd.Series:
    name = _first(rows, names)
    values: Floats = np.full(len(rows), np.nan) if name is None else read_flags(rows[name])
    return pd.Series(values, rows.index).fillna(otherwise)


def _words(rows: pd.DataFrame, words: tuple[str, ...], *names: str) -> pd.Series:
    """1 where the cell holds one of the words."""
    name = _first(rows, names)
    if name is None:
        return pd.Series(0.0, rows.index)
    return rows[name].astype(str).str.lower().str.contains("|".join(words), regex=True).astype(float)


def _any(rows: pd.DataFrame, *names: str) -> pd.Series:
    """1 where the cell says anything but no."""
    name = _first(rows, names)
    if name is None:
        return pd.Series(0.0, rows.index)
    said = rows[name].astype(object).where(rows[name].notna(), "").astype(str).str.strip().str.lower()
    return (~said.isin({"", "0", "0.0", "false", "否", "none", "no", "nan"})).astype(float)


def _rating(rows: pd.DataFrame) -> pd.Series:
    """CSAT as a share of its range, else NPS."""
    csat, nps = (_numbers(rows, *OUTCOMES[name]) for name in ("csat", "nps"))
    return ((csat - 1) / 4).fillna(nps / 10).clip(0, 1)
