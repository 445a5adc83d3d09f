"""Customers at risk of leaving, with reasons in Chinese: a calibrated probability where churn is known, else a score.

Where it is known when customers left (``churned_on``), see :mod:`nlp.segments.churn`.

Both are monotone: more of what drives customers away never lowers a customer's place. How long ago somebody last
wrote is left out: who has left writes no more, and a model would learn the consequence for a cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

from nlp.drivers.roles import Floats
from nlp.drivers.wording import typeset
from nlp.segments.churn import (
    FEWEST_OF_EACH,
    HORIZON_DAYS,
    ChurnModel,
    Reliability,
    design,
    fit_monotone,
    learn_churn,
    predict,
    reliability_of,
)
from nlp.segments.customers import contacts_of, customer_features

WEIGHTS: Mapping[str, float] = {
    "repeat": 0.35,
    "negative": 0.25,
    "anger": 0.4,
    "threat": 0.5,
    "unsolved": 0.2,
    "transfers": 0.15,
    "reopened": 0.2,
    "low_rating": 0.3,
}
"""How far each sign at its fullest moves the score towards 1; signs add up like independent causes (noisy or)."""
_VIP_STAKE, _REVENUE_STAKE = 0.5, 0.5
_FOLDS = 5


@dataclass(frozen=True)
class RiskReport:
    """Customers, the most urgent first, and how far the number can be trusted."""

    customers: pd.DataFrame
    method: Literal["calibrated", "score"]
    auc: float
    calibration_error: float
    """On customers of whom nothing was learnt; NaN for the score."""
    known: int
    """Customers whose churn is known."""
    reliability: Reliability | None
    note_zh: str
    """How it was calibrated, or why it wasn't."""


def customers_at_risk(
    frame: pd.DataFrame,
    window_days: int = 90,
    weights: Mapping[str, float] = WEIGHTS,
    seed: int = 20250101,
    today: date | None = None,
) -> RiskReport:
    """Rank the customers who wrote in the last ``window_days`` of ``frame`` (rows of tickets or voices).

    Columns of the result (index customer_ref): risk (0…1; a probability only if the method is calibrated), priority
    (risk × what is at stake: VIP and the rank of the revenue), reasons (Chinese), is_vip, annual_revenue, contacts,
    main_topic, and revenue_at_risk (risk × annual revenue) where calibrated. Calibration needs one of two columns:
    ``churned_on`` (the day the customer left, empty for who is still there; see :mod:`nlp.segments.churn`), whose
    customers are left out once they are gone; or ``churned`` (1, 0, or empty for not yet known) with 40 customers of
    each kind, and rows from before they left. ``today``: the day of the list; default: of the last row.
    """
    learnt, frame, note = _learnt_from_dates(frame, window_days, seed, today)
    table = customer_features(frame, window_days)
    signs = risk_signs(table)
    churned = table["churned"].to_numpy(np.float64)
    known = ~np.isnan(churned)
    known_count = int(known.sum())
    method: Literal["calibrated", "score"] = "score"
    reliability: Reliability | None = None
    if learnt is not None:
        method, reliability, risk = "calibrated", learnt.reliability, learnt.probabilities(signs)
        known_count = reliability.customers
    elif min((churned[known] == 1).sum(), (churned[known] == 0).sum()) >= FEWEST_OF_EACH:
        method, note = "calibrated", f"按 {known_count:,} 位流失与否已知的客户校准,交叉验证"
        risk, reliability = _cross_fitted(design(signs), churned, known, seed)
    else:
        risk = 1 - np.prod(1 - signs.to_numpy() * np.array([weights[str(name)] for name in signs]), axis=1)
        note = note or "不知道哪些客户已经流失"
        note = f"未校准:{note};分数只能排序,不是概率"
    revenue = table["annual_revenue"]
    rank = revenue.rank(pct=True).fillna(0.0)
    result = pd.DataFrame(
        {
            "risk": risk,
            "priority": risk * (1 + _VIP_STAKE * table["is_vip"] + _REVENUE_STAKE * rank),
            "reasons": [_reasons(row, float(place)) for row, place in zip(table.to_dict("records"), rank, strict=True)],
            "is_vip": table["is_vip"] == 1,
            "annual_revenue": revenue,
            "contacts": table["contacts"].astype(int),
            "main_topic": table["main_topic"],
        }
    )
    if method == "calibrated":
        result["revenue_at_risk"] = risk * revenue
    result = result.sort_values(["priority", "risk"], ascending=False, kind="stable")
    return RiskReport(
        result,
        method,
        reliability.auc if reliability else np.nan,
        reliability.calibration_error if reliability else np.nan,
        known_count,
        reliability,
        typeset(note),
    )


def _learnt_from_dates(
    frame: pd.DataFrame, window_days: int, seed: int, today: date | None
) -> tuple[ChurnModel | None, pd.DataFrame, str]:
    """A model of who left when, the rows without customers who are gone, and how it was learnt or why there is none."""
    if "churned_on" not in frame:
        return None, frame, ""
    customer, when = contacts_of(frame)
    left_on = pd.to_datetime(frame["churned_on"].replace("", None), errors="coerce", format="mixed")
    churned_on = left_on.groupby(customer).max()
    day = pd.Timestamp(today) + pd.Timedelta(days=1) if today else when.max()
    here = frame[~(customer.map(churned_on) <= day)]
    if churned_on.notna().sum() == 0:
        return None, here, ""
    usable = when.notna() & customer.notna()
    found = learn_churn(
        frame[usable],
        when[usable],
        customer[usable],
        churned_on,
        lambda rows: risk_signs(customer_features(rows)),
        window_days,
        day,
        seed,
    )
    if isinstance(found, str):
        return None, here, found
    said = found.reliability
    return (
        found,
        here,
        (
            f"{HORIZON_DAYS} 天内流失的概率;以较早的流失拟合,按最近一期的流失校准(Platt),"
            f"并在未参与校准的 {said.customers:,} 位客户({said.left:,} 位流失)上检验"
        ),
    )


def risk_signs(table: pd.DataFrame) -> pd.DataFrame:
    """Customers × signs, each 0 (none) to 1 (fullest), growing ever slower with how often it was seen."""

    def often(name: str, half: float) -> pd.Series:
        return table[name] / (table[name] + half)

    return pd.DataFrame(
        {
            "repeat": often("repeat_contacts", 1.0),
            "negative": often("negative_contacts", 1.5),
            "anger": often("angry_contacts", 0.5),
            "threat": (table["threats"] > 0).astype(float),
            "unsolved": often("unsolved", 1.0),
            "transfers": often("transfers", 1.0),
            "reopened": often("reopened", 0.5),
            "low_rating": (1 - table["lowest_rating"].fillna(0.75)).clip(lower=0.0),
        },
        index=table.index,
    )


def _cross_fitted(x: Floats, churned: Floats, known: Any, seed: int) -> tuple[Floats, Reliability]:
    """Probabilities of all, and how good they were out of fold.

    A logistic regression whose coefficients can't be negative, fitted by maximum likelihood, so that its mean
    probability is the share that left.
    """
    from sklearn.model_selection import StratifiedKFold

    seen, y = x[known], churned[known]
    inside = np.empty(len(seen))
    for fitted, held_out in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(seen, y):
        inside[held_out] = predict(seen[held_out], fit_monotone(seen[fitted], y[fitted]))
    return predict(x, fit_monotone(seen, y)), reliability_of(inside, y, seed)


def _reasons(row: Mapping[Any, Any], revenue_rank: float) -> str:
    """What speaks for the customer's place, the gravest first."""
    said = []
    if row["threats"]:
        said.append(f"提到离开、投诉或曝光 {row['threats']:.0f} 次")
    if row["angry_contacts"]:
        said.append(f"表达愤怒 {row['angry_contacts']:.0f} 次")
    if row["repeat_contacts"]:
        said.append(f"重复联系 {row['repeat_contacts']:.0f} 次")
    if row["negative_contacts"]:
        said.append(f"负面反馈 {row['negative_contacts']:.0f} 条")
    if row["lowest_rating"] <= 0.25:
        said.append("给过低分")
    if row["unsolved"]:
        said.append(f"{row['unsolved']:.0f} 件未解决")
    if row["reopened"]:
        said.append(f"{row['reopened']:.0f} 件重开")
    if row["transfers"] >= 1:
        said.append(f"平均转派 {row['transfers']:.1f} 次")
    if said and row["main_topic"]:
        said.append(f"主要因「{row['main_topic']}」")
    if row["is_vip"]:
        said.append("VIP 客户")
    if revenue_rank > 0.9:
        said.append("消费额居前一成")
    return typeset(";".join(said)) or "暂无风险迹象"
