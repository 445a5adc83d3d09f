"""What the raw tables know of each ref: since when, by which channel, which identifiers, and the CRM's record."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from warehouse.connection import Warehouse

# Kinds of identifiers, the most personal first: an openid is one person's, a phone often a household's.
KINDS = ("ref", "wechat", "handle", "app_account", "email", "other", "phone", "device")
_KIND_OF_CHANNEL = {"phone": "phone", "email": "email", "wechat": "wechat"}


@dataclass(frozen=True)
class Observations:
    """``refs``: by ref, ``first_seen_at`` and ``region`` (the most frequent, may be missing). ``holdings``: ref, kind,
    value; every ref holds itself. ``records``: the CRM's customers by ref, with name, segment, region.
    """

    refs: pd.DataFrame
    holdings: pd.DataFrame
    records: pd.DataFrame


def observe(warehouse: Warehouse) -> Observations:
    """Read the raw tables; what was deleted upstream doesn't count."""
    sightings = _sightings(warehouse)
    holdings = _holdings(warehouse)
    records = _records(warehouse)
    seen = pd.concat(
        [
            sightings[["ref", "first_seen_at"]],
            holdings[["ref", "first_seen_at"]],
            records.reset_index()[["ref", "first_seen_at"]],
        ]
    )
    refs = seen.groupby("ref")["first_seen_at"].min().to_frame()
    placed = sightings.dropna(subset="region").groupby(["ref", "region"])["seen"].sum().reset_index()
    placed = placed.sort_values(["ref", "seen", "region"], ascending=[True, False, True]).drop_duplicates("ref")
    refs["region"] = placed.set_index("ref")["region"]
    stated = records["region"].reindex(refs.index)
    refs["region"] = stated.where(stated.notna(), refs["region"])
    own = sightings[["ref"]].assign(kind=sightings["channel"].map(_KIND_OF_CHANNEL), value=sightings["ref"])
    own = own.dropna(subset="kind")
    others = refs.index.difference(pd.Index(own["ref"]))
    itself = pd.DataFrame({"ref": others, "kind": "ref", "value": others})
    return Observations(
        refs, pd.concat([holdings[["ref", "kind", "value"]], own, itself]).drop_duplicates(ignore_index=True), records
    )


def _sightings(warehouse: Warehouse) -> pd.DataFrame:
    parts = " union all ".join(
        "select customer_ref as ref, channel, region, min(created_at) as first_seen_at, count(*) as seen"
        f" from raw.{table} where customer_ref is not null and _deleted_at is null group by 1, 2, 3"
        for table in ("tickets", "feedback")
    )
    found: pd.DataFrame = warehouse.query(parts).to_pandas()
    return found


def _holdings(warehouse: Warehouse) -> pd.DataFrame:
    parts = [
        f"select customer_ref as ref, '{kind}' as kind, {kind} as value, min(valid_from_at) as first_seen_at"
        f" from raw.customers where {kind} is not null and _deleted_at is null group by 1, 3"
        for kind in ("phone", "email", "wechat")
    ]
    parts.append(
        "select customer_ref, identifier_kind, identifier, min(seen_at) from raw.identifiers"
        " where _deleted_at is null group by 1, 2, 3"
    )
    found: pd.DataFrame = warehouse.query(" union all ".join(parts)).to_pandas()
    found["kind"] = found["kind"].where(found["kind"].isin(KINDS), "other")
    return found


def _records(warehouse: Warehouse) -> pd.DataFrame:
    """The latest version of each customer; a customer in several CRMs is one record."""
    found: pd.DataFrame = warehouse.query(
        "select customer_ref as ref, name, segment, region, valid_from_at, _source as source from raw.customers"
        " where _deleted_at is null"
    ).to_pandas()
    found = found.sort_values(["ref", "valid_from_at", "source"], kind="stable")
    latest = found.groupby("ref").last()  # the last value that isn't missing, field by field
    latest["first_seen_at"] = found.groupby("ref")["valid_from_at"].min()
    return latest
