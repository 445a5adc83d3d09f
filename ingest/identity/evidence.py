"""Edges between refs: who holds the same identifier, and who resembles whom. No decision on persons yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from ingest.identity.observations import KINDS, Observations
from ingest.identity.scoring import LINK_FROM, REVIEW_FROM, parts_of, score_partial_pairs, score_record_pairs

# An identifier of more refs than this is nobody's own: a switchboard, a shop's front desk, a placeholder.
HUB_REFS = 12
# Of an identifier that so many customers share, people may be asked whose it is; beyond it nobody could tell.
ASKED_CUSTOMERS = 3
_KIND_ZH = {
    "ref": "标识", "wechat": "微信", "handle": "社交账号", "app_account": "APP 账号", "email": "邮箱",
    "other": "绑定账号", "phone": "手机号", "device": "设备",
}  # fmt: skip
_RULE = {kind: f"same_{kind}" for kind in KINDS}
EDGE_COLUMNS = ["a", "b", "rule", "rank", "score", "reasons", "state"]


def edges_of(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A table of edges; ``rank`` orders them, the most trustworthy first."""
    return pd.DataFrame(list(rows), columns=EDGE_COLUMNS)


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries."""
    return cast("list[dict[str, Any]]", table.to_dict("records"))


def stacked(*tables: pd.DataFrame) -> pd.DataFrame:
    """The edges of all tables; pandas would guess types anew from empty ones."""
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def record_edges(seen: Observations) -> pd.DataFrame:
    """Which records of the CRM are one customer entered twice."""
    records = seen.records
    if len(records) < 2:
        return edges_of([])
    held = seen.holdings[seen.holdings["ref"].isin(records.index)]
    pairs = _record_pairs(held, records)
    if pairs.empty:
        return edges_of([])
    pairs = _compared(pairs, held)
    score = score_record_pairs(pairs, records)
    rows: list[dict[str, Any]] = []
    names_of, regions = records["name"].to_dict(), records["region"].to_dict()
    for pair, probability in zip(rows_of(pairs), score.tolist(), strict=True):
        names = (names_of[pair["a"]], names_of[pair["b"]])
        reasons = [_name_reason(*names)]
        for kind in ("phone", "email"):
            for how, words in (("exact", "相同"), ("part", "只差一处"), ("different", "不同")):
                if pair[f"{kind}_{how}"]:
                    reasons.append(f"{_KIND_ZH[kind]}{words}")
        if pair["wechat"]:
            rows.append(_edge(pair["a"], pair["b"], "same_wechat", 0.999, ["两份档案的微信相同", *reasons], "linked"))
        elif probability >= REVIEW_FROM:
            if regions[pair["a"]] == regions[pair["b"]]:
                reasons.append("同一地区")
            state = "linked" if probability >= LINK_FROM else "review"
            rows.append(_edge(pair["a"], pair["b"], "scored", probability, reasons, state))
    return edges_of(rows)


def _record_pairs(held: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """Pairs worth a comparison: they share an identifier, or a name and a part of a phone or address."""
    keys = [held[held["kind"] != "ref"][["ref", "value"]]]
    named = held[held["kind"].isin(("phone", "email"))]
    for column in ("first", "second"):
        part = parts_of(named["value"])[column]
        key = named["ref"].map(records["name"]).astype(object) + ":" + named["kind"] + ":" + column + ":" + part
        keys.append(pd.DataFrame({"ref": named["ref"], "value": key}).dropna())
    together = pd.concat(keys).drop_duplicates()
    size = together.groupby("value")["ref"].transform("size")
    together = together[(size > 1) & (size <= HUB_REFS)]
    both = together.merge(together, on="value", suffixes=("_a", "_b"))
    both = both[both["ref_a"] < both["ref_b"]]
    return both[["ref_a", "ref_b"]].drop_duplicates(ignore_index=True).set_axis(["a", "b"], axis=1)


def _compared(pairs: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """``pairs`` with what agrees and what differs."""
    pairs = pairs.copy()
    for kind in ("phone", "email", "wechat"):
        own = held[held["kind"] == kind][["ref", "value"]]
        own = own.join(parts_of(own["value"]))
        both = pairs.merge(own, left_on="a", right_on="ref").merge(own, left_on="b", right_on="ref")
        exact = both["value_x"] == both["value_y"]
        part = (both["first_x"] == both["first_y"]) | (both["second_x"] == both["second_y"])
        keys = [both["a"], both["b"]]
        exact, part = exact.groupby(keys).any(), part.groupby(keys).any()
        index = pd.MultiIndex.from_frame(pairs[["a", "b"]])
        is_exact = exact.reindex(index, fill_value=False).to_numpy(dtype=bool)
        if kind == "wechat":
            pairs["wechat"] = is_exact
            continue
        is_part = part.reindex(index, fill_value=False).to_numpy(dtype=bool) & ~is_exact
        known = np.asarray(index.isin(exact.index))
        pairs[f"{kind}_exact"], pairs[f"{kind}_part"] = is_exact, is_part
        pairs[f"{kind}_different"] = known & ~is_exact & ~is_part
    return pairs


def _name_reason(first: object, second: object) -> str:
    if not isinstance(first, str) or not isinstance(second, str):
        return "姓名不全"
    return "姓名相同" if first == second else "姓名不同"


def shared_identifier_edges(seen: Observations, customer_of: pd.Series) -> pd.DataFrame:
    """Refs that hold the same identifier, unless it is shared by several customers.

    ``customer_of``: the customer of each record, by ref, after :func:`record_edges`. An identifier of exactly one
    customer, or of none on record, ties its holders together; one of several customers ties nobody, and people are
    asked where they are few. Phone numbers are given to others after a while: where the regions differ, too.
    """
    held = seen.holdings
    rank = held["kind"].map({kind: position for position, kind in enumerate(KINDS)})
    held = held.assign(rank=rank, customer=held["ref"].map(customer_of))
    held = held.sort_values(["value", "rank", "ref"]).drop_duplicates(["value", "ref"])
    by_value = held.groupby("value")
    held["holders"] = by_value["ref"].transform("size")
    held["customers"] = by_value["customer"].transform("nunique")
    # What an identifier is, says whoever knows it best: for the ref itself it is just a ref.
    held["best"] = held["rank"].where(held["kind"] != "ref").groupby(held["value"]).transform("min")
    held = held[(held["holders"] > 1) & held["best"].notna()]
    own = held[(held["customers"] <= 1) & (held["holders"] <= HUB_REFS)]
    centre = own.sort_values(["value", "customer", "ref"], na_position="last").drop_duplicates("value")
    star = own.merge(centre[["value", "ref"]], on="value", suffixes=("", "_centre"))
    star = star[star["ref"] != star["ref_centre"]]
    # Two records in a star are one customer already.
    star = star[star["customer"].isna()]
    rows, regions = [], seen.refs["region"].to_dict()
    for one in rows_of(star):
        kind = KINDS[int(one["best"])]
        reasons, score, state = [f"{_KIND_ZH[kind]}相同，且没有别的客户登记它"], 0.99, "linked"
        places = {regions[ref] for ref in (one["ref"], one["ref_centre"]) if isinstance(regions[ref], str)}
        if kind == "phone" and len(places) > 1:
            reasons, score, state = (
                [*reasons, f"但地区不同（{'、'.join(sorted(places))}），号码可能已换人"],
                0.6,
                "review",
            )
        rows.append(_edge(one["ref"], one["ref_centre"], _RULE[kind], score, reasons, state, int(one["best"])))
    shared = held[(held["customers"] > 1) & (held["customers"] <= ASKED_CUSTOMERS)]
    records = shared[shared["customer"].notna()]
    others = shared[shared["customer"].isna()]
    asked = others.merge(records, on="value", suffixes=("", "_record"))
    for one in rows_of(asked):
        kind, customers = KINDS[int(one["best"])], int(one["customers"])
        reasons = [f"{_KIND_ZH[kind]}相同，但有 {customers} 位客户登记了它"]
        rows.append(
            _edge(one["ref"], one["ref_record"], _RULE[kind], 1 / (1 + customers), reasons, "review", int(one["best"]))
        )
    edges = edges_of(rows).sort_values(["rank", "a", "b"])
    # Between two refs the most personal identifier speaks, and a link before a question.
    return edges.sort_values(["state", "rank"], kind="stable").drop_duplicates(["a", "b"], ignore_index=True)


def partial_edges(seen: Observations, linked: frozenset[str]) -> pd.DataFrame:
    """Refs without any customer whose phone or address equals a record's in one part: a slip, or chance."""
    held = seen.holdings[seen.holdings["kind"].isin(("phone", "email"))]
    is_record = held["ref"].isin(seen.records.index)
    rows: list[pd.DataFrame] = []
    parts = parts_of(held["value"])
    for column in ("first", "second"):
        keyed = held.assign(key=held["kind"] + parts[column])
        records, others = keyed[is_record], keyed[~is_record & ~held["ref"].isin(linked)]
        different = keyed.groupby("kind")["key"].nunique()
        both = records.merge(others, on=["kind", "key"], suffixes=("_a", "_b"))
        both["chance"] = 1 / both["kind"].map(different)
        rows.append(both[both["value_a"] != both["value_b"]])
    pairs = pd.concat(rows).rename(columns={"ref_a": "a", "ref_b": "b"})
    pairs = pairs.sort_values(["chance", "a", "b"]).drop_duplicates(["a", "b"], ignore_index=True)
    if pairs.empty:
        return edges_of([])
    pairs["score"] = score_partial_pairs(pairs, seen.refs, len(seen.records))
    pairs = pairs[pairs["score"] >= REVIEW_FROM]
    return edges_of(
        [
            _edge(
                pair["a"], pair["b"], "scored", min(pair["score"], LINK_FROM - 1e-3),
                [f"{_KIND_ZH[pair['kind']]}只差一处，没有更像的客户"], "review",
            )
            for pair in rows_of(pairs)
        ]
    )  # fmt: skip


def _edge(
    first: str, second: str, rule: str, score: float, reasons: list[str], state: str, rank: int | None = None
) -> dict[str, Any]:
    a, b = sorted((first, second))
    return {
        "a": a, "b": b, "rule": rule, "rank": len(KINDS) if rank is None else rank, "score": float(score),
        "reasons": reasons, "state": state,
    }  # fmt: skip
