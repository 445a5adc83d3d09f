"""Near-duplicates: planted campaigns with edits, and all pairs of real texts by brute force; boilerplate; speed.

    python benchmarks/duplicates_quality.py [--texts 4000] [--speed 100000] [--data ../shared/data]

Into real texts campaigns are planted: a text of at least 20 characters pasted 4–30 times, each time edited in 0–8 % of
its characters (replaced, left out, doubled), with marks, emoji, a mention or a few words before or after. Baselines:
the same text exactly, and the same after normalising. The truth of the second table is the exact Jaccard similarity
of every pair. Boilerplate is planted as greetings and signatures of three sources with changing numbers.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from nlp.copies import ALIKE_FROM as ALIKE_IN_MART
from nlp.duplicates import find_duplicates, learn_boilerplate, shingles
from nlp.duplicates.groups import join_groups
from nlp.duplicates.near import ALIKE_FROM
from nlp.text import normalise

FILES = ("takeaway_reviews", "shopping_reviews", "weibo_posts", "citizen_complaints", "news_titles")
AROUND = ("转发!", "太真实了,", "帮转:", "@小伙伴们 ", "👍", "!!!", "~~", " 求扩散", "大家看看,", "【转】")
TEMPLATES = (
    ("尊敬的客户您好,您的工单{number}已受理。\n", "\n如需帮助请拨打服务热线,祝您生活愉快!"),
    ("【智能客服】感谢您的来信。\n", "\n----\n发自我的手机客户端"),
    ("", "\n本邮件及附件仅供收件人使用,如误收请删除。"),
)
Pairs = set[tuple[int, int]]


def edited(text: str, chance: random.Random, alphabet: str) -> str:
    """A copy as people paste it."""
    characters = list(text)
    for _ in range(int(chance.uniform(0, 0.08) * len(text))):
        place = chance.randrange(len(characters))
        characters[place] = chance.choice(("", characters[place] * 2, chance.choice(alphabet)))
    before, after = (chance.choice(AROUND) if chance.random() < 0.3 else "" for _ in range(2))
    return f"{before}{''.join(characters)}{after}"


def pairs_of(groups: Sequence[object]) -> Pairs:
    """All pairs of places with the same group."""
    members: dict[object, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    return {pair for places in members.values() for pair in combinations(places, 2)}


def brute_force(texts: Sequence[str], alike_from: float) -> Pairs:
    """Every pair whose exact Jaccard similarity reaches the threshold."""
    sets = [sorted(shingles(text)) for text in texts]
    numbers: dict[int, int] = {}
    columns = [numbers.setdefault(value, len(numbers)) for own in sets for value in own]
    sizes = np.array([len(own) for own in sets])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    matrix = csr_matrix((np.ones(len(columns), np.int32), columns, starts), shape=(len(sets), len(numbers)))
    shared = (matrix @ matrix.T).tocoo()
    every = sizes[shared.row] + sizes[shared.col] - shared.data
    alike = (shared.row < shared.col) & (shared.data >= alike_from * every)
    return set(zip(shared.row[alike].tolist(), shared.col[alike].tolist(), strict=True))


def told(name: str, found: Pairs, true: Pairs) -> None:
    """Print precision and recall of pairs."""
    right = len(found & true)
    print(f"  {name:28} precision {right / max(len(found), 1):.4f}, recall {right / max(len(true), 1):.4f}")


def campaigns(base: list[str], chance: random.Random) -> None:
    """Planted campaigns among different texts, then all pairs by brute force."""
    alphabet = "".join(base[:200])
    texts = list(base)
    truth: list[object] = [None] * len(base)
    chosen = chance.sample([place for place, text in enumerate(base) if 20 <= len(normalise(text)) <= 300], 120)
    for place in chosen:
        truth[place] = place
        copies = chance.randint(4, 30)
        texts += [edited(base[place], chance, alphabet) for _ in range(copies)]
        truth += [place] * copies
    order = list(range(len(texts)))
    chance.shuffle(order)
    texts, truth = [texts[place] for place in order], [truth[place] for place in order]
    planted = [place for place, group in enumerate(truth) if group is not None]
    true = pairs_of([group if group is not None else f"own {place}" for place, group in enumerate(truth)])
    print(f"{len(texts)} texts, {len(planted)} in {len(chosen)} planted campaigns; pairs")
    began = time.process_time()
    first = find_duplicates(texts).first
    seconds = time.process_time() - began
    told("same text", pairs_of(texts), true)
    told("same normalised text", pairs_of([normalise(text) for text in texts]), true)
    told("ours", pairs_of(first), true)
    exact = brute_force(texts, ALIKE_FROM)
    print(f"against all {len(exact)} pairs with Jaccard ≥ {ALIKE_FROM} by brute force ({seconds:.1f} s CPU for ours)")
    told("pairs of a group", pairs_of(first), exact)
    # A copy of a copy belongs to a group too, so two members may be less alike than the threshold.
    alike_to_some = {place for pair in exact for place in pair}
    grouped = {place for pair in pairs_of(first) for place in pair}
    right = len(alike_to_some & grouped)
    print(f"  texts that have a copy: precision {right / len(grouped):.4f}, recall {right / len(alike_to_some):.4f}")


def boilerplate(base: list[str], chance: random.Random) -> None:
    """Planted greetings and signatures: what is removed of them, and of people's own words."""
    texts, sources, own = [], [], []
    for number, text in enumerate(base[:2_000]):
        source = chance.randrange(3)
        before, after = TEMPLATES[source] if chance.random() < 0.4 else ("", "")
        texts.append(before.format(number=number) + text + after)
        sources.append(str(source))
        own.append(text)
    learned = learn_boilerplate(texts, sources)
    planted = sum(len(text) - len(mine) for text, mine in zip(texts, own, strict=True))
    removed = kept_wrong = lost = 0
    for text, source, mine in zip(texts, sources, own, strict=True):
        left = learned.remove(text, source)
        removed += len(text) - len(left)
        kept_wrong += max(len(left.strip()) - len(mine.strip()), 0)
        lost += max(len(mine.strip()) - len(left.strip()), 0)
    print(
        f"boilerplate, 2,000 texts of 3 sources: {1 - kept_wrong / planted:.4f} of {planted} planted characters"
        f" removed, {lost / sum(map(len, own)):.5f} of people's own lost"
    )


def speed(base: list[str], count: int, chance: random.Random) -> None:
    """So many texts, one in five a copy."""
    alphabet = "".join(base[:200])
    short = [text for text in base if len(text) < 200]
    texts = [
        edited(chance.choice(short[:500]), chance, alphabet) if chance.random() < 0.2 else
        chance.choice(short) + chance.choice(short)[:40]
        for _ in range(count)
    ]  # fmt: skip
    normalise.cache_clear()
    began = time.process_time()
    found = find_duplicates(texts)
    seconds = time.process_time() - began
    voices = len(set(found.first))
    print(f"{count:,} texts of {sum(map(len, texts)) / count:.0f} characters: {seconds:.1f} s CPU, {voices:,} voices")
    growing(texts)


def growing(texts: list[str]) -> None:
    """The same texts in a fifth of a day more than the window, the last tenth joining the groups of those before."""
    known = len(texts) * 9 // 10
    days = [7.2 * place / len(texts) for place in range(len(texts))]
    first = join_groups(texts[:known], days[:known], [], alike_from=ALIKE_IN_MART, window_days=7)
    normalise.cache_clear()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    found = join_groups(texts, days, first, alike_from=ALIKE_IN_MART, window_days=7)
    seconds = time.process_time() - began
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    at_once = join_groups(texts, days, [], alike_from=ALIKE_IN_MART, window_days=7)
    same = sum(one == other for one, other in zip(found, at_once, strict=True)) / len(texts)
    print(
        f"groups in the mart, {len(texts) - known:,} texts join {known:,}: {seconds:.1f} s CPU, peak memory"
        f" {more / 1024:.0f} MB more, {len(set(found)):,} voices, {same:.5f} of the texts grouped as all at once"
    )


def main() -> int:
    """Print the comparisons."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--texts", type=int, default=4_000)
    options.add_argument("--speed", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    given = options.parse_args()
    if not given.data.is_dir():
        print(f"shared data is absent at {given.data}; give its folder with --data")
        return 2
    parts = [pd.read_csv(given.data / f"{name}.csv.gz", usecols=["text"], dtype=str).dropna() for name in FILES]
    base = pd.concat([part.sample(given.texts // len(FILES), random_state=given.seed) for part in parts])
    texts = base["text"].drop_duplicates().sample(frac=1, random_state=given.seed).tolist()
    chance = random.Random(given.seed)
    campaigns(texts, chance)
    boilerplate(texts, chance)
    speed(texts, given.speed, chance)
    return 0


if __name__ == "__main__":
    sys.exit(main())
