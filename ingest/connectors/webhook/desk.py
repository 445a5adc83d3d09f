"""Where the events of one source wait for each other: those that come together are masked and kept together.

Masking one event and waiting for the disk cost about as much as doing so for a hundred.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from ingest.connectors.http_config import resolved
from ingest.connectors.webhook.config import WebhookSource
from ingest.connectors.webhook.inbox import Inbox, Receipt
from ingest.connectors.webhook.intake import Arrival, take_in
from ingest.connectors.webhook.signature import secret_key
from ingest.masking import Masker

_MOST_TOGETHER = 200


@dataclass
class _Batch:
    arrivals: list[Arrival] = field(default_factory=list)
    receipts: Future[Sequence[Receipt]] | None = None


class Desk:
    """Takes in the events of one source. Raises :class:`ingest.errors.SourceError` where a secret isn't set."""

    def __init__(self, source: WebhookSource, zone: str, masker: Masker, inbox: Inbox) -> None:
        self.source = source
        key = f"source {source.name}: secrets"
        self.secrets = [resolved(secret, key) for secret in source.secrets]
        for secret in self.secrets:
            secret_key(source.scheme, secret)  # a wrong one is told at the start, not at the first event
        self._zone = zone
        self._masker = masker
        self._inbox = inbox
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"inbox {source.name}")
        self._lock = threading.Lock()
        self._gathering: _Batch | None = None

    def keep(self, arrival: Arrival) -> tuple[Future[Sequence[Receipt]], int]:
        """The receipts of the events that are kept together, and which is this one's.

        They are there once the events are kept for good; the future raises as :meth:`Inbox.keep`.
        """
        with self._lock:
            batch = self._gathering
            if batch is None or len(batch.arrivals) >= _MOST_TOGETHER:
                batch = self._gathering = _Batch()
                batch.receipts = self._worker.submit(self._settle, batch)
            batch.arrivals.append(arrival)
            assert batch.receipts is not None
            return batch.receipts, len(batch.arrivals) - 1

    def _settle(self, batch: _Batch) -> Sequence[Receipt]:
        with self._lock:
            if self._gathering is batch:
                self._gathering = None  # whoever comes now waits for the next one
        taken = take_in(self.source, self._zone, self._masker, batch.arrivals)
        return self._inbox.keep(self.source.name, taken, self._masker.fingerprint)
