"""How likely two refs are one person where no rule settles it: Fellegi and Sunter (1969) on pseudonyms.

Each comparison adds log2(m/u): ``m``, the share of pairs of one person that agree, is an assumption below; ``u``, the
share among strangers, comes from the data: the frequency of the very value for names and regions, the number of
different values for parts of phones and addresses. No training, so that a company of ten customers is judged by the
same rule as one of a million and a second run by the same figures. Splink's EM was measured beside it
(benchmarks/identity_quality.py): it takes households, who share phone and address, for one person.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

LINK_FROM = 0.95
REVIEW_FROM = 0.5

_M_NAME = 0.85  # names are mistyped, or the wife's is on record
_M_EXACT = 0.7  # of phone or e-mail, where both are known: people change them
_AT_MOST_WITH_OTHER_NAME = 0.6
_M_PART = 0.04  # a slip in one part of a phone or address
_M_REGION = 0.95
_U_EXACT = 1e-5  # colleagues and families share phones and mailboxes
_U_PART = 1e-4  # four digits
_M_SEGMENT = 0.9
# Share of pairs of records that are one person entered twice, per record.
_TWICE = 0.02

Floats = npt.NDArray[np.float64]


def parts_of(values: pd.Series) -> pd.DataFrame:
    """The two comparable parts of a phone's or an address's pseudonym (``Masker.pseudonym``)."""
    return pd.DataFrame({"first": values.str[2:6], "second": values.str[6:10]}, index=values.index)


def score_record_pairs(pairs: pd.DataFrame, records: pd.DataFrame) -> Floats:
    """Probabilities that two records of the CRM are one person.

    ``pairs``: a, b (refs) and for phone and email each ``exact``, ``part``, ``different`` as booleans
    (``phone_exact`` …). Families and colleagues share phone and address at once, so names that are known and differ
    leave it at a question for people, whatever else agrees.
    """
    bits = np.full(len(pairs), np.log2(_TWICE / max(len(records), 50)))
    first, second = records.loc[pairs["a"]].reset_index(drop=True), records.loc[pairs["b"]].reset_index(drop=True)
    bits += _value_bits(first["name"], second["name"], records["name"], _M_NAME)
    bits += _value_bits(first["region"], second["region"], records["region"], _M_REGION)
    bits += _value_bits(first["segment"], second["segment"], records["segment"], _M_SEGMENT)
    for kind in ("phone", "email"):
        bits += np.where(pairs[f"{kind}_exact"], np.log2(_M_EXACT / _U_EXACT), 0.0)
        bits += np.where(pairs[f"{kind}_part"], np.log2(_M_PART / _U_PART), 0.0)
        bits += np.where(pairs[f"{kind}_different"], np.log2(1 - _M_EXACT - _M_PART), 0.0)
    differs = (first["name"].notna() & second["name"].notna() & (first["name"] != second["name"])).to_numpy()
    probability = _probability(bits)
    return np.where(differs, np.minimum(probability, _AT_MOST_WITH_OTHER_NAME), probability)


def score_partial_pairs(pairs: pd.DataFrame, refs: pd.DataFrame, record_count: int) -> Floats:
    """Probabilities that a ref belongs to a record whose phone or address equals its own in one part only.

    ``pairs``: a (record), b (ref), ``chance``: the share of strangers that agree in that part.
    """
    bits = np.full(len(pairs), -np.log2(max(record_count, 50)))
    bits += np.log2(_M_PART / pairs["chance"].to_numpy(dtype=float))
    first, second = refs.loc[pairs["a"], "region"], refs.loc[pairs["b"], "region"]
    bits += _value_bits(first.reset_index(drop=True), second.reset_index(drop=True), refs["region"], _M_REGION)
    return _probability(bits)


def _value_bits(first: pd.Series, second: pd.Series, all_values: pd.Series, m: float) -> Floats:
    """Evidence of equal or different values; a missing one says nothing."""
    frequency = all_values.value_counts(normalize=True)
    u = first.map(frequency).fillna(1.0).to_numpy(dtype=float)
    overall = float((frequency**2).sum()) if len(frequency) else 1.0
    known = (first.notna() & second.notna()).to_numpy()
    equal = (first == second).to_numpy() & known
    against = np.log2((1 - m) / max(1 - overall, 1 - m))
    return np.where(equal, np.log2(m / np.maximum(u, 1e-9)), np.where(known, against, 0.0))


def _probability(bits: Floats) -> Floats:
    probability: Floats = 1 / (1 + np.exp2(-np.clip(bits, -60, 60)))
    return probability
