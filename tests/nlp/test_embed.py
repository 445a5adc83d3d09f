from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from nlp.embed import CachedEmbedder, EmbedderError, TfidfEmbedder, UseM3Embedder, Vectors, prepare
from nlp.vector_cache import VectorCache

TEXTS = [f"第{number}次投诉物流太慢" for number in range(40)]


class CountingEmbedder:
    """A real embedder that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._embedder = UseM3Embedder(processes=1)
        self.version = self._embedder.version

    def embed(self, texts: list[str]) -> Vectors:
        self.asked += texts
        return self._embedder.embed(texts)


def test_similar_complaints_are_nearer_than_different_ones() -> None:
    refund, refund_too, leak = UseM3Embedder(1).embed(["退款还没到账", "钱一直没退回来", "净水器底部漏水"])
    assert refund @ refund_too > refund @ leak + 0.2
    assert np.linalg.norm(refund) == pytest.approx(1, abs=1e-5)


def test_each_text_is_computed_once_and_comes_back_the_same(tmp_path: Path) -> None:
    counting = CountingEmbedder()
    first = CachedEmbedder(counting, tmp_path, UseM3Embedder.DIMENSION).embed([*TEXTS[:10], TEXTS[0]])
    again = CachedEmbedder(counting, tmp_path, UseM3Embedder.DIMENSION).embed(TEXTS[:12])
    assert counting.asked == TEXTS[:12]
    assert first.dtype == np.float32
    assert np.array_equal(first[:10], again[:10])
    assert np.array_equal(first[0], first[10])


def test_tasks_that_fill_the_cache_at_once_lose_nothing(tmp_path: Path) -> None:
    rows = np.eye(200, 64, dtype=np.float32)
    texts = [f"文本{number}" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: VectorCache(tmp_path, 64).put(texts[n : n + 50], rows[n : n + 50]), range(0, 151, 10)))
    vectors, known = VectorCache(tmp_path, 64).get(texts)
    assert known.all()
    assert np.array_equal(vectors, rows)


def test_a_half_written_shard_is_not_read(tmp_path: Path) -> None:
    VectorCache(tmp_path, 8).put(["甲"], np.ones((1, 8), np.float32))
    next(tmp_path.glob("*.keys.npy")).unlink()
    assert not VectorCache(tmp_path, 8).get(["甲"])[1].any()


@pytest.mark.slow
def test_child_processes_give_the_same_vectors_even_from_a_daemonic_process() -> None:
    texts = [f"{number}号订单的快递停在中转站没人管" for number in range(2_000)]
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def embed_in_daemon() -> None:
        sender.send(UseM3Embedder(processes=2).embed(texts))

    # Airflow's tasks may run in such a process, which must not start multiprocessing children.
    daemon = context.Process(target=embed_in_daemon, daemon=True)
    daemon.start()
    vectors = receiver.recv() if receiver.poll(120) else None
    daemon.join(10)
    assert vectors is not None
    assert np.allclose(vectors, UseM3Embedder(processes=1).embed(texts), atol=1e-5)


def test_a_changed_weight_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UseM3Embedder, "_SHA256", {"weights.npz": "0" * 64})
    with pytest.raises(EmbedderError, match=r"weights\.npz.*SHA-256.*reinstall"):
        UseM3Embedder(1).embed(["退款"])


def test_the_fallback_embedder_is_the_same_after_saving_and_zero_for_what_it_never_saw(tmp_path: Path) -> None:
    fitted = TfidfEmbedder.fit([*TEXTS, "退款没到账", "漏水了"], seed=1)
    fitted.save(tmp_path / "embedder.npz")
    loaded = TfidfEmbedder.load(tmp_path / "embedder.npz")
    assert loaded.version == fitted.version
    texts = ["第3次投诉", "qqqq", ""]
    assert np.array_equal(loaded.embed(texts), fitted.embed(texts))
    assert not loaded.embed(texts)[1:].any()


def test_only_the_telling_beginning_of_a_text_is_embedded() -> None:
    assert prepare("[手机号1]" + "退款" * 500) == ("退款" * 500)[:256]
