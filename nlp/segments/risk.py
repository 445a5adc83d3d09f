"""Customers at risk of leaving, with reasons in Chinese: a calibrated probability where churn is known, else a score.

Both are monotone: more of what drives customers away never lowers a customer's place. How long ago somebody last
wrote is left out: who has left writes no more, and a model would learn the consequence for a cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import expit

from nlp.drivers.roles import Floats
from nlp.drivers.wording import typeset
from nlp.segments.customers import customer_features

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
_FEWEST_OF_EACH = 40
_FOLDS = 5


@dataclass(frozen=True)
class RiskReport:
    """Customers, the most urgent first, and how far the number can be trusted."""

    customers: pd.DataFrame
    method: Literal["calibrated", "score"]
    auc: float
    calibration_error: float
    """Out of fold, on customers whose churn is known; NaN for the score."""
    known: int
    """Customers whose churn is known."""


def customers_at_risk(
    frame: pd.DataFrame, window_days: int = 90, weights: Mapping[str, float] = WEIGHTS, seed: int = 20250101
) -> RiskReport:
    """Rank the customers who wrote in the last ``window_days`` of ``frame`` (rows of tickets or voices).

    Columns of the result (index customer_ref): risk (0…1; a probability only if the method is calibrated), priority
    (risk × what is at stake: VIP and the rank of the revenue), reasons (Chinese), is_vip, annual_revenue, contacts,
    main_topic, and revenue_at_risk (risk × annual revenue) where calibrated. Calibration needs a column ``churned``
    (1, 0, or empty for not yet known) with 40 customers of each kind, and rows from before they left.
    """
    table = customer_features(frame, window_days)
    signs = risk_signs(table)
    churned = table["churned"].to_numpy(np.float64)
    known = ~np.isnan(churned)
    method: Literal["calibrated", "score"] = "score"
    auc = error = np.nan
    if min((churned[known] == 1).sum(), (churned[known] == 0).sum()) >= _FEWEST_OF_EACH:
        method = "calibrated"
        # With its cube beside it, a sign may weigh more the oftener it was seen.
        seen = signs.to_numpy(np.float64)
        risk, auc, error = _calibrated(np.hstack([seen, seen**3]), churned, known, seed)
    else:
        risk = 1 - np.prod(1 - signs.to_numpy() * np.array([weights[str(name)] for name in signs]), axis=1)
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
    return RiskReport(result, method, float(auc), float(error), int(known.sum()))


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


def _calibrated(signs: Floats, churned: Floats, known: Any, seed: int) -> tuple[Floats, float, float]:
    """Probabilities of all, then area under the curve and expected calibration error, both out of fold.

    A logistic regression whose coefficients can't be negative, fitted by maximum likelihood, so that its mean
    probability is the share that left.
    """
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    x, y = signs[known], churned[known]
    inside = np.empty(len(x))
    for fitted, held_out in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(x, y):
        inside[held_out] = _predict(x[held_out], _fit_monotone(x[fitted], y[fitted]))
    bins = pd.qcut(inside, 10, labels=False, duplicates="drop")
    groups = pd.DataFrame({"bin": bins, "said": inside, "was": y}).groupby("bin").agg(["mean", "size"])
    gaps = (groups["said", "mean"] - groups["was", "mean"]).abs()
    error = float((gaps * groups["said", "size"]).sum() / len(y))
    return _predict(signs, _fit_monotone(x, y)), float(roc_auc_score(y, inside)), error


def _fit_monotone(x: Floats, y: Floats) -> Floats:
    """Intercept and coefficients ≥ 0 by bounded maximum likelihood with a slight ridge."""
    from scipy.optimize import minimize

    design = np.column_stack([np.ones(len(x)), x])

    def loss(beta: Floats) -> tuple[float, Floats]:
        line = design @ beta
        value = float(np.logaddexp(0.0, line).sum() - y @ line + 0.25 * beta[1:] @ beta[1:])
        slope = design.T @ (expit(line) - y) + 0.5 * np.r_[0.0, beta[1:]]
        return value, slope

    start = np.r_[np.log(y.mean() / (1 - y.mean())), np.zeros(x.shape[1])]
    bounds = [(None, None)] + [(0.0, None)] * x.shape[1]
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x, np.float64)


def _predict(x: Floats, beta: Floats) -> Floats:
    return np.asarray(expit(beta[0] + x @ beta[1:]), np.float64)


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
