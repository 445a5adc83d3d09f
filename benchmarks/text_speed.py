"""The text path on one core: normalise, mask, segment, sentiment; the target is 5,000 texts a second.

    python benchmarks/text_speed.py [--texts 6000] [--data ../shared/data]

Texts evenly from five real data sets, as they are and cut to 80 and to 40. Each step works on what the step before
left. The baseline is what the same path costs with jieba and SnowNLP 0.12.3 themselves, in the same process, without
masking (they have none), on every tenth text. Times are processor seconds, so that other work on the machine counts
little.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sentiment_speed import texts_of


def timed(what: Callable[[Sequence[str]], Any], texts: Sequence[str]) -> tuple[Any, float]:
    """The result and the processor seconds it took."""
    began = time.process_time()
    result = what(texts)
    return result, time.process_time() - began


def path(texts: Sequence[str], engines: dict[str, Any]) -> dict[str, float]:
    """Processor seconds of each step, and of the whole path with each engine."""
    from ingest.personal import mask_text
    from nlp.noise import noise_detector
    from nlp.segment import segmenter
    from nlp.text import normalise

    cutter, detector = segmenter(), noise_detector()
    clean, seconds_normalise = timed(lambda texts: [normalise(text) for text in texts], texts)
    masked, seconds_mask = timed(lambda texts: [mask_text(text) for text in texts], clean)
    _, seconds_segment = timed(lambda texts: [cutter.words(text) for text in texts], masked)
    _, seconds_noise = timed(lambda texts: [detector.find(text) for text in texts], masked)
    seconds = {"normalise": seconds_normalise, "mask": seconds_mask, "segment": seconds_segment}
    shared = sum(seconds.values())
    judged = {name: timed(engine.judge, masked)[1] for name, engine in engines.items()}
    seconds |= {f"sentiment, {name}": spent for name, spent in judged.items()}
    seconds |= {f"PATH, {name}": shared + spent for name, spent in judged.items()}
    seconds["noise (beside the path)"] = seconds_noise
    return seconds


def reference(texts: Sequence[str]) -> dict[str, float]:
    """Processor seconds of SnowNLP's simplification, jieba's words with their parts of speech, SnowNLP's sentiment."""
    import jieba.posseg
    from snownlp import SnowNLP

    clean, seconds_normalise = timed(lambda texts: [SnowNLP(text).han for text in texts], texts)
    _, seconds_segment = timed(lambda texts: [list(jieba.posseg.cut(text)) for text in texts], clean)
    _, seconds_sentiment = timed(lambda texts: [SnowNLP(text).sentiments for text in texts], clean)
    seconds = {"normalise": seconds_normalise, "segment": seconds_segment, "sentiment, snownlp": seconds_sentiment}
    return seconds | {"PATH, snownlp": sum(seconds.values())}


def main() -> int:
    """Print texts per second by step; exit 1 where the default path misses the target on any length."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--texts", type=int, default=6_000)
    options.add_argument("--target", type=float, default=5_000)
    options.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    given = options.parse_args()
    if not given.data.is_dir():
        print(f"shared data is absent at {given.data}; give its folder with --data")
        return 2

    from ingest.personal import mask_text
    from nlp.segment import segmenter
    from nlp.sentiment import get_engine
    from nlp.text import normalise

    missed = False
    with tempfile.TemporaryDirectory() as models:
        engines = {name: get_engine(name, Path(models)) for name in ("default", "snownlp")}
        for engine in engines.values():
            engine.judge(["先热身,但是不计时。"])
        segmenter().words(mask_text(normalise("张先生先热身,电话不用记")))
        reference(["先热身"])
        whole = texts_of(given.data, given.texts, seed=1)
        lengths = [("as they are", whole)] + [(f"first {n} characters", [text[:n] for text in whole]) for n in (80, 40)]
        for title, texts in lengths:
            ours, theirs = path(texts, engines), reference(texts[::10])
            print(f"{title}: {len(texts)} texts, {sum(map(len, texts)) / len(texts):.0f} characters on average")
            print(f"  {'texts/s a core':26}{'ours':>10}{'jieba + SnowNLP':>18}")
            for step, seconds in ours.items():
                other = f"{len(texts[::10]) / theirs[step]:,.0f}" if step in theirs else "–"
                print(f"  {step:26}{len(texts) / seconds:>10,.0f}{other:>18}")
            missed |= len(texts) / ours["PATH, default"] < given.target
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
