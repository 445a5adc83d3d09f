"""How well persons are recognised: pairwise and B-cubed precision and recall on demo companies of several seeds.

    python benchmarks/identity_quality.py [--scale 0.4] [--seeds 11 12 13] [--doubles]

Loads customers, identifiers, tickets and feedback of each company with the real loader, resolves, and compares with
``ground_truth/identities.parquet``. *Linkable* are two refs of one person that a chain of evidence connects: the same
identifier, or phones or addresses that agree in one part (a slip). ``precision``: a pair is right if one person uses
both refs; ``strict``: a ref used by several people (a household's phone, a switchboard) is nobody's, every pair with
it is wrong. Such refs are left out of all figures of recall. ``by own evidence``: linkable by identifiers that nobody
else uses. Baselines on the same data: the number alone, as the systems know it; the same phone;
any shared identifier, unguarded. Records entered twice: beside Splink 5 with expectation maximisation. The company of
the default seed was looked at during development; judge by the others.

``--doubles`` also loads events and messages, builds the mart and counts the same requests on two channels.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from huiyin.config import Settings, load_settings
from huiyin.demo import generate
from huiyin.interval import Interval
from ingest.identity import resolve
from ingest.identity.evidence import record_edges
from ingest.identity.observations import Observations, observe
from ingest.identity.persons import components
from ingest.identity.scoring import parts_of
from ingest.load import ingest_source
from ingest.masking import load_masker
from ingest.sources import load_sources
from warehouse.connection import open_warehouse

YEAR = Interval(None, date(2026, 1, 1))


def loaded(folder: Path, scale: float, seed: int, everything: bool) -> Settings:
    """A demo company in a warehouse of its own."""
    generate(folder / "demo", scale, seed)
    file = folder / "demo" / "sources.yml"
    if not everything:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        for source in content["sources"]:
            source["tables"] = [
                table for table in source["tables"]
                if table["entity"] in ("tickets", "customers", "identifiers", "feedback")
            ]  # fmt: skip
        content["sources"] = [source for source in content["sources"] if source["tables"]]
        file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    settings = load_settings(sources=file, var=folder / "var")
    for source in load_sources(settings).sources:
        if source.name != "decisions":
            ingest_source(settings, source.name, YEAR, "benchmark")
    return settings


def users(settings: Settings) -> pd.Series:
    """The set of people who use each ref."""
    truth = pd.read_parquet(settings.sources_file.parent / "ground_truth" / "identities.parquet")
    masker = load_masker(settings)
    found: pd.Series = truth.assign(ref=truth["value"].map(masker.pseudonym)).groupby("ref")["person"].agg(frozenset)
    return found


def owners(used_by: pd.Series) -> pd.Series:
    """The person of each ref; a ref of several people is a person of its own, nobody's."""
    alone = used_by.map(len) == 1
    return pd.Series(np.where(alone, used_by.map(min), -1 - np.arange(len(used_by))), index=used_by.index)


def pairs_in(sizes: pd.Series) -> float:
    """How many pairs groups of these sizes hold."""
    return float((sizes * (sizes - 1) / 2).sum())


def precision(cluster: pd.Series, used_by: pd.Series) -> float:
    """Share of the pairs found of which one person uses both refs."""
    right = found = 0
    for _, refs in cluster.groupby(cluster).groups.items():
        people = [used_by.get(ref, frozenset()) for ref in refs]
        for index, first in enumerate(people):
            found += len(people) - index - 1
            right += sum(not first.isdisjoint(second) for second in people[index + 1 :])
    return right / found if found else 1.0


def quality(cluster: pd.Series, person: pd.Series) -> dict[str, float]:
    """Pairwise and B-cubed (Bagga and Baldwin 1998) figures of clusters, over the refs that the data holds."""
    table = pd.DataFrame({"cluster": cluster, "person": person.reindex(cluster.index)})
    strangers = table["person"].isna()
    table.loc[strangers, "person"] = -(10**9) - np.arange(int(strangers.sum()))
    both = table.groupby(["cluster", "person"])["person"].transform("size")
    own, true = (
        table.groupby("cluster")["person"].transform("size"),
        table.groupby("person")["person"].transform("size"),
    )
    hits = pairs_in(table.groupby(["cluster", "person"]).size())
    found, wanted = pairs_in(cluster.value_counts()), pairs_in(table["person"].value_counts())
    return {
        "strict": hits / found if found else 1.0, "recall of all": hits / wanted,
        "b3 precision": float((both / own).mean()), "b3 recall": float((both / true).mean()),
    }  # fmt: skip


def linkable(seen: Observations, person: pd.Series, own_evidence: bool) -> pd.Series:
    """A number for the refs of one person that evidence connects."""
    held = seen.holdings.assign(person=seen.holdings["ref"].map(person))
    if own_evidence:
        users = held.dropna(subset="person").groupby("value")["person"].nunique()
        held = held[held["value"].map(users) == 1]
    held = held[held["person"] >= 0]
    parted = held[held["kind"].isin(("phone", "email"))]
    keys = [held.assign(key=held["value"])]
    keys += [parted.assign(key=f"{name} " + part) for name, part in parts_of(parted["value"]).items()]
    nodes = pd.concat(keys)
    refs = pd.Index(nodes["ref"].unique())
    groups = pd.factorize(nodes["person"].astype(str) + nodes["key"])[0]
    graph = coo_matrix((np.ones(len(nodes)), (refs.get_indexer(pd.Index(nodes["ref"])), len(refs) + groups)),
                       shape=(len(refs) + groups.max() + 1,) * 2)  # fmt: skip
    return pd.Series(connected_components(graph, directed=False)[1][: len(refs)], index=refs)


def recall(cluster: pd.Series, truth: pd.Series) -> float:
    """Share of the linkable pairs that are together."""
    table = pd.DataFrame({"truth": truth, "cluster": cluster.reindex(truth.index)})
    return pairs_in(table.groupby(["truth", "cluster"]).size()) / pairs_in(truth.value_counts())


def by_identifier(seen: Observations, kinds: tuple[str, ...] | None) -> pd.Series:
    """Baseline: whoever holds the same identifier is one person."""
    held = seen.holdings
    if kinds is not None:
        held = held[held["kind"].isin(kinds)]
    centre = held.sort_values("ref").drop_duplicates("value").set_index("value")["ref"]
    edges = pd.DataFrame({"a": held["ref"], "b": held["value"].map(centre)})
    return components(seen.refs.index, edges)


def splink_records(seen: Observations) -> tuple[pd.DataFrame, str]:
    """Pairs of CRM records by Splink: m by expectation maximisation, u by sampling, linked from 0.95."""
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on
    from splink import comparison_level_library as level
    from splink import comparison_library as compare

    table = seen.records[["name", "region", "segment"]].copy()
    held = seen.holdings[seen.holdings["ref"].isin(table.index)]
    for kind in ("phone", "email", "wechat"):
        table[kind] = held[held["kind"] == kind].groupby("ref")["value"].last()
        if kind != "wechat":
            table[[f"{kind}_first", f"{kind}_second"]] = parts_of(table[kind])

    def in_parts(kind: str) -> Any:
        return compare.CustomComparison(
            output_column_name=kind,
            comparison_levels=[
                level.NullLevel(kind), level.ExactMatchLevel(kind),
                level.CustomLevel(f"{kind}_first_l = {kind}_first_r or {kind}_second_l = {kind}_second_r", "part"),
                level.ElseLevel(),
            ],
        )  # fmt: skip

    blocks: list[Any] = [block_on("phone"), block_on("email"), block_on("wechat"), block_on("name", "region")]
    blocks += [block_on("name", f"{kind}_{part}") for kind in ("phone", "email") for part in ("first", "second")]
    creator = SettingsCreator(
        link_type="dedupe_only", blocking_rules_to_generate_predictions=blocks,
        comparisons=[
            compare.ExactMatch("name").configure(term_frequency_adjustments=True), in_parts("phone"), in_parts("email"),
            compare.ExactMatch("wechat"), compare.ExactMatch("region"), compare.ExactMatch("segment"),
        ],
    )  # fmt: skip
    database = DuckDBAPI()
    rows = pa.Table.from_pandas(table.rename_axis("unique_id").reset_index(), preserve_index=False)
    linker = Linker(database.register(rows), creator)
    linker.training.estimate_probability_two_random_records_match(
        [block_on("phone", "name"), block_on("wechat"), block_on("email", "name")], recall=0.7
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    try:
        for block in (block_on("name", "region"), block_on("phone")):
            linker.training.estimate_parameters_using_expectation_maximisation(block)
    except ValueError as error:
        return pd.DataFrame({"a": [], "b": []}), f"training failed: {str(error)[:60]}"
    found = linker.inference.predict(threshold_match_probability=0.95).as_pandas_dataframe()  # type: ignore[no-untyped-call]
    return found[["unique_id_l", "unique_id_r"]].set_axis(["a", "b"], axis=1), ""


def record_quality(pairs: pd.DataFrame, seen: Observations, person: pd.Series) -> str:
    """Precision and recall of pairs of records."""
    records = person.reindex(seen.records.index).dropna()
    wanted = pairs_in(records.value_counts())
    right = int((pairs["a"].map(person) == pairs["b"].map(person)).sum())
    return f"precision {right / max(len(pairs), 1):.3f}  recall {right / wanted:.3f}  of {wanted:.0f} pairs"


def doubles(settings: Settings) -> None:
    """Precision and recall of doubled requests in the mart, of those that the desk didn't merge itself."""
    from ingest.calendar import load_calendar
    from warehouse.dbt import SELECT_CORE, run_dbt
    from warehouse.handover import create_nlp_tables

    load_calendar(settings)
    with open_warehouse(settings) as warehouse:
        create_nlp_tables(warehouse)
    run_dbt(settings, "build", SELECT_CORE)
    with open_warehouse(settings) as warehouse:
        links = warehouse.query("select * from mart.fct_ticket_links where link_kind <> 'merged'").to_pandas()
        known = warehouse.query("select ticket_id, customer_ref from intermediate.int_tickets").to_pandas()
    truth = pd.read_parquet(settings.sources_file.parent / "ground_truth" / "tickets.parquet").set_index("ticket_id")
    twins = truth[truth["kind"] == "duplicate"]["duplicate_of"]
    who = known.set_index("ticket_id")["customer_ref"]
    same = sum(isinstance(who.get(a), str) and who.get(a) == who.get(b) for a, b in twins.items())
    links["true"] = links["ticket_id"].map(twins) == links["duplicate_of_ticket_id"]
    counted = links[links["link_kind"] == "duplicate"]
    print(
        f"  doubled requests: {len(twins)} planted, of {same} both tickets are known to be one person's; counted once"
        f" {len(counted)}, wrongly {int((~counted['true']).sum())}: precision {counted['true'].mean():.3f}, recall"
        f" {counted['true'].sum() / max(same, 1):.3f} of those, {counted['true'].sum() / len(twins):.3f} of all;"
        f" {int((links['true'] & (links['link_kind'] == 'possible')).sum())} more are shown as possible"
        f" among {int((links['link_kind'] == 'possible').sum())}"
    )


def report(scale: float, seed: int, with_doubles: bool) -> None:
    """Print the figures of one company."""
    with tempfile.TemporaryDirectory() as folder:
        settings = loaded(Path(folder), scale, seed, with_doubles)
        started = time.perf_counter()
        outcome = resolve(settings)
        seconds = time.perf_counter() - started
        used_by = users(settings)
        person = owners(used_by)
        with open_warehouse(settings) as warehouse:
            seen = observe(warehouse)
            found = warehouse.query("select ref, person_ref from raw.identity").to_pandas()
        ours = found.set_index("ref")["person_ref"]
        print(f"seed {seed}, scale {scale}: {outcome} in {seconds:.1f} s")
        truths = [linkable(seen, person, own_evidence) for own_evidence in (False, True)]
        rows = {
            "huiyin": ours,
            "number as delivered": pd.Series(ours.index, index=ours.index),
            "same phone": by_identifier(seen, ("phone", "ref")),
            "any shared identifier": by_identifier(seen, None),
        }
        table = pd.DataFrame(
            {
                name: quality(cluster, person)
                | {
                    "precision": precision(cluster, used_by),
                    "recall of linkable": recall(cluster, truths[0]),
                    "by own evidence": recall(cluster, truths[1]),
                }
                for name, cluster in rows.items()
            }
        ).T
        shown = [
            "precision",
            "strict",
            "recall of linkable",
            "by own evidence",
            "recall of all",
            "b3 precision",
            "b3 recall",
        ]
        print(table[shown].round(4).to_string())
        links = record_edges(seen)
        print("  records entered twice: huiyin", record_quality(links[links["state"] == "linked"], seen, person))
        logging.disable(logging.WARNING)  # Splink tells every step
        started = time.perf_counter()
        pairs, failure = splink_records(seen)
        seconds = time.perf_counter() - started
        print("                         splink", failure or record_quality(pairs, seen, person), f"in {seconds:.1f} s")
        logging.disable(logging.NOTSET)
        if with_doubles:
            doubles(settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--doubles", action="store_true")
    arguments = parser.parse_args()
    for seed in arguments.seeds:
        report(arguments.scale, seed, arguments.doubles)


if __name__ == "__main__":
    main()
