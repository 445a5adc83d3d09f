"""Topics over time, in arrays made so that the right answer is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from huiyin.config import Settings
from nlp.embed import unit
from nlp.topics import people
from nlp.topics.centroids import Centroids
from nlp.topics.communities import communities, modularity
from nlp.topics.evolution import births, evolve
from nlp.topics.registry import Registry, RegistryError, Topic
from nlp.topics.store import TopicStore
from nlp.topics.taxonomy import ProblemClass, Taxonomy
from nlp.topics.wording import TopicWords, label

Vectors = npt.NDArray[np.float32]


def blobs(places: list[Vectors], each: int, seed: int) -> tuple[Vectors, npt.NDArray[np.int64]]:
    """Unit vectors scattered around places, and the number of the place of each."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(places)), each)
    noise = generator.normal(0, 0.12, (len(truth), len(places[0])))
    return unit((np.stack(places)[truth] + noise).astype(np.float32)), truth


def places(count: int) -> list[Vectors]:
    """Directions at right angles, in 32 dimensions."""
    return list(np.eye(count, 32, dtype=np.float32))


def test_communities_are_the_cliques_of_a_ring_and_the_quality_is_newmans() -> None:
    # Four cliques of five nodes, joined to a ring by single edges.
    graph = np.zeros((20, 20))
    for clique in range(4):
        begin = 5 * clique
        graph[begin : begin + 5, begin : begin + 5] = 1 - np.eye(5)
        graph[begin, (begin + 6) % 20] = graph[(begin + 6) % 20, begin] = 1
    found = communities(graph, 1.0, seed=3)
    assert [len(set(found[5 * clique : 5 * clique + 5].tolist())) for clique in range(4)] == [1] * 4
    assert len(set(found.tolist())) == 4
    # 40 of 44 edges inside; each community has a quarter of all ends.
    assert modularity(graph, found) == pytest.approx(40 / 44 - 4 * (1 / 4) ** 2)


def test_topics_that_stay_where_they_are_neither_split_nor_merge_nor_end() -> None:
    vectors, truth = blobs(places(6), 80, seed=1)
    centroids = Centroids.of(vectors, truth)
    later, truth_later = blobs(places(6), 80, seed=2)
    step = evolve(centroids, np.arange(10, 16), later, frozenset(), seed=1)
    assert step.origins.tolist() == list(range(6))
    assert not step.split_from
    assert not step.merged_into
    assert not step.retired
    rows, _ = step.centroids.best(later)
    assert (rows == truth_later).all()


def test_a_topic_whose_texts_part_is_split_and_one_without_texts_ends() -> None:
    parts = places(7)
    middle: Vectors = (parts[5] + parts[6]) / np.float32(2)
    vectors, truth = blobs([*parts[:5], middle], 80, seed=1)
    centroids = Centroids.of(vectors, truth)
    # Topic 0 falls silent; the texts of topic 5 now are about two things.
    later, _ = blobs(
        [*parts[1:5], parts[5] + np.float32(0.3) * middle, parts[6] + np.float32(0.3) * middle], 80, seed=2
    )
    step = evolve(centroids, np.arange(6), later, frozenset(), seed=1)
    assert step.retired == [0]
    assert list(step.split_from.values()) == [5]
    assert step.origins.tolist() == [1, 2, 3, 4, 5, -1]


@pytest.mark.slow
def test_a_subject_nobody_spoke_of_is_born_and_noise_is_not() -> None:
    parts = places(8)
    vectors, truth = blobs(parts[:6], 80, seed=1)
    centroids = Centroids.of(vectors, truth)
    known, _ = blobs(parts[:6], 60, seed=2)
    assert births(centroids, known, seed=1) == []
    fresh, _ = blobs([parts[7]], 30, seed=3)
    noise = unit(np.random.default_rng(4).normal(0, 1, (40, 32)).astype(np.float32))
    found = births(centroids, np.concatenate([known, fresh, noise]), seed=1)
    assert len(found) == 1
    assert np.isin(np.arange(len(known), len(known) + 30), found[0]).mean() > 0.9


def test_what_people_split_is_never_merged_again() -> None:
    parts = places(5)
    near = unit((parts[0] + 0.02 * parts[4])[None])[0]
    vectors, truth = blobs([*parts[:4], near], 60, seed=1)
    centroids = Centroids.of(vectors, truth)
    owners = np.array([1, 2, 3, 4, 5])
    assert evolve(centroids, owners, vectors, frozenset(), seed=1).merged_into
    assert not evolve(centroids, owners, vectors, frozenset({(1, 5)}), seed=1).merged_into


def test_names_and_who_gave_them_are_kept_and_wrong_ids_are_refused(settings: Settings) -> None:
    store = TopicStore(settings)
    topics = [Topic(1, "退款·到账", ["退款"], 5, "2026-01-01"), Topic(2, "物流", ["快递"], 5, "2026-01-01")]
    store.save(Registry(version="topics-20260101-aaaaaaaa", topics=topics))
    people.rename(store, 1, " 退款  太慢 ", by="王主任")
    registry = store.registry()
    assert registry.topic(1).shown == "退款 太慢"
    assert registry.topic(1).label == "退款·到账"
    assert [(line.event, line.by, line.note) for line in registry.lineage] == [
        ("rename", "王主任", "退款·到账 → 退款 太慢")
    ]
    with pytest.raises(RegistryError, match="no active topic 7"):
        people.rename(store, 7, "甲", by="王主任")
    with pytest.raises(RegistryError, match="topic 1 is called 退款 太慢 already"):
        people.rename(store, 2, "退款 太慢", by="王主任")
    with pytest.raises(RegistryError, match="1 to 40 characters"):
        people.rename(store, 2, " ", by="王主任")


def test_a_topic_takes_the_problem_type_most_of_its_texts_point_to(settings: Settings) -> None:
    taxonomy = Taxonomy(settings.rules_dir)
    late = ["快递三天没发货", "物流停在中转站", "运单没有揽收", "派送太慢"]
    found = taxonomy.classify([*late, "今天天气不错"])
    assert found == ProblemClass("logistics_delay", "process", "in_sale", "process", 0.8)
    assert taxonomy.classify(["今天天气不错"] * 9 + late[:1]) is None
    assert taxonomy.classify([]) is None


def test_labels_are_at_most_twelve_characters_and_never_twice_the_same() -> None:
    counts, everywhere = TopicWords(), TopicWords(texts=100)
    words = ["退款进度", "银行卡", "到账时间", "售后客服", "审核"]
    counts.texts = 20
    for rank, word in enumerate(words):
        counts.words[word], everywhere.words[word] = 18 - rank, 20
    taken: set[str] = set()
    for _ in range(8):
        name = label(words, counts, everywhere, taken, set())
        assert 0 < len(name) <= 12
        assert name not in taken
        taken.add(name)
    assert label([], TopicWords(), TopicWords(), set(), set()) == "其他"
