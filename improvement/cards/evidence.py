"""What a card rests on: volume, customers, revenue, damage, and a frozen sample of masked verbatims."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from improvement.scope import Scope
from warehouse.connection import Warehouse

# Texts looked at for a sample; the most negative ones where there are more.
CANDIDATES = 400
SHORTEST_TEXT = 6
_TENURE_SQL = {
    "under_90d": "{c} < 90",
    "90d_to_1y": "{c} >= 90 and {c} < 365",
    "1y_to_3y": "{c} >= 365 and {c} < 1095",
    "over_3y": "{c} >= 1095",
}


@dataclass(frozen=True)
class Verbatim:
    """One masked text as it was when frozen; ``occurred_at`` is naive UTC."""

    voice_id: str
    text: str
    occurred_at: datetime
    sentiment_score: float | None


@dataclass(frozen=True)
class Evidence:
    """Figures of the voices in scope from ``from_on`` to ``to_on``; shares are 0…1, revenue in yuan a year.

    Texts that say the same are one voice; ``text_count`` counts each, and each writer is a customer. ``own_count``:
    voices of the company's own customers, that is tickets and texts of writers whom the CRM knows.
    """

    voice_count: int
    text_count: int
    own_count: int
    customer_count: int
    vip_share: float | None
    negative_share: float | None
    revenue_at_risk: float
    sla_breached_share: float | None
    query: str


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _condition(scope: Scope, alias: str, tenure_alias: str | None = None) -> str:
    parts = []
    for dimension, value in scope.pairs:
        if dimension == "topic":
            parts.append(f"{alias}.topic_id = {int(value)}")
        elif dimension == "tenure_band":
            parts.append("(" + _TENURE_SQL[value].format(c=f"{tenure_alias or alias}.agent_tenure_days") + ")")
        else:
            parts.append(f"{alias}.{dimension} = {_literal(value)}")
    return "".join(f" and {part}" for part in parts)


def voices_query(scope: Scope, metric: str, from_on: date, to_on: date) -> str:
    """SQL on the published mart for the voices that a card is about."""
    between = f"between date '{from_on}' and date '{to_on}'"
    if metric in ("dissatisfied_count", "csat_satisfied_share", "csat_mean"):
        # A rating often has no words of its own; then the customer's ticket speaks.
        return (
            "select 'feedback:' || f.source || ':' || f.feedback_id as voice_id,"
            " coalesce(nullif(f.text, ''), t.body) as text, f.created_at as occurred_at, f.customer_ref,"
            " f.customer_tier, t.annual_revenue, s.sentiment_score, 'negative' as sentiment_label,"
            # Whatever its words, each rating is one.
            " 'feedback:' || f.source || ':' || f.feedback_id as same_as,"
            " case when f.ticket_id is null then 'feedback' else 'ticket' end as voice_kind"
            " from mart.fct_feedback f"
            " left join mart.fct_sentiment s on s.source = f.source and s.feedback_id = f.feedback_id"
            " left join mart.fct_tickets t on t.source = f.source and t.ticket_id = f.ticket_id"
            f" where not f.is_satisfied and f.created_on {between}{_condition(scope, 'f')}"
        )
    join = ""
    if scope.get("tenure_band") is not None:
        join = " join mart.fct_tickets t on t.source = s.source and t.ticket_id = s.ticket_id"
    return (
        "select s.voice_id, s.text, s.occurred_at, s.customer_ref, s.customer_tier, s.annual_revenue,"
        " s.sentiment_score, s.sentiment_label, s.voice_kind, coalesce(s.duplicate_of, s.voice_id) as same_as"
        f" from mart.fct_sentiment s{join} where s.occurred_on {between} and not s.is_noise"
        f"{_condition(scope, 's', 't')}"
    )


def gather(warehouse: Warehouse, scope: Scope, metric: str, from_on: date, to_on: date) -> Evidence:
    """The figures, aggregated in the warehouse."""
    query = voices_query(scope, metric, from_on, to_on)
    figures = warehouse.rows(
        f"with voices as ({query}), customers as (select customer_ref, max(annual_revenue) as revenue,"
        " max(case when customer_tier = 'vip' then 1 else 0 end) as is_vip from voices"
        " where customer_ref is not null group by customer_ref)"
        " select (select count(distinct same_as) from voices) as voice_count,"
        " (select count(*) from voices) as text_count,"
        " (select count(distinct same_as) from voices where voice_kind = 'ticket' or customer_tier is not null)"
        " as own_count,"
        " (select count(*) from customers) as customer_count,"
        " (select cast(avg(is_vip) as double precision) from customers) as vip_share,"
        " (select cast(avg(case when sentiment_label = 'negative' then 1.0 else 0.0 end) as double precision)"
        " from voices where sentiment_label is not null"
        " and voice_id in (select min(voice_id) from voices group by same_as)) as negative_share,"
        " (select cast(sum(revenue) as double precision) from customers) as revenue_at_risk"
    )[0]
    return Evidence(
        int(figures["voice_count"]),
        int(figures["text_count"]),
        int(figures["own_count"]),
        int(figures["customer_count"]),
        figures["vip_share"],
        figures["negative_share"],
        round(float(figures["revenue_at_risk"] or 0.0), 2),
        _sla_breached_share(warehouse, scope, from_on, to_on),
        query,
    )


def _sla_breached_share(warehouse: Warehouse, scope: Scope, from_on: date, to_on: date) -> float | None:
    if scope.get("topic") is not None:
        return None
    found: float | None = warehouse.rows(
        "select cast(avg(case when s.sla_state = 'breached' then 1.0 else 0.0 end) as double precision) as share"
        " from mart.fct_sla s join mart.fct_tickets t on t.ticket_key = s.ticket_key"
        # One clock of each a ticket; the other metrics have many, or only for some.
        " where s.sla_metric in ('first_response', 'resolution')"
        f" and t.created_on between date '{from_on}' and date '{to_on}'{_condition(scope, 't')}"
    )[0]["share"]
    return found


def sample(warehouse: Warehouse, query: str, size: int) -> list[Verbatim]:
    """A representative sample: near the middle of the scope, unlike each other, negative ones first.

    Of texts that say the same the first. Maximal marginal relevance (Carbonell and Goldstein 1998) on character
    n-grams; deterministic.
    """
    rows = (
        warehouse.query(
            "select voice_id, text, occurred_at, sentiment_score from (select *, row_number() over (partition by"
            " same_as order by case when voice_id = same_as then 0 else 1 end, occurred_at, voice_id) as place"
            f" from ({query}) v) w where place = 1 and length(text) >= {SHORTEST_TEXT}"
            f" order by coalesce(sentiment_score, 0.5), voice_id limit {CANDIDATES}"
        )
        .to_pandas()
        .drop_duplicates("text")
        .drop_duplicates("voice_id")
        .reset_index(drop=True)
    )
    if rows.empty:
        return []
    chosen = _choose(rows["text"].tolist(), rows["sentiment_score"].fillna(0.5).to_numpy(dtype=float), size)
    return [
        Verbatim(
            str(row.voice_id),
            str(row.text),
            pd.Timestamp(row.occurred_at).to_pydatetime(),
            None if pd.isna(row.sentiment_score) else float(row.sentiment_score),
        )
        for row in rows.iloc[chosen].itertuples()
    ]


def _choose(texts: list[str], sentiment: np.ndarray, size: int) -> list[int]:
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(2, 3), sublinear_tf=True).fit_transform(texts)
    centre = np.asarray(vectors.mean(axis=0)).ravel()
    near = vectors @ centre
    worth = near / max(float(near.max()), 1e-9) + 0.7 * (1.0 - sentiment)
    nearest = np.zeros(len(texts))
    chosen: list[int] = []
    for _ in range(min(size, len(texts))):
        score = worth - 1.5 * nearest
        score[chosen] = -np.inf
        best = int(np.argmax(score))
        chosen.append(best)
        nearest = np.maximum(nearest, np.asarray((vectors @ vectors[best].T).todense()).ravel())
    return sorted(chosen, key=lambda i: (sentiment[i], i))
