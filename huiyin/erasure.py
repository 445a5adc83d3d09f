"""Forget a person in every store, and end what is kept too long (PIPL articles 19 and 47)."""

from __future__ import annotations

import html
import json
import re
import secrets
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from expectations.gate import check
from huiyin.config import Settings
from huiyin.errors import HuiyinError
from improvement.ops.erasure import erase_voices
from improvement.report import write_report
from ingest.connectors.delivery import utc_now
from ingest.connectors.webhook.inbox import forget_events
from ingest.erasure import Anonymised, end_retention, erase_person, finish, unfinished, voices_of
from ingest.identity import resolve
from ingest.identity.tables import ensure_identity_tables
from ingest.masking import Masker, load_masker
from ingest.rotation import check_key
from ingest.sources import load_sources
from ingest.tables import ensure_tables
from nlp.forget import forget_texts
from nlp.knowledge import how_to
from warehouse.compact import compact
from warehouse.connection import Warehouse, open_warehouse
from warehouse.dbt import run_dbt
from warehouse.handover import forget_voices
from warehouse.publish import publish

NOT_REACHED = (
    "the source systems themselves and the files that they delivered: erase the person there too",
    "backups made before: let them expire, or restore and erase again (running the command again is enough)",
    "reports that were sent or printed",
)
_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})\.html")
_SHORTEST_QUOTE = 6


class ErasureError(HuiyinError):
    """Nobody can be forgotten by what was given."""


@dataclass(frozen=True)
class Receipt:
    """What was done for whom; it names no person."""

    erasure_id: str
    erased_at: str
    reason: str
    rows: dict[str, int]
    voices: int
    verbatims: int
    reports: list[str]
    topics_are_relearnt: str
    not_reached: tuple[str, ...] = NOT_REACHED


def forget(settings: Settings, customer: str, reason: str, say: Callable[[str], None] = lambda _: None) -> Receipt:
    """Take a person out of every store; a receipt, also kept as ``var/erasures/<id>.json``.

    ``customer``: a number, phone, e-mail address, account or handle as the systems know it, or a pseudonym of it. All
    that identity resolution holds to be the same person is forgotten. Totals of closed periods stay (see
    :mod:`ingest.erasure`). Once the raw tables have forgotten, a call that was killed is finished by the next one, by
    :func:`finish_erasures`, or by the weekly DAG. Raises :class:`ErasureError` for an unknown or ambiguous person.
    """
    finish_erasures(settings, say)
    masker = load_masker(settings)
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        ensure_identity_tables(warehouse)
        check_key(warehouse, masker)
        refs = _refs_of(warehouse, masker, customer)
        voices = voices_of(warehouse, refs)
        texts = _texts_of(warehouse, voices)
    # These know the person by the texts, so they come before the texts go; a killed call does them again.
    forget_texts(settings, texts)
    reports = reports_that_quote(settings, texts, voices)
    with open_warehouse(settings) as warehouse:
        say(f"anonymising what is known under {len(refs)} pseudonym(s)")
        erasure_id = f"E-{secrets.token_hex(4)}"
        done = erase_person(warehouse, masker, refs, erasure_id, utc_now(), reason, reports)
    return _finish(settings, done, say)


def finish_erasures(settings: Settings, say: Callable[[str], None] = lambda _: None) -> list[Receipt]:
    """Finish what killed calls of :func:`forget` left undone."""
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        left = unfinished(warehouse)
    return [_finish(settings, done, say) for done in left]


def _finish(settings: Settings, done: Anonymised, say: Callable[[str], None]) -> Receipt:
    """Let the other stores follow the raw tables; each step may be repeated."""
    rows = {
        **done.rows,
        "nlp": forget_voices(settings, done.voice_ids),
        "inbox": forget_events(settings.var_dir, done.voice_ids),
    }
    verbatims = erase_voices(settings, done.voice_ids)
    say("rebuilding and publishing the mart")
    _rebuild(settings)
    for name in done.reports:
        write_report(settings, date.fromisoformat(name.removesuffix(".html")))
    receipt = Receipt(
        done.erasure_id,
        done.erased_at.isoformat(sep=" ", timespec="seconds"),
        done.reason,
        rows,
        len(done.voice_ids),
        verbatims,
        list(done.reports),
        "at the next run of the DAG `learning`, without the person's texts",
    )
    _keep(settings, receipt)
    with open_warehouse(settings) as warehouse:
        finish(warehouse, done.erasure_id)
    return receipt


def _refs_of(warehouse: Warehouse, masker: Masker, customer: str) -> list[str]:
    """All pseudonyms that are this one person's: what was given, or whose contact it is, and what is linked to it."""
    given = masker.pseudonym(customer.strip())
    if _is_ref(warehouse, given):
        return _linked(warehouse, [given])
    owners = {
        row["customer_ref"]
        for table, columns in (("customers", ("phone", "email", "wechat")), ("identifiers", ("identifier",)))
        for column in columns
        for row in warehouse.select_matching("raw", table, pa.table({column: [given]})).to_pylist()
    }
    persons = {tuple(_linked(warehouse, [owner])) for owner in owners}
    if len(persons) > 1:
        raise ErasureError(f"{len(persons)} persons share this contact; give the customer number of the one meant")
    if not persons:
        raise ErasureError(
            "nothing is held of this person; give a customer number, phone, e-mail address, account or handle exactly"
            " as a source delivers it (who was forgotten already isn't found any more; see var/erasures)"
        )
    return sorted({given, *persons.pop()})


def _is_ref(warehouse: Warehouse, ref: str) -> bool:
    key = pa.table({"customer_ref": [ref]})
    return any(
        warehouse.select_matching("raw", table, key).num_rows
        for table in ("tickets", "feedback", "customers", "identifiers")
    )


def _linked(warehouse: Warehouse, refs: Sequence[str]) -> list[str]:
    """The refs and all others that identity resolution holds to be the same person."""
    known = warehouse.select_matching("raw", "identity", pa.table({"ref": list(refs)})).select(["person_ref"])
    persons = known.group_by(["person_ref"]).aggregate([])
    all_refs = warehouse.select_matching("raw", "identity", persons).column("ref").to_pylist()
    return sorted({*refs, *all_refs})


def _texts_of(warehouse: Warehouse, voices: Sequence[str]) -> list[str]:
    """The voices' texts as the language part and the report know them."""
    if not warehouse.has_table("intermediate", "int_voices"):
        return []
    keys = pa.table({"voice_id": pa.array(voices, pa.string())})
    found = warehouse.select_matching("intermediate", "int_voices", keys)
    return sorted({text for text in found.column("text").to_pylist() if text})


def _rebuild(settings: Settings) -> None:
    """Build and publish the mart without the person, then rewrite the store so that nothing is left on the disk."""
    with open_warehouse(settings) as warehouse:
        was_built = warehouse.has_table("intermediate", "int_voices")
    resolve(settings)
    if was_built:
        run_dbt(settings, "build", full_refresh=True)
        check(settings, "mart")
        publish(settings)
    compact(settings)
    # Data Docs show failing rows and are written anew by the next gate.
    shutil.rmtree(settings.data_docs_dir, ignore_errors=True)


def reports_that_quote(settings: Settings, texts: Collection[str], voices: Collection[str]) -> list[str]:
    """Names of the dated pages that quote one of the texts, what it asks, or an answer out of one of the voices."""
    quotes = [part for text in texts for part in (text, how_to(text)) if len(part) >= _SHORTEST_QUOTE]
    quotes += [f'data-voice="{voice}"' for voice in voices]
    pages = settings.reports_dir.glob("*.html") if settings.reports_dir.exists() else []
    return sorted(
        file.name
        for file in pages
        if _DATED.fullmatch(file.name)  # latest.html is the page of a day and is renewed with it
        and _holds_any(html.unescape(file.read_text(encoding="utf-8")), quotes)
    )


def _holds_any(page: str, quotes: Collection[str]) -> bool:
    return any(quote in page for quote in quotes)


def _keep(settings: Settings, receipt: Receipt) -> Path:
    folder = settings.var_dir / "erasures"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{receipt.erasure_id}.json"
    file.write_text(json.dumps(asdict(receipt), ensure_ascii=False, indent=1), encoding="utf-8")
    return file


def end_of_retention(settings: Settings, is_trial: bool = False) -> dict[str, int]:
    """Apply the `retention` of the sources file; how many rows lost their text, by table. Idempotent.

    ``is_trial``: only count. The mart follows at its next build, the disk is rewritten at once.
    """
    days = load_sources(settings).retention
    if not days:
        return {}
    masker = load_masker(settings)
    with open_warehouse(settings) as warehouse:
        ensure_tables(warehouse)
        done = end_retention(warehouse, days, masker, utc_now(), is_trial)
    if not is_trial and any(done.values()):
        compact(settings)
    return done
