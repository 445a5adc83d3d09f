"""Resolve identities: read what the sources delivered, link refs to persons, keep the result and its reasons."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa

from huiyin.config import Settings
from ingest.identity.decisions import verdicts_in_force
from ingest.identity.evidence import edges_of, partial_edges, record_edges, rows_of, shared_identifier_edges, stacked
from ingest.identity.observations import Observations, observe
from ingest.identity.persons import persons
from ingest.identity.tables import IDENTITY, IDENTITY_EDGES, ensure_identity_tables
from ingest.tables import ensure_tables
from warehouse.connection import Warehouse, open_warehouse

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class IdentityReport:
    """``refs``: identifiers by which sources know people; ``persons``: how many people that makes; ``in_review``:
    pairs that wait for a person's verdict; ``changed``: refs whose person is new or another than before.
    """

    refs: int
    persons: int
    in_review: int
    changed: int


@dataclass(frozen=True)
class Resolution:
    """``identity``: ref → person_ref, method, score. ``edges``: a, b, rule, score, reasons, state, decided_by."""

    identity: pd.DataFrame
    edges: pd.DataFrame


def resolve(settings: Settings) -> IdentityReport:
    """Bring ``raw.identity`` and ``raw.identity_edges`` up to date; a second call changes nothing.

    Verdicts of people (``raw.identity_decisions``) come first and hold until withdrawn. Raises ``WarehouseError``.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        with warehouse.transaction():
            warehouse.lock("huiyin.identity")
            ensure_identity_tables(warehouse)
            before = warehouse.query("select * from raw.identity").to_pandas()
            known = before.set_index("ref")["person_ref"]
            found = resolution(observe(warehouse), verdicts_in_force(warehouse), known)
            changed = _keep_identity(warehouse, found.identity, before, now)
            _keep_edges(warehouse, found.edges, now)
    report = IdentityReport(
        len(found.identity), found.identity["person_ref"].nunique(), int((found.edges["state"] == "review").sum()),
        changed,
    )  # fmt: skip
    log.info(
        "%d refs are %d persons, %d changed; %d pairs wait for a verdict: huiyin identity review",
        report.refs, report.persons, report.changed, report.in_review,
    )  # fmt: skip
    return report


def resolution(seen: Observations, verdicts: pd.DataFrame, known: pd.Series) -> Resolution:
    """Who is who. ``verdicts``: a, b, verdict, actor, reason; ``known``: the person_ref of each ref so far.

    A person keeps the ref it was called by, and of persons that turn out to be one, the ref known longest wins; what
    is separated again is called by its own oldest ref.
    """
    refs = seen.refs.index
    separated = [
        (a, b) for a, b, verdict in zip(verdicts["a"], verdicts["b"], verdicts["verdict"], strict=True)
        if verdict == "separate"
    ]  # fmt: skip
    decided = edges_of(
        [
            {"a": one["a"], "b": one["b"], "rule": "person", "rank": -1, "score": 1.0, "state": "linked",
             "reasons": [f"{one['actor']}：{one['reason']}"]}
            for one in rows_of(verdicts[verdicts["verdict"] == "link"])
            if one["a"] in refs and one["b"] in refs
        ]
    )  # fmt: skip
    own = record_edges(seen)
    records = seen.records.index
    record_links = stacked(decided[decided["a"].isin(records) & decided["b"].isin(records)], own)
    grouped, record_links = persons(records, record_links, {}, separated)
    customer_of = grouped.map(str)
    shared = shared_identifier_edges(seen, customer_of)
    satellites = decided[~(decided["a"].isin(records) & decided["b"].isin(records))]
    linked, edges = persons(
        refs,
        _one_a_pair(stacked(record_links, satellites, shared)),
        dict(zip(records, customer_of, strict=True)),
        separated,
    )
    with_customer = frozenset(linked.index[linked.isin(set(linked.reindex(records)))])
    edges = _one_a_pair(stacked(edges, partial_edges(seen, with_customer)))
    edges = edges[~((edges["state"] == "review") & (edges["a"].map(linked) == edges["b"].map(linked)))]
    edges = _with_verdicts(edges, verdicts, refs)
    return Resolution(_named(refs, linked, edges, seen, known), edges)


def _one_a_pair(edges: pd.DataFrame) -> pd.DataFrame:
    """Of several edges between two refs the one that links, then the most trustworthy."""
    order = edges["state"].map({"linked": 0, "separate": 0, "review": 1})
    return (
        edges.assign(order=order).sort_values(["order", "rank"], kind="stable").drop(columns="order")
        .drop_duplicates(["a", "b"], ignore_index=True)
    )  # fmt: skip


def _with_verdicts(edges: pd.DataFrame, verdicts: pd.DataFrame, refs: pd.Index) -> pd.DataFrame:
    """The edges that people cut stay visible, with who said so."""
    cut = edges_of(
        [
            {"a": one["a"], "b": one["b"], "rule": "person", "rank": -1, "score": 0.0, "state": "separate",
             "reasons": [f"{one['actor']}：{one['reason']}"]}
            for one in rows_of(verdicts[verdicts["verdict"] == "separate"])
            if one["a"] in refs and one["b"] in refs
        ]
    )  # fmt: skip
    edges = stacked(cut, edges).drop_duplicates(["a", "b"], ignore_index=True)
    return edges.assign(decided_by=edges["rule"].map(lambda rule: "person" if rule == "person" else "system"))


def _named(
    refs: pd.Index, linked: pd.Series, edges: pd.DataFrame, seen: Observations, known: pd.Series
) -> pd.DataFrame:
    """Each ref with the name of its person and how firmly it is tied to it."""
    table = pd.DataFrame({"ref": refs, "number": linked.to_numpy(), "first": seen.refs["first_seen_at"].to_numpy()})
    # A ref that names a person now, and still is one of that person's.
    leads = table["ref"].isin(set(known[known.index.isin(refs)]))
    table = table.assign(lead=~leads).sort_values(["number", "lead", "first", "ref"], na_position="last")
    table["person_ref"] = table.groupby("number")["ref"].transform("first")
    followed = edges[edges["state"] == "linked"].sort_values(["score", "rank"], ascending=[False, True], kind="stable")
    best = pd.concat([followed[["a", "rule", "score"]].set_axis(["ref", "rule", "score"], axis=1),
                      followed[["b", "rule", "score"]].set_axis(["ref", "rule", "score"], axis=1)])  # fmt: skip
    best = best.drop_duplicates("ref").set_index("ref")
    table["method"] = table["ref"].map(best["rule"]).where(table["ref"] != table["person_ref"]).fillna("itself")
    table["score"] = table["ref"].map(best["score"]).where(table["ref"] != table["person_ref"]).fillna(1.0)
    return table.sort_values("ref")[["ref", "person_ref", "method", "score"]].reset_index(drop=True)


def _keep_identity(warehouse: Warehouse, identity: pd.DataFrame, before: pd.DataFrame, now: datetime) -> int:
    old = identity[["ref"]].merge(before, on="ref", how="left")
    same = (old["person_ref"] == identity["person_ref"]).to_numpy()
    identity = identity.assign(since=old["since"].where(same, pd.Timestamp(now)))
    columns = ["person_ref", "method", "score"]
    if len(before) == len(identity) and same.all() and old[columns].equals(identity[columns]):
        return 0
    warehouse.execute("delete from raw.identity")
    warehouse.append("raw", "identity", pa.Table.from_pandas(identity, schema=IDENTITY, preserve_index=False))
    return int((~same).sum())


def _keep_edges(warehouse: Warehouse, edges: pd.DataFrame, now: datetime) -> None:
    before = warehouse.query("select * from raw.identity_edges").to_pandas()
    edges = edges.rename(columns={"a": "ref_a", "b": "ref_b"}).drop(columns="rank")
    edges["reasons"] = edges["reasons"].map(lambda reasons: json.dumps(reasons, ensure_ascii=False))
    edges = edges.sort_values(["ref_a", "ref_b"], ignore_index=True)
    old = edges[["ref_a", "ref_b"]].merge(before, on=["ref_a", "ref_b"], how="left")
    content = ["rule", "reasons", "decided_by", "state"]
    same = (old[content] == edges[content]).all(axis=1).to_numpy()
    edges["decided_at"] = old["decided_at"].where(same, pd.Timestamp(now))
    if len(before) == len(edges) and same.all():
        return
    warehouse.execute("delete from raw.identity_edges")
    if len(edges):
        warehouse.append(
            "raw", "identity_edges",
            pa.Table.from_pandas(edges[IDENTITY_EDGES.names], schema=IDENTITY_EDGES, preserve_index=False),
        )  # fmt: skip
