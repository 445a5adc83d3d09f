"""``huiyin nlp`` and ``huiyin evaluate``: the language part on any CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from huiyin.config import Settings, load_settings
from huiyin.errors import HuiyinError

if TYPE_CHECKING:
    import pandas as pd

    from nlp.evaluation import Estimate

console = Console()
app = typer.Typer(no_args_is_help=True, help="The language part on any CSV file 文本理解.")

CsvFile = Annotated[Path, typer.Argument(help="CSV file, UTF-8 or GB18030; .gz too.", exists=True, dir_okay=False)]


class TextFileError(HuiyinError):
    """The CSV file can't be used; the message says why."""


@app.command()
def score(
    file: CsvFile,
    out: Annotated[Path, typer.Option(help="Where the CSV with the judgements goes (UTF-8).", dir_okay=False)],
    engine: Annotated[str, typer.Option(help="default, snownlp or endpoint; empty: as configured.")] = "",
    column: Annotated[str, typer.Option(help="Column of the texts.", metavar="NAME")] = "text",
    model: Annotated[
        Path | None, typer.Option(help="For engine snownlp: what SnowNLP saved after training.", exists=True)
    ] = None,
    adapt: Annotated[
        bool,
        typer.Option(help="Let the default engine adapt to these texts, if there are at least 500 different ones."),
    ] = True,
) -> None:
    """Judge each text: adds score (probability of positive), label, uncertain, intensity, noise.

    What is no customer's own words in Chinese (empty, advertising, machine text, another language) is judged all the
    same, but uncertain, and noise says why.
    """
    from nlp.noise import noise_detector
    from nlp.scoring import sentiment_engine, text_embedder
    from nlp.sentiment.adapting import adapted

    settings = load_settings(**({"nlp": {"snownlp_model": model}} if model else {}))
    frame = read_csv(file, [column])
    texts = _outgoing(settings, [engine], frame[column].tolist())
    judge = sentiment_engine(settings, engine)
    if adapt:
        judge = adapted(judge, texts, text_embedder(settings, kept=False))
    judged = judge.judge(texts)
    frame["score"] = judged.scores.round(6)
    frame["label"] = judged.labels
    noise = noise_detector(settings).find_all(texts)
    uncertain = [found is not None or doubt for found, doubt in zip(noise, judged.uncertain.tolist(), strict=True)]
    frame["uncertain"] = uncertain
    frame["intensity"] = judged.intensity.round(3)
    frame["noise"] = [str(found or "") for found in noise]
    out.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(out, index=False)
    counts = frame["label"].value_counts()
    console.print(
        f"[green]✓[/] {len(frame):,} texts judged by {judge.version}: "
        + ", ".join(f"{name} {count:,}" for name, count in counts.items())
        + f"; uncertain {sum(uncertain):,}, noise {sum(found is not None for found in noise):,}: {out}",
        soft_wrap=True,
    )


@app.command()
def aspects(
    file: CsvFile,
    out: Annotated[Path, typer.Option(help="Where the CSV with the aspects goes (UTF-8).", dir_okay=False)],
    column: Annotated[str, typer.Option(help="Column of the texts.", metavar="NAME")] = "text",
    engine: Annotated[
        str, typer.Option(help="Sentiment engine that judges where the word lists are silent; empty: none.")
    ] = "",
) -> None:
    """What each text praises (+), blames (-) or only names (0), and how the customer feels.

    Adds aspects, emotions and urgency (codes joined by ;), strengths (0…1 by feeling) and reasons (the words that
    decided). The word lists are aspects.csv, judging_words.csv and feelings.csv in nlp/aspects/data; files of these
    names in the folder of business rules take their place.
    """
    from nlp.aspects import AspectExtractor, EmotionDetector, taxonomy_of
    from nlp.aspects.table import describe
    from nlp.sentiment import get_engine

    settings = load_settings()
    frame = read_csv(file, [column])
    taxonomy = taxonomy_of(settings)
    extractor = AspectExtractor(taxonomy, get_engine(engine, settings.models_dir) if engine else None)
    described = describe(frame[column].tolist(), extractor, EmotionDetector(taxonomy), taxonomy)
    for name, values in described.items():
        frame[name] = values
    out.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(out, index=False)
    console.print(
        f"[green]✓[/] {len(frame):,} texts by {extractor.version}: {int((frame['aspects'] != '').sum()):,} speak of"
        f" an aspect, {int((frame['emotions'] != '').sum()):,} show an emotion,"
        f" {int((frame['urgency'] != '').sum()):,} are urgent: {out}",
        soft_wrap=True,
    )


@app.command()
def duplicates(
    file: CsvFile,
    out: Annotated[Path, typer.Option(help="Where the CSV with the groups goes (UTF-8).", dir_okay=False)],
    column: Annotated[str, typer.Option(help="Column of the texts.", metavar="NAME")] = "text",
    source: Annotated[
        str, typer.Option(help="Column that names the source; boilerplate is learned by source.", metavar="NAME")
    ] = "",
    account: Annotated[str, typer.Option(help="Column that names who wrote it.", metavar="NAME")] = "",
    alike: Annotated[float, typer.Option(min=0.1, max=1.0, help="Share of common parts from which two are one.")] = 0.6,
) -> None:
    """Find texts pasted many times, also with small changes, and sentences that recur in many texts.

    Adds row (1, 2 …), duplicate_of (the row of the first text that says the same; empty for the first), group_size,
    with --account how many accounts the group has, and boilerplate_share (0…1). Copies are looked for in what is left
    without boilerplate, from twelve letters on.
    """
    from nlp.duplicates.table import describe

    frame = read_csv(file, [name for name in (column, source, account) if name])
    described = describe(
        frame[column].tolist(),
        frame[source].tolist() if source else None,
        frame[account].tolist() if account else None,
        alike,
    )
    for name, values in described.items():
        frame[name] = values
    out.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(out, index=False)
    copies = sum(bool(first) for first in described["duplicate_of"])
    templated = sum(share > 0 for share in described["boilerplate_share"])
    console.print(
        f"[green]✓[/] {len(frame):,} texts, {len(frame) - copies:,} voices: {copies:,} copies, largest group"
        f" {max(described['group_size'], default=0):,}; {templated:,} texts with boilerplate: {out}",
        soft_wrap=True,
    )


def evaluate(
    file: CsvFile,
    text: Annotated[str, typer.Option(help="Column of the texts.", metavar="NAME")] = "text",
    label: Annotated[str, typer.Option(help="Column of the true labels.", metavar="NAME")] = "label",
    engines: Annotated[str, typer.Option(help="Engines to compare, separated by commas.")] = "snownlp,default",
    adapt: Annotated[
        bool, typer.Option(help="Also measure engines after adapting to these texts (unlabelled).")
    ] = True,
    seed: Annotated[int, typer.Option(help="The same seed gives the same intervals.")] = 20250101,
    out: Annotated[Path | None, typer.Option(help="Also write the figures to this CSV file.", dir_okay=False)] = None,
) -> None:
    """Compare engines on labelled texts: macro-F1, accuracy, calibration, with 95 % bootstrap intervals.

    Then how far each is from the first one, on the same samples: where the interval holds no zero, they differ.

    Labels: 1/0, positive/negative, pos/neg, 正面/负面 (or 好/差); rows of any other label are left out and counted.
    """
    import pandas as pd

    from nlp.evaluation import compare, parse_labels
    from nlp.scoring import sentiment_engine, text_embedder
    from nlp.sentiment.adapting import adapted

    settings = load_settings()
    frame = read_csv(file, [text, label])
    truth = parse_labels(frame[label].tolist())
    known = [index for index, value in enumerate(truth) if value is not None]
    if not known:
        raise TextFileError(f"{file}: no row of column {label} holds 1/0, positive/negative, pos/neg or 正面/负面")
    names = [name for name in map(str.strip, engines.split(",")) if name]
    texts = _outgoing(settings, names, [frame[text].iloc[index] for index in known])
    candidates = {}
    for name in names:
        engine = sentiment_engine(settings, name)
        candidates[name] = engine.score(texts)
        if adapt and (changed := adapted(engine, texts, text_embedder(settings, kept=False))) is not engine:
            candidates[f"{name} + adapt"] = changed.score(texts)
    compared = compare(candidates, [bool(truth[index]) for index in known], seed)
    first = next(iter(candidates))
    for title, rows in (("engine", compared.figures), (f"minus {first}", compared.differences)):
        table = Table(box=None)
        for heading in (title, "macro-F1", "accuracy", "ECE", "accuracy at 20 % abstained", "texts"):
            table.add_column(heading, justify="left" if heading == title else "right")
        for name, figures in rows.items():
            table.add_row(
                name, *(_signed(figures[key], rows is compared.differences) for key in _FIGURES), f"{len(known):,}"
            )
        if rows:
            console.print(table)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(
            [
                {"engine": name, "minus": minus, "figure": key, "value": each.value, "low": each.low, "high": each.high}
                for minus, rows in (("", compared.figures), (first, compared.differences))
                for name, figures in rows.items()
                for key, each in figures.items()
            ]
        ).to_csv(out, index=False, float_format="%.6f")
    if left_out := len(truth) - len(known):
        console.print(f"{left_out:,} rows with another label were left out")


_FIGURES = ("macro_f1", "accuracy", "ece", "accuracy_at_80")


def _signed(estimate: Estimate, is_difference: bool) -> str:
    """A figure as the table shows it; a difference with its sign, and a star where its interval holds no zero."""
    if not is_difference:
        return str(estimate)
    star = "" if estimate.low <= 0 <= estimate.high else " *"
    return f"{estimate.value:+.3f} ({estimate.low:+.3f}…{estimate.high:+.3f}){star}"


def _outgoing(settings: Settings, engines: list[str], texts: list[str]) -> list[str]:
    """The texts, masked where one of the engines (empty: the configured one) or the embedder is another computer."""
    from ingest.personal import mask_text

    used = {name or settings.nlp.sentiment_engine for name in engines} | {settings.nlp.embedder}
    return [mask_text(text) for text in texts] if "endpoint" in used else texts


def read_csv(file: Path, columns: list[str]) -> pd.DataFrame:
    """All columns as text, missing ones as empty. Raises :class:`TextFileError` where a column is absent."""
    import pandas as pd

    for encoding in ("utf-8-sig", "gb18030"):
        try:
            frame = pd.read_csv(file, dtype=str, keep_default_na=False, encoding=encoding)
        except UnicodeDecodeError:
            continue
        except (pd.errors.ParserError, pd.errors.EmptyDataError, OSError) as error:
            raise TextFileError(f"{file} is no CSV file: {error}") from error
        if missing := [name for name in columns if name not in frame.columns]:
            raise TextFileError(f"{file} has no column {', '.join(missing)}; it has: {', '.join(frame.columns)}")
        return frame
    raise TextFileError(f"{file} is neither UTF-8 nor GB18030")
