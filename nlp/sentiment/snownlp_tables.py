"""SnowNLP's two models (segmenter, Naive Bayes) as flat arrays, exact to the last bit.

SnowNLP segments with a trigram model over characters tagged b, m, e, s. Its probability of a tagged character
depends on the trigram alone, so its logarithm is computed here once for every trigram and bigram that the model
knows, with the very operations of SnowNLP in their order; what the model doesn't know backs off to the next table.
At run time there is nothing left but look-ups and additions. Everything is sparse: one hash look-up by characters
finds a short run of (tags, logarithm) entries.
"""

from __future__ import annotations

import gzip
import hashlib
import marshal
import math
from importlib import metadata, util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from huiyin.errors import HuiyinError
from nlp.files import replacing

TABLES_VERSION = 1
"""Raise it when the layout changes."""

SUPPORTED_VERSION = "0.12.3"
FIRST_HAN, LAST_HAN = 0x4E00, 0x9FA5
"""The characters that SnowNLP segments; everything else is split at white space."""

_TAGS = {"b": 0, "m": 1, "e": 2, "s": 3}
MIX_1, MIX_2 = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53
FNV_BASIS, FNV_PRIME = 1469598103934665603, 1099511628211
LAST_SPACE = 0x3000
"""No code point above it is white space."""


class SnowNlpDataError(HuiyinError):
    """SnowNLP's data files are absent or not those this engine reproduces."""


class Tables(NamedTuple):
    """What the kernel reads. Characters are numbered from 1; 0 is the beginning of a run.

    ``*_keys``/``*_slots``: an open-addressing hash table from a packed key to an entry number (-1: free).
    ``*_starts``: the run of entries of each number. ``*_tags``: packed tags of an entry, four to a character.
    """

    han_number: npt.NDArray[np.int32]
    """Number of each character from U+4E00; -1: the model has never seen it."""
    unigram_log: npt.NDArray[np.float64]
    """Logarithm by number × tag where neither bigram nor trigram is known."""
    bigram_keys: npt.NDArray[np.int64]
    bigram_slots: npt.NDArray[np.int32]
    bigram_starts: npt.NDArray[np.int32]
    bigram_tags: npt.NDArray[np.uint8]
    bigram_log: npt.NDArray[np.float64]
    trigram_keys: npt.NDArray[np.int64]
    trigram_slots: npt.NDArray[np.int32]
    trigram_starts: npt.NDArray[np.int32]
    trigram_tags: npt.NDArray[np.uint8]
    trigram_log: npt.NDArray[np.float64]
    word_keys: npt.NDArray[np.int64]
    word_slots: npt.NDArray[np.int32]
    word_starts: npt.NDArray[np.int32]
    word_points: npt.NDArray[np.uint32]
    """Code points of all words, one after the other."""
    word_log: npt.NDArray[np.float64]
    """Logarithm by word × class (in the order of SnowNLP's dictionary); zero for stop words."""
    unknown_log: npt.NDArray[np.float64]
    prior_log: npt.NDArray[np.float64]
    positive_class: npt.NDArray[np.int64]
    """Position of ``pos`` among the classes: SnowNLP's rounding depends on which comes first."""
    is_space: npt.NDArray[np.bool_]
    """By code point up to :data:`LAST_SPACE`, as ``str.split`` sees it."""


def fingerprint(retrained: Path | None = None) -> str:
    """The first eight hexadecimal digits of the hash over the data files. Raises :class:`SnowNlpDataError`."""
    digest = hashlib.sha256(f"layout {TABLES_VERSION}".encode())
    for file in _data_files(retrained):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def load_tables(models_dir: Path, retrained: Path | None = None) -> Tables:
    """The tables of SnowNLP's models, built on first use (about 10 s) and kept in ``models_dir``.

    ``retrained``: a file saved by ``snownlp.sentiment.save``, or a folder with such a file and perhaps one saved by
    ``snownlp.seg.save``; what it lacks comes from the installed package. Raises :class:`SnowNlpDataError`.
    """
    file = models_dir / "sentiment" / f"snownlp-{fingerprint(retrained)}.npz"
    if not file.exists():
        with replacing(file) as beside:
            np.savez(beside, **build_tables(retrained)._asdict())
    with np.load(file, allow_pickle=False) as stored:
        return Tables(**{name: stored[name] for name in Tables._fields})


def build_tables(retrained: Path | None = None) -> Tables:
    """Read the data files and lay them out. Raises :class:`SnowNlpDataError`."""
    segmenter_file, bayes_file, stop_words_file = _data_files(retrained)
    return Tables(**_segmenter_tables(segmenter_file), **_bayes_tables(bayes_file, stop_words_file), is_space=_spaces())


def _data_files(retrained: Path | None = None) -> tuple[Path, Path, Path]:
    segmenter_file, bayes_file, stop_words_file = _installed_files()
    if retrained is None:
        return segmenter_file, bayes_file, stop_words_file
    if retrained.is_file():
        return segmenter_file, retrained, stop_words_file
    own_bayes, own_segmenter = _saved(retrained, "sentiment.marshal"), _saved(retrained, "seg.marshal")
    if own_bayes is None and own_segmenter is None:
        raise SnowNlpDataError(
            f"nlp.snownlp_model: {retrained} holds no sentiment.marshal.3 and no seg.marshal.3; save them there with"
            " snownlp.sentiment.save and snownlp.seg.save"
        )
    return own_segmenter or segmenter_file, own_bayes or bayes_file, stop_words_file


def _saved(folder: Path, name: str) -> Path | None:
    """SnowNLP adds .3 to the name it is given."""
    for file in (folder / f"{name}.3", folder / name):
        if file.is_file():
            return file
    return None


def _installed_files() -> tuple[Path, Path, Path]:
    # find_spec does not import the package, which would load 400 MB.
    spec = util.find_spec("snownlp")
    if spec is None or not spec.submodule_search_locations:
        raise SnowNlpDataError("sentiment engine snownlp: package snownlp is not installed; run `make setup`")
    if (found := metadata.version("snownlp")) != SUPPORTED_VERSION:
        raise SnowNlpDataError(
            f"sentiment engine snownlp: snownlp {found} is installed, {SUPPORTED_VERSION} is reproduced; install that"
        )
    folder = Path(spec.submodule_search_locations[0])
    return (
        folder / "seg" / "seg.marshal.3",
        folder / "sentiment" / "sentiment.marshal.3",
        folder / "normal" / "stopwords.txt",
    )


def _read_marshal(file: Path, parts: tuple[str, ...]) -> Any:
    """What SnowNLP saved, zipped or not. Raises :class:`SnowNlpDataError` where it isn't such a model."""
    content = file.read_bytes()
    try:
        model = marshal.loads(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    except (ValueError, EOFError, TypeError, OSError) as error:
        raise SnowNlpDataError(f"{file} was not saved by SnowNLP: {error}") from error
    if not isinstance(model, dict) or any(part not in model for part in parts):
        raise SnowNlpDataError(f"{file} is no such model of SnowNLP: it lacks {', '.join(parts)}")
    return model


def _segmenter_tables(file: Path) -> dict[str, npt.NDArray[Any]]:
    model = _read_marshal(file, ("uni", "bi", "tri", "l1", "l2", "l3"))
    unigrams = model["uni"]["d"]
    number: dict[str, int] = {"": 0}
    for character, _ in unigrams:
        if len(character) == 1 and FIRST_HAN <= ord(character) <= LAST_HAN:
            number.setdefault(character, len(number))
    han_number = np.full(LAST_HAN - FIRST_HAN + 1, -1, np.int32)
    for character, place in number.items():
        if character:
            han_number[ord(character) - FIRST_HAN] = place

    # A state is a character with its tag; the beginning has one tag only, which takes the place of b.
    state = {(c, t): number[c] * 4 + _TAGS.get(t, 0) for c, t in unigrams if c in number}
    count1 = np.zeros(len(number) * 4)
    for tagged, place in state.items():
        count1[place] = unigrams[tagged]
    part1 = model["l1"] * (count1 / model["uni"]["total"])

    bigrams, count2 = _grams(model["bi"].pop("d"), 2, state)
    trigrams, count3 = _grams(model["tri"].pop("d"), 3, state)
    part2 = _divide(model["l2"] * count2, count1[bigrams[:, 0]])
    by_bigram = _Lookup(bigrams[:, 0] * len(count1) + bigrams[:, 1])
    begun_by = by_bigram.find(trigrams[:, 0] * len(count1) + trigrams[:, 1])
    ended_by = by_bigram.find(trigrams[:, 1] * len(count1) + trigrams[:, 2])
    part3 = _divide(model["l3"] * count3, np.where(begun_by >= 0, count2[begun_by], 0.0))
    # The order of the additions is SnowNLP's: (unigram + bigram) + trigram.
    sum2 = part1[bigrams[:, 1]] + part2
    sum3 = part1[trigrams[:, 2]] + np.where(ended_by >= 0, part2[ended_by], 0.0) + part3
    return {
        "han_number": han_number,
        "unigram_log": _logs(part1),
        **_gram_table("bigram", bigrams, _logs(sum2), len(number)),
        **_gram_table("trigram", trigrams, _logs(sum3), len(number)),
    }


def _grams(
    counts: dict[Any, int], order: int, state: dict[tuple[str, str], int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """States (rows of ``order``) and counts of the grams whose characters are all segmented ones."""
    places = (state.get(tagged, -1) for gram in counts for tagged in gram)
    found = np.fromiter(places, np.int64, len(counts) * order).reshape(-1, order)
    usable = (found >= 0).all(axis=1)
    return found[usable], np.fromiter(counts.values(), np.float64, len(counts))[usable]


def _divide(numerator: npt.NDArray[np.float64], denominator: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The quotient; 0 where SnowNLP finds a zero denominator."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def _logs(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Python's own logarithm: numpy's may differ from it in the last bit."""
    return np.array([math.log(value) if value else -math.inf for value in values.tolist()])


class _Lookup:
    """Positions of packed keys in an array."""

    def __init__(self, keys: npt.NDArray[np.int64]) -> None:
        self._order = np.argsort(keys)
        self._sorted = keys[self._order]

    def find(self, keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The position of each key; -1 where it is absent."""
        at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        return np.where(self._sorted[at] == keys, self._order[at], -1)


def _gram_table(
    name: str, grams: npt.NDArray[np.int64], logs: npt.NDArray[np.float64], numbers: int
) -> dict[str, npt.NDArray[Any]]:
    """Entries sorted by their characters, and the hash table that finds the run of each."""
    characters, tags = grams // 4, grams % 4
    keys, packed_tags = characters[:, 0], tags[:, 0]
    for place in range(1, grams.shape[1]):
        keys = keys * numbers + characters[:, place]
        packed_tags = packed_tags * 4 + tags[:, place]
    order = np.argsort(keys, kind="stable")
    distinct, starts = np.unique(keys[order], return_index=True)
    hash_keys, hash_slots = hash_table(distinct)
    return {
        f"{name}_keys": hash_keys,
        f"{name}_slots": hash_slots,
        f"{name}_starts": np.append(starts, len(keys)).astype(np.int32),
        f"{name}_tags": packed_tags[order].astype(np.uint8),
        f"{name}_log": logs[order],
    }


def hash_table(keys: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Distinct keys in an open-addressing table with linear probing, at most two thirds full."""
    capacity = 1 << (len(keys) * 3 // 2).bit_length()
    table, slots = np.full(capacity, -1, np.int64), np.full(capacity, -1, np.int32)
    waiting, home = np.arange(len(keys)), _slot_of(keys, capacity)
    while len(waiting):
        # All keys that wait try their next slot at once; of several that want one, the first takes it.
        free = np.flatnonzero(slots[home] < 0)
        taken, first = np.unique(home[free], return_index=True)
        placed = free[first]
        table[taken], slots[taken] = keys[waiting[placed]], waiting[placed]
        left = np.ones(len(waiting), bool)
        left[placed] = False
        waiting, home = waiting[left], (home[left] + 1) & (capacity - 1)
    return table, slots


def _slot_of(keys: npt.NDArray[np.int64], capacity: int) -> npt.NDArray[np.int64]:
    """The home slot: Murmur's finaliser, as in the kernel."""
    mixed = keys.astype(np.uint64)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(MIX_1)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(MIX_2)
    mixed ^= mixed >> np.uint64(33)
    return (mixed & np.uint64(capacity - 1)).astype(np.int64)


def _word_key(word: str) -> int:
    """63 bits of FNV over the code points, as in the kernel."""
    key = FNV_BASIS
    for character in word:
        key = ((key ^ ord(character)) * FNV_PRIME) & 0xFFFFFFFFFFFFFFFF
        key ^= key >> 29
    return key & 0x7FFFFFFFFFFFFFFF


def _bayes_tables(bayes_file: Path, stop_words_file: Path) -> dict[str, npt.NDArray[Any]]:
    model = _read_marshal(bayes_file, ("d", "total"))
    classes = list(model["d"])
    if sorted(classes) != ["neg", "pos"]:
        raise SnowNlpDataError(f"{bayes_file}: classes pos and neg are needed, it has {', '.join(map(str, classes))}")
    counts = [model["d"][name] for name in classes]
    stop_words = {line.strip() for line in stop_words_file.read_text("utf-8").splitlines()} - {""}
    words = sorted(stop_words.union(*(part["d"] for part in counts)))

    def log_of(word: str, part: dict[str, Any]) -> float:
        # Adding the zero of a stop word leaves a sum as it is, which is what leaving the word out does.
        return 0.0 if word in stop_words else math.log(float(part["d"].get(word, part["none"])) / part["total"])

    keys = np.array([_word_key(word) for word in words], np.int64)
    if len(np.unique(keys)) != len(keys):
        raise SnowNlpDataError(f"{bayes_file}: two words share a key; change FNV_BASIS in {__name__}")
    word_keys, word_slots = hash_table(keys)
    return {
        "word_keys": word_keys,
        "word_slots": word_slots,
        "word_starts": np.cumsum([0, *map(len, words)], dtype=np.int32),
        "word_points": code_points("".join(words)),
        "word_log": np.array([[log_of(word, part) for part in counts] for word in words]),
        "unknown_log": np.array([math.log(float(part["none"]) / part["total"]) for part in counts]),
        "prior_log": np.array([math.log(part["total"]) - math.log(model["total"]) for part in counts]),
        "positive_class": np.array(classes.index("pos")),
    }


def code_points(text: str) -> npt.NDArray[np.uint32]:
    """The code points of any string, lone surrogates included."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _spaces() -> npt.NDArray[np.bool_]:
    return np.array([chr(point).isspace() for point in range(LAST_SPACE + 1)])
