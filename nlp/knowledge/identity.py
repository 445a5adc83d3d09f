"""Which gap of this week is which of last week: by the tickets that they share, so that renaming changes no number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set

SAME_FROM = 0.5
"""Share of the smaller one's tickets, among those that both weeks looked at, from which two gaps are the same."""


def permanent_ids(groups: Sequence[Set[str]], known: Mapping[str, int], asked: Set[str], last_id: int) -> list[int]:
    """The id of each group of tickets; groups that hold no earlier one get new ids after ``last_id``, in their order.

    ``known``: id of the gap by ticket, as of the last run. ``asked``: all tickets of this run; a gap is compared by
    those that are still looked at. Of several groups that could follow a gap the one that shares most tickets does,
    and each group follows one gap at most: a split-off part is a new gap, of two merged ones the larger goes on.
    """
    shared: Counter[tuple[int, int]] = Counter()
    for place, group in enumerate(groups):
        for ticket in group:
            if ticket in known:
                shared[known[ticket], place] += 1
    before = Counter(gap for ticket, gap in known.items() if ticket in asked)
    seen = [sum(ticket in known for ticket in group) for group in groups]
    found: dict[int, int] = {}
    taken: set[int] = set()
    for (gap, place), count in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if gap in taken or place in found or count < SAME_FROM * min(before[gap], seen[place]):
            continue
        found[place] = gap
        taken.add(gap)
    ids = []
    for place in range(len(groups)):
        if place not in found:
            last_id += 1
        ids.append(found.get(place, last_id))
    return ids
