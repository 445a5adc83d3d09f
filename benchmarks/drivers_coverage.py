"""How often the 95 % intervals of drivers hold the truth, and how wide they are, where effects are known.

Made companies, seven ways in which ratings come about; in all of them topics are more common in some channels and
tiers, which rate differently by themselves, and waits are longer for some topics. The truth is what the same company
would rate without the driver, computed on 100,000 tickets. Ours beside the difference of means and ordinary least
squares (topics, aspects, wait, hand-overs and mix, classical errors). The last company breaks the assumption that
silence doesn't depend on the answer itself.

    python benchmarks/drivers_coverage.py [--repeats 200] [--tickets 2000] [--thresholds 60]
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from scipy.special import expit

from nlp.drivers.effects import driver_effects
from nlp.drivers.roles import guess_roles, read_outcome
from nlp.drivers.thresholds import find_threshold

Floats = npt.NDArray[np.float64]

TOPICS = np.array(["物流", "安装", "维修", "退款", "发票", "态度", "App", "其他咨询"])
EFFECTS = dict(zip(TOPICS, [-0.8, -0.4, -0.6, -0.5, 0.0, -1.2, -0.2, 0.4], strict=True))
SHARES = np.array([0.24, 0.18, 0.14, 0.12, 0.11, 0.08, 0.07, 0.06])
RARE = np.array([0.36, 0.26, 0.16, 0.13, 0.03, 0.02, 0.02, 0.02])
CHANNELS, TIERS = np.array(["电话", "在线", "社媒"]), np.array(["普通", "VIP"])
CUTS = np.array([-2.6, -1.9, -1.2, 0.2])
GOAL = 30.0


@dataclass(frozen=True)
class Company:
    """How ratings come about."""

    name: str
    target: str = "csat"
    shares: tuple[float, ...] = tuple(SHARES)
    overlap: bool = False
    """Aspects that nearly coincide with topics."""
    silence: str = ""
    """Answers missing at random given what is known (known), or because of the answer (answer)."""
    loyal: float = 0.0
    """Standard deviation between customers with several tickets each."""
    links: str = "logit"


COMPANIES = (
    Company("ordinal 1–5"),
    Company("overlapping aspects", overlap=True),
    Company("rare topics (2 %)", shares=tuple(RARE)),
    Company("35 % answer, by what is known", silence="known"),
    Company("ordered probit, 6 tickets a customer", loyal=0.8, links="probit"),
    Company("repeat contact, 6 tickets a customer", target="repeat", loyal=0.8),
    Company("VIOLATED: angry ones answer more", silence="answer"),
)


def tickets(company: Company, n: int, generator: np.random.Generator) -> pd.DataFrame:
    """Everything but the rating."""
    customers = np.arange(n) if not company.loyal else generator.integers(0, max(n // 6, 1), n)
    tier = TIERS[(customers * 2654435761 % 100 < 20).astype(int)]
    channel = CHANNELS[generator.choice(3, n, p=[0.5, 0.35, 0.15])]
    odds = np.log(np.array(company.shares))[None, :] + np.zeros((n, 1))
    odds[:, [0, 5]] += np.where(channel == "社媒", 0.8, 0.0)[:, None]
    odds[:, [3, 4]] += np.where(tier == "VIP", 0.7, 0.0)[:, None]
    topic = TOPICS[(odds + generator.gumbel(size=odds.shape)).argmax(axis=1)]
    slow = np.isin(topic, ["物流", "维修"])
    frame = pd.DataFrame(
        {
            "topic_label": topic,
            "channel": channel,
            "customer_tier": tier,
            "first_response_minutes": np.exp(generator.normal(3.2 + 0.5 * slow + 0.3 * (channel == "在线"), 0.9, n)),
            "transfer_count": generator.poisson(0.25 + 0.3 * slow),
            "customer_ref": customers.astype(str),
        }
    )
    for aspect, of, says in (("aspect_配送", "物流", 0.9), ("aspect_速度", "", 0.2)):
        likely = np.where(topic == of, says, 0.06 if company.overlap else 0.15) if of and company.overlap else 0.18
        frame[aspect] = (generator.random(n) < likely).astype(float)
    frame["taste"] = stats.norm.ppf((customers * 40503 % 9973 + 0.5) / 9973) * company.loyal
    return frame


def latent(frame: pd.DataFrame) -> Floats:
    """How content, on the scale of log-odds."""
    wait = frame["first_response_minutes"].to_numpy(np.float64)
    line = np.array([EFFECTS[topic] for topic in frame["topic_label"]])
    line += (
        0.5 * (frame["channel"] == "电话")
        - 0.6 * (frame["channel"] == "社媒")
        - 0.4 * (frame["customer_tier"] == "VIP")
    )
    line -= 0.5 * np.log1p(wait / 30) + 0.45 * np.minimum(frame["transfer_count"], 3)
    line -= 0.5 * frame["aspect_配送"] + 0.3 * frame["aspect_速度"]
    return np.asarray(line + frame["taste"], np.float64)


def chances(company: Company, frame: pd.DataFrame) -> Floats:
    """Chance of each rating above the lowest (rows × 4), or of a repeat contact (rows × 1)."""
    line = latent(frame)[:, None]
    if company.target == "repeat":
        return np.asarray(expit(-2.6 - line), np.float64)
    if company.links == "probit":
        return np.asarray(stats.norm.cdf((line - CUTS) / 1.6), np.float64)
    return np.asarray(expit(line - CUTS), np.float64)


def expected(company: Company, frame: pd.DataFrame) -> Floats:
    return np.asarray(chances(company, frame).sum(axis=1) + (company.target == "csat"), np.float64)


def rated(company: Company, frame: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """The tickets with ratings, as a company would see them."""
    rating = (generator.random((len(frame), 1)) < chances(company, frame)).sum(axis=1) + (company.target == "csat")
    rating = rating.astype(float)
    if company.silence == "known":
        wait = np.log1p(frame["first_response_minutes"] / 30)
        line = (
            -0.9 + 0.5 * frame["topic_label"].isin(["物流", "态度"]) - 0.7 * (frame["channel"] == "社媒") + 0.4 * wait
        )
        rating = np.where(generator.random(len(frame)) < expit(line), rating, np.nan)
    if company.silence == "answer":
        rating = np.where(generator.random(len(frame)) < np.where(rating <= 2, 0.7, 0.3), rating, np.nan)
    column = {"csat": "csat_score", "repeat": "is_repeat_contact"}[company.target]
    return frame.drop(columns="taste").assign(**{column: rating})


def truths(company: Company, generator: np.random.Generator) -> dict[tuple[str, str], tuple[float, float]]:
    """(column, level) → effect and gain."""
    frame = tickets(company, 100_000, generator)
    now = expected(company, frame)
    found = {}

    def keep(key: tuple[str, str], there: npt.NDArray[np.bool_], without: Floats, lever: float) -> None:
        effect = float((now[there] - without).mean())
        found[key] = (effect, -lever * float(there.mean()) * effect)

    for topic in TOPICS:
        there = (frame["topic_label"] == topic).to_numpy()
        others = frame.loc[~there, "topic_label"].value_counts(normalize=True)
        # The mean over the other topics as they are.
        without = sum(w * expected(company, frame[there].assign(topic_label=name)) for name, w in others.items())
        keep(("topic_label", str(topic)), there, np.asarray(without), 0.5)
    for aspect in ("aspect_配送", "aspect_速度"):
        there = frame[aspect].to_numpy() == 1
        keep((aspect, aspect[7:]), there, expected(company, frame[there].assign(**{aspect: 0.0})), 0.5)
    there = frame["first_response_minutes"].to_numpy() > GOAL
    keep(
        ("first_response_minutes", ""), there,
        expected(company, frame[there].assign(first_response_minutes=GOAL)), 1.0,
    )  # fmt: skip
    there = frame["transfer_count"].to_numpy() > 0
    keep(("transfer_count", ""), there, expected(company, frame[there].assign(transfer_count=0)), 1.0)
    return found


Interval = tuple[float, float]
Estimates = dict[tuple[str, str], Interval]


def ours(frame: pd.DataFrame, target: str) -> tuple[Estimates, Estimates]:
    """Intervals of effects and of gains."""
    outcome = read_outcome(frame, target)
    table = driver_effects(frame, outcome, guess_roles(frame, outcome.column), {"first_response_minutes": GOAL})
    keys = list(zip(table["column"], table["level"], strict=True))
    effects = dict(zip(keys, zip(table["effect_low"], table["effect_high"], strict=True), strict=True))
    return effects, dict(zip(keys, zip(table["gain_low"], table["gain_high"], strict=True), strict=True))


def affected(frame: pd.DataFrame) -> dict[tuple[str, str], npt.NDArray[np.bool_]]:
    found = {("topic_label", str(topic)): (frame["topic_label"] == topic).to_numpy() for topic in TOPICS}
    found |= {(name, name[7:]): frame[name].to_numpy() == 1 for name in ("aspect_配送", "aspect_速度")}
    found["first_response_minutes", ""] = frame["first_response_minutes"].to_numpy() > GOAL
    found["transfer_count", ""] = frame["transfer_count"].to_numpy() > 0
    return found


def difference(frame: pd.DataFrame, rating: str) -> Estimates:
    """Welch's interval of the difference of means."""
    answered = frame.dropna(subset=[rating])
    values = answered[rating].to_numpy()
    found = {}
    for key, there in affected(answered).items():
        if min(there.sum(), (~there).sum()) >= 20:
            interval = stats.ttest_ind(values[there], values[~there], equal_var=False).confidence_interval()
            found[key] = (float(interval.low), float(interval.high))
    return found


def least_squares(frame: pd.DataFrame, rating: str) -> Estimates:
    """Ordinary least squares with classical errors; topics against the mean of the others."""
    answered = frame.dropna(subset=[rating])
    dummies = pd.get_dummies(answered[["topic_label", "channel", "customer_tier"]], dtype=float)
    dummies = dummies.drop(columns=[f"topic_label_{TOPICS[0]}", f"channel_{CHANNELS[0]}", f"customer_tier_{TIERS[0]}"])
    numbers = ["aspect_配送", "aspect_速度", "first_response_minutes", "transfer_count"]
    x = pd.concat([dummies, answered[numbers].astype(float)], axis=1)
    x.insert(0, "one", 1.0)
    values = answered[rating].to_numpy()
    inverse = np.linalg.pinv(x.T.to_numpy() @ x.to_numpy())
    beta = inverse @ x.T.to_numpy() @ values
    variance = float(((values - x.to_numpy() @ beta) ** 2).sum()) / (len(x) - x.shape[1])
    found = {}
    for key, there in affected(answered).items():
        if there.sum() < 20:
            continue
        contrast = pd.Series(0.0, index=x.columns)
        if key[0] == "topic_label":
            for topic, share in answered.loc[~there, "topic_label"].value_counts(normalize=True).items():
                if topic != TOPICS[0]:
                    contrast[f"topic_label_{topic}"] -= share
            if key[1] != TOPICS[0]:
                contrast[f"topic_label_{key[1]}"] += 1
        else:
            floor = GOAL if key[0] == "first_response_minutes" else 0.0
            contrast[key[0]] = float((answered.loc[there, key[0]] - floor).mean())
        c = contrast.to_numpy()
        effect, error = float(c @ beta), float(np.sqrt(variance * c @ inverse @ c))
        found[key] = (effect - 1.96 * error, effect + 1.96 * error)
    return found


def coverage(company: Company, repeats: int, n: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    truth = truths(company, generator)
    hits: Counter[tuple[str, str]] = Counter()
    seen: Counter[tuple[str, str]] = Counter()
    widths: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for _ in range(repeats):
        frame = rated(company, tickets(company, n, generator), generator)
        effects, gains = ours(frame, company.target)
        rating = "csat_score" if company.target == "csat" else "is_repeat_contact"
        methods = {
            "ours": effects,
            "ours, gain": gains,
            "difference": difference(frame, rating),
            "OLS": least_squares(frame, rating),
        }
        for method, found in methods.items():
            for key, (low, high) in found.items():
                kind = {"topic_label": "topic", "first_response_minutes": "wait", "transfer_count": "handover"}.get(
                    key[0], "aspect"
                )
                hits[method, kind] += low <= truth[key][method == "ours, gain"] <= high
                seen[method, kind] += 1
                widths[method] += high - low
                total[method] += 1
    for method in ("ours", "ours, gain", "OLS", "difference"):
        kinds = "  ".join(
            f"{kind} {100 * hits[method, kind] / max(seen[method, kind], 1):5.1f}"
            for kind in ("topic", "aspect", "wait", "handover")
        )
        all_hits = sum(count for (name, _), count in hits.items() if name == method)
        every = 100 * all_hits / total[method]
        print(f"{company.name:38} {method:11} all {every:5.1f}  {kinds}  width {widths[method] / total[method]:.3f}")


SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "no connection": lambda wait: 0 * wait,
    "line in the logarithm": lambda wait: -0.6 * np.log(wait),
    "line": lambda wait: -0.015 * wait,
    "root": lambda wait: -0.15 * np.sqrt(wait),
    "step at 45": lambda wait: -1.0 * (wait > 45),
    "bend at 45": lambda wait: -0.03 * np.maximum(wait - 45, 0),
    "bend at 45, logarithm": lambda wait: -1.6 * np.maximum(np.log(wait / 45), 0),
}


def thresholds(repeats: int, n: int, seed: int) -> None:
    """Found where there is one, silent where there is none, and how often the interval holds 45 minutes."""
    for name, shape in SHAPES.items():
        generator = np.random.default_rng(seed)
        verdicts: Counter[str] = Counter()
        held, ends = 0, []
        for repeat in range(repeats):
            wait = np.exp(generator.normal(3.4, 1, n))
            others = np.column_stack([np.ones(n), generator.integers(0, 2, (n, 5))])
            line = shape(wait) + 0.4 * others[:, 1] + 2.4
            ratings = (generator.random((n, 1)) < expit(line[:, None] - np.array([0, 0.7, 1.4, 2.8]))).mean(axis=1)
            found = find_threshold(wait, ratings, others, np.arange(n), seed=repeat)
            verdicts[found.verdict] += 1
            if found.verdict == "threshold":
                held += found.low <= 45 <= found.high
                ends.append((found.low, found.at, found.high))
        said = ", ".join(f"{verdict} {count}" for verdict, count in verdicts.most_common())
        if ends and "45" in name:
            low, at, high = np.median(ends, axis=0)
            said += f"; holds 45: {100 * held / len(ends):.0f} %; median {at:.0f} ({low:.0f} to {high:.0f})"
        print(f"threshold  {name:24} {said}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--tickets", type=int, default=2000)
    parser.add_argument("--thresholds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=20250101)
    arguments = parser.parse_args()
    print(f"coverage of 95 % intervals in %, {arguments.repeats} companies of {arguments.tickets} tickets each")
    for number, company in enumerate(COMPANIES):
        coverage(company, arguments.repeats, arguments.tickets, arguments.seed + number)
    thresholds(arguments.thresholds, arguments.tickets, arguments.seed)


if __name__ == "__main__":
    main()
