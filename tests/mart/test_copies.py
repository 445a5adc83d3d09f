"""A text that many paste is one voice with a count, noise is none; on DuckDB and on PostgreSQL."""

from __future__ import annotations

import pandas as pd
import pytest
from mart_company import Built


@pytest.fixture(params=["on_duckdb", "on_postgres"])
def built(request: pytest.FixtureRequest) -> Built:
    """The company on each engine."""
    found: Built = request.getfixturevalue(request.param)
    return found


def expected(built: Built) -> pd.DataFrame:
    """Each voice with its group, worked out by hand from what was loaded."""
    groups = built.frame("nlp.copies").set_index("voice_id")["first_voice_id"]
    voices = built.frame("intermediate.int_voices").set_index("voice_id")
    account = voices["source_customer_ref"].fillna(voices.index.to_series())
    newest = built.frame("nlp.sentiment").sort_values("scored_at").groupby("voice_id").tail(1).set_index("voice_id")
    rows = []
    for voice in voices.index:
        group = groups.get(voice)
        members = [other for other in groups.index[groups == group] if other in voices.index] if group else [voice]
        first = group if group in members else min(members, key=lambda other: (voices.occurred_at[other], other))
        noise = newest["noise"].get(voice)
        rows.append(
            {
                "voice_id": voice,
                "duplicate_of": None if first == voice else first,
                "group_size": len(members),
                "account_count": account[members].nunique(),
                "is_campaign": account[members].nunique() >= 5,
                "is_noise": noise == "advertising",
                "noise_kind": noise,
                "is_counted": first == voice and noise != "advertising",
            }
        )
    return pd.DataFrame(rows).set_index("voice_id")


def test_every_voice_has_the_group_that_its_text_is_in(built: Built) -> None:
    by_hand = expected(built)
    voices = built.frame("fct_sentiment").set_index("voice_id").loc[by_hand.index]
    pd.testing.assert_frame_equal(voices[by_hand.columns].fillna(""), by_hand.fillna(""), check_dtype=False)
    # What the company was given: groups of six, pairs, pairs whose first is gone; advertising and another language.
    assert {1, 2, 6} <= set(by_hand["group_size"])
    assert by_hand["is_campaign"].sum() > 100
    assert set(by_hand["noise_kind"].dropna()) == {"advertising", "foreign"}
    assert 0.3 < by_hand["is_counted"].mean() < 0.7
    assert (voices["noise_reason"].notna() == voices["noise_kind"].notna()).all()


def test_a_day_counts_distinct_voices_and_keeps_the_number_of_texts_beside(built: Built) -> None:
    voices = built.frame("fct_sentiment").merge(expected(built).add_prefix("own_"), on="voice_id")
    texts = voices[voices["topic_id"].notna() & ~voices["own_is_noise"].astype(bool)]
    counted = texts[texts["own_is_counted"].astype(bool)]
    daily = built.frame("fct_topic_daily").set_index(["date_day", "topic_id"]).sort_index()

    def per_day(rows: pd.DataFrame) -> pd.Series:
        sizes = rows.groupby(["occurred_on", rows["topic_id"].astype(int)]).size()
        return sizes.reindex(daily.index.set_names(sizes.index.names), fill_value=0)

    assert daily["text_count"].tolist() == per_day(texts).tolist()
    assert daily["voice_count"].tolist() == per_day(counted).tolist()
    assert daily["negative_count"].tolist() == per_day(counted[counted["sentiment_label"] == "negative"]).tolist()
    assert daily["ticket_count"].tolist() == per_day(counted[counted["voice_kind"] == "ticket"]).tolist()
    assert len(daily) == len(texts.groupby(["occurred_on", "topic_id"]))
    assert daily["voice_count"].sum() < 0.8 * daily["text_count"].sum()
