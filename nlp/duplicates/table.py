"""Groups of copies as columns beside the texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from nlp.duplicates.boilerplate import learn_boilerplate
from nlp.duplicates.near import ALIKE_FROM, find_duplicates


def describe(
    texts: Sequence[str],
    sources: Sequence[str] | None = None,
    accounts: Sequence[str] | None = None,
    alike_from: float = ALIKE_FROM,
) -> dict[str, list[Any]]:
    """Columns of one value a text: ``row``, ``duplicate_of``, ``group_size``, ``accounts``, ``boilerplate_share``.

    ``row`` counts from 1; ``duplicate_of`` is the row of the first text of the group, empty for that one. Copies are
    looked for in what boilerplate leaves; where it leaves nothing, in the whole text.
    """
    boilerplate = learn_boilerplate(texts, sources)
    where = sources if sources is not None else [""] * len(texts)
    own = [boilerplate.remove(text, source) or text for text, source in zip(texts, where, strict=True)]
    found = find_duplicates(own, alike_from)
    columns: dict[str, list[Any]] = {
        "row": list(range(1, len(texts) + 1)),
        "duplicate_of": ["" if first == place else first + 1 for place, first in enumerate(found.first)],
        "group_size": found.group_sizes,
    }
    if accounts is not None:
        of_group: dict[int, set[str]] = defaultdict(set)
        for first, account in zip(found.first, accounts, strict=True):
            of_group[first].add(account)
        columns["accounts"] = [len(of_group[first]) for first in found.first]
    columns["boilerplate_share"] = [
        round(boilerplate.share(text, source), 3) for text, source in zip(texts, where, strict=True)
    ]
    return columns
