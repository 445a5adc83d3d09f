"""From edges to persons: connected refs, except where that would join what must stay apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Pair = tuple[str, str]


def components(refs: pd.Index, edges: pd.DataFrame) -> pd.Series:
    """A number for each connected set of refs."""
    first, second = refs.get_indexer(pd.Index(edges["a"])), refs.get_indexer(pd.Index(edges["b"]))
    graph = coo_matrix((np.ones(len(edges), dtype=np.int8), (first, second)), shape=(len(refs), len(refs)))
    return pd.Series(connected_components(graph, directed=False)[1], index=refs)


def persons(
    refs: pd.Index, edges: pd.DataFrame, customer_of: Mapping[str, str], separated: Iterable[Pair]
) -> tuple[pd.Series, pd.DataFrame]:
    """The person number of each ref, and the edges with their final state.

    ``edges`` with state ``linked`` are followed, the smallest rank first; one that would join two customers on record
    (``customer_of``) or two refs that a person separated becomes ``review``. Where the edges of one rank lead a ref
    to several customers, none of them is followed. Edges of rank −1, a person's verdicts, may join customers.
    """
    edges = edges.copy()
    apart = {frozenset(pair) for pair in separated}
    edges.loc[[frozenset(pair) in apart for pair in zip(edges["a"], edges["b"], strict=True)], "state"] = "separate"
    numbers = components(refs, edges[edges["state"] == "linked"])
    records = pd.Series(customer_of, dtype=object).rename("customer")
    mixed = records.groupby(numbers.reindex(records.index)).nunique()
    suspicious = set(mixed[mixed > 1].index)
    for pair in apart:
        a, b = tuple(pair)
        if a in numbers.index and b in numbers.index and numbers[a] == numbers[b]:
            suspicious.add(numbers[a])
    if not suspicious:
        return numbers, edges
    linked = edges[(edges["state"] == "linked") & edges["a"].map(numbers).isin(suspicious)]
    refused = [
        index
        for _, part in linked.groupby(linked["a"].map(numbers), sort=False)
        for index in _refused(part, customer_of, apart)
    ]
    edges.loc[refused, "state"] = "review"
    conflict = edges.index.isin(refused)
    edges["reasons"] = [
        [*reasons, "与其他证据冲突，未自动合并"] if is_refused else reasons
        for reasons, is_refused in zip(edges["reasons"], conflict.tolist(), strict=True)
    ]
    return components(refs, edges[edges["state"] == "linked"]), edges


class _Groups:
    """Growing sets of refs, each with its customer on record and the refs it must not meet."""

    def __init__(self, customer_of: Mapping[str, str], apart: set[frozenset[str]]) -> None:
        self._parent: dict[str, str] = {}
        self._members: dict[str, set[str]] = {}
        self._customers: dict[str, set[str]] = {}
        self._customer_of = customer_of
        self._apart: dict[str, set[str]] = defaultdict(set)
        for pair in apart:
            a, b = tuple(pair)
            self._apart[a].add(b)
            self._apart[b].add(a)

    def root(self, ref: str) -> str:
        if ref not in self._parent:
            self._parent[ref] = ref
            self._members[ref] = {ref}
            self._customers[ref] = {self._customer_of[ref]} if ref in self._customer_of else set()
        while self._parent[ref] != ref:
            self._parent[ref] = self._parent[self._parent[ref]]
            ref = self._parent[ref]
        return ref

    def customers(self, ref: str) -> set[str]:
        return self._customers[self.root(ref)]

    def join(self, a: str, b: str, may_join_customers: bool) -> bool:
        """Join the sets of two refs unless something speaks against it; whether they are together now."""
        first, second = self.root(a), self.root(b)
        if first == second:
            return True
        small, big = sorted((first, second), key=lambda root: len(self._members[root]))
        if any(not self._apart[ref].isdisjoint(self._members[big]) for ref in self._members[small]):
            return False
        customers = self._customers[small] | self._customers[big]
        if self._customers[small] and self._customers[big] and len(customers) > 1 and not may_join_customers:
            return False
        self._parent[small] = big
        self._members[big] |= self._members.pop(small)
        self._customers[big] = customers
        return True


def _refused(edges: pd.DataFrame, customer_of: Mapping[str, str], apart: set[frozenset[str]]) -> list[int]:
    """Positions of the edges that can't be followed."""
    groups = _Groups(customer_of, apart)
    refused: list[int] = []
    for _, level in edges.sort_values(["rank", "score", "a", "b"], ascending=[True, False, True, True]).groupby(
        "rank", sort=True
    ):
        leads: dict[str, set[str]] = defaultdict(set)
        pairs: list[tuple[int, str, str]] = list(zip(level.index.tolist(), level["a"], level["b"], strict=True))
        for _, a, b in pairs:
            for ref, other in ((a, b), (b, a)):
                if not groups.customers(ref):
                    leads[groups.root(ref)] |= groups.customers(other)
        is_verdict = int(level["rank"].iloc[0]) < 0
        for index, a, b in pairs:
            roots = groups.root(a), groups.root(b)
            is_torn = not is_verdict and any(len(leads[root]) > 1 for root in roots if not groups.customers(root))
            if is_torn or not groups.join(a, b, may_join_customers=is_verdict):
                refused.append(index)
    return refused
