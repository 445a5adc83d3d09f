"""Segments of customers by behaviour and need, as many as the data support, named by what sets them apart."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt
import pandas as pd

from nlp.drivers.roles import Floats
from nlp.segments.customers import CustomerDataError, customer_features, topic_shares

logger = logging.getLogger(__name__)

_MOST_SEGMENTS = 8
_SMALLEST_SHARE = 0.03
_LOWEST_SILHOUETTE = 0.12
"""Below this, groups are cuts through one cloud (Kaufman & Rousseeuw call < 0.25 no substantial structure; twenty mixed
features lower it)."""
_AS_GOOD = 0.05
"""Fewer segments win over more that separate no better than this."""
_SILHOUETTE_SAMPLE = 2000
_FEWEST_CUSTOMERS = 50
_TOPIC_WEIGHT = 0.7
_NAMED_FROM = 0.5
"""Standard deviations from the mean from which a feature is part of the name."""
_NAMES = {
    "contacts": ("高频联系", "很少联系"),
    "days_since_last": ("久未联系", "近期活跃"),
    "repeat_contacts": ("反复来电", ""),
    "negative_contacts": ("情绪负面", ""),
    "angry_contacts": ("曾表愤怒", ""),
    "transfers": ("多次转派", ""),
    "lowest_rating": ("评价高", "评价低"),
    "is_vip": ("VIP", ""),
    "annual_revenue": ("高消费", "低消费"),
}
_SHARES = {"repeat_contacts", "negative_contacts", "angry_contacts"}
"""Of all contacts, so that whoever writes often isn't counted three times."""
_LOGARITHMIC = {"contacts", "days_since_last", "annual_revenue", "transfers"}
ONLY = "全部客户(无明显分群)"


def segment_customers(frame: pd.DataFrame, seed: int = 20250101) -> pd.DataFrame:
    """Customers with segment_id (0: the largest), segment (Chinese name) and their features; index customer_ref.

    KMeans on standardised features and shares of topics; of 2…8 segments, the smallest with 3 % of the customers, the
    fewest whose silhouette is as good as the best. Where no number separates them, there is one segment.
    Raises :class:`CustomerDataError` with fewer than 50 customers.
    """
    from sklearn.cluster import KMeans

    table = customer_features(frame)
    if len(table) < _FEWEST_CUSTOMERS:
        raise CustomerDataError(f"{len(table)} customers; {_FEWEST_CUSTOMERS} are needed for segments")
    features = _standardised(table, topic_shares(frame, table.index))
    usable: list[tuple[float, npt.NDArray[np.int64]]] = []
    for count in range(2, _MOST_SEGMENTS + 1) if features.shape[1] else ():
        labels = KMeans(count, n_init=5, random_state=seed).fit_predict(features.to_numpy()).astype(np.int64)
        if np.bincount(labels).min() < _SMALLEST_SHARE * len(table):
            continue
        quality = _silhouette(features.to_numpy(), labels, seed)
        logger.info("%d segments: silhouette %.3f", count, quality)
        usable.append((quality, labels))
    best_quality = max((quality for quality, _ in usable), default=-1.0)
    if best_quality < _LOWEST_SILHOUETTE:
        table.insert(0, "segment_id", 0)
        table.insert(1, "segment", ONLY)
        return table
    labels = next(labels for quality, labels in usable if quality >= best_quality - _AS_GOOD)
    sizes = np.bincount(labels)
    rank = np.empty_like(sizes)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    table.insert(0, "segment_id", rank[labels])
    table.insert(1, "segment", table["segment_id"].map(_named(features, table["segment_id"])))
    return table


def _standardised(table: pd.DataFrame, shares: pd.DataFrame) -> pd.DataFrame:
    """Mean 0, standard deviation 1, skewed ones as logarithms, unknown ones at the mean; constant ones dropped."""
    columns = {}
    for name in _NAMES:
        values = table[name].astype(float)
        if name in _SHARES:
            values = values / table["contacts"]
        if name in _LOGARITHMIC:
            values = pd.Series(np.log1p(values.clip(lower=0)), table.index)
        values = values.clip(values.quantile(0.01), values.quantile(0.99)) if name != "is_vip" else values
        columns[name] = ((values - values.mean()) / values.std(ddof=0)).fillna(0.0)
    for topic, share in shares.items():
        columns[f"topic:{topic}"] = _TOPIC_WEIGHT * (share - share.mean()) / share.std(ddof=0)
    features = pd.DataFrame(columns, index=table.index).replace([np.inf, -np.inf], 0.0).dropna(axis=1)
    return features.loc[:, features.abs().max() > 1e-9]


def _silhouette(features: Floats, labels: npt.NDArray[np.int64], seed: int) -> float:
    from sklearn.metrics import silhouette_score

    size = min(len(features), _SILHOUETTE_SAMPLE)
    rows = np.random.default_rng(seed).choice(len(features), size, replace=False)
    if len(np.unique(labels[rows])) < 2:
        return -1.0
    return float(silhouette_score(features[rows], labels[rows]))


def _named(features: pd.DataFrame, segment: pd.Series) -> dict[int, str]:
    """What sets each segment apart most, two or three marks; no two have the same name."""
    means = features.groupby(segment).mean()
    names: dict[int, str] = {}
    for number, row in means.iterrows():
        marks = []
        for feature, value in row.reindex(row.abs().sort_values(ascending=False, kind="stable").index).items():
            high, low = _NAMES.get(str(feature), (f"常谈{str(feature).removeprefix('topic:')}", ""))
            if abs(value) >= _NAMED_FROM and (word := high if value > 0 else low):
                marks.append(word)
        taken = set(names.values())
        name = next((said for n in range(2, len(marks) + 1) if (said := " · ".join(marks[:n])) not in taken), "")
        name = name or (marks[0] if marks else "一般客户")
        names[int(str(number))] = name if name not in taken else f"{name}({int(str(number)) + 1})"
    return names
