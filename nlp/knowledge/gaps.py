"""Find what is asked and answered by hand again and again, the answer that serves best, and whether it is written down.

The best answer is a real one: of the answers in tickets that were solved and not reopened, the one most like the
others (the medoid), without greetings, signatures and what speaks of one customer's own case.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nlp.clauses import sentences
from nlp.duplicates import find_duplicates, learn_boilerplate
from nlp.embed import Vectors
from nlp.knowledge.clustering import Embed, Labels, group_questions
from nlp.knowledge.questions import how_to
from nlp.knowledge.tables import Article, Case
from nlp.text import PLACEHOLDER, normalise, topic_text

COVERED_FROM = 0.65
"""Cosine between a question and an article's title from which the article answers it, if they name one thing, too."""
ALIKE_ANSWERS_FROM = 0.6
_SHORTEST_ANSWER = 8
_FEWEST_GROUPS = 5
_ASKING = re.compile(
    r"\W+|怎么样?|怎样|如何|多久|多少|多长|几[年天个次]|什么|哪[里个些儿]?|谁|能不能|可不可以|可以|能否|是否|请问|[吗呢的了是要会算办换开用]"
)
_CLAUSE = re.compile(r"[^,;。!?~]+[,;。!?~]*|[,;。!?~]+")
_VARIANTS = 5
_COMPARED_ANSWERS = 500
# Who speaks or will: 我是客服小王, 工号 1024 为您服务, 小李会联系您. An entry of a knowledge base names no agent.
_AGENT = re.compile(
    r"工号|我(?:是|叫|姓).{0,8}(?:客服|专员|顾问|主管|师傅|小[\u4e00-\u9fff])|客服[\d\u4e00-\u9fff]{1,4}为您"
    r"|(?:小(?![时程票心区家件型])|老)[\u4e00-\u9fff](?:会|将|来|给您|联系|回电|跟进|为您)"
)
_POLITE = re.compile(
    r"^(?:亲[,~ ]?)?(?:您好|你好|尊敬的|亲爱的|很高兴为您|感谢您的|请问还有|祝您|请稍等|稍等|好的|不客气"
    r"|非常抱歉|抱歉|麻烦您稍|请对我的服务|如有其他)"
)


@dataclass(frozen=True)
class Gap:
    """One question as many ask it.

    ``cases``: tickets that ask it. ``agent_share``: of all agents' time (or answers or tickets, see
    ``KnowledgeGaps.share_of``). ``held``: tickets solved and not reopened whose answer was read; ``support``: how many
    of those answers are like the chosen one; ``answer_key``: the case that the answer stands in, empty without one.
    ``article``: the knowledge base's nearest entry if it is near enough; ``likeness`` is told in any case.
    """

    question: str
    variants: tuple[str, ...]
    cases: int
    agent_share: float
    held: int
    answer: str
    answer_key: str
    support: int
    article: Article | None
    likeness: float

    @property
    def state(self) -> str:
        """What to do, in Chinese."""
        if self.article is not None:
            return "已有条目,仍反复人工解答"
        return "缺少条目" if self.answer else "缺少条目,且无可用答复"

    @property
    def draft(self) -> str:
        """A draft of an entry from masked verbatims; people finish it."""
        lines = [f"问:{self.question}", f"答:{self.answer or '(没有已解决工单的答复可用,请补写)'}"]
        if self.variants:
            lines.append(f"也会这样问:{';'.join(self.variants)}")
        lines.append(f"依据:{self.cases} 个工单问过,{self.held} 个已解决且未重开的答复中 {self.support} 个与此相近")
        if self.article is not None:
            lines.append(f"已有条目:{self.article.title} {self.article.url}".rstrip())
        return "\n".join(lines)


@dataclass(frozen=True)
class KnowledgeGaps:
    """Gaps by the share of agents' time, the largest first; ``gap_of_case``: place of each case's gap, −1: none."""

    gaps: list[Gap]
    gap_of_case: Labels
    questions: int
    share_of: str

    def table(self) -> pd.DataFrame:
        """One row a gap, for a CSV file."""
        return pd.DataFrame(
            [
                {
                    "gap_id": number,
                    "question": gap.question,
                    "state": gap.state,
                    "cases": gap.cases,
                    "agent_share": round(gap.agent_share, 4),
                    "share_of": self.share_of,
                    "held": gap.held,
                    "answer": gap.answer,
                    "answer_ticket": gap.answer_key,
                    "support": gap.support,
                    "variants": ";".join(gap.variants),
                    "article_title": gap.article.title if gap.article else "",
                    "article_url": gap.article.url if gap.article else "",
                    "article_likeness": round(gap.likeness, 3),
                    "draft": gap.draft,
                }
                for number, gap in enumerate(self.gaps, 1)
            ],
            columns=[
                "gap_id", "question", "state", "cases", "agent_share", "share_of", "held", "answer", "answer_ticket",
                "support", "variants", "article_title", "article_url", "article_likeness", "draft",
            ],
        )  # fmt: skip


def find_gaps(
    cases: Sequence[Case],
    embed: Embed,
    mask: Callable[[str], str],
    *,
    base: Sequence[Article] = (),
    smallest: int = 5,
    every_text: bool = False,
) -> KnowledgeGaps:
    """Gaps asked in at least ``smallest`` cases.

    ``embed`` gives unit vectors of texts; ``mask`` hides personal data in what is quoted, masked text stays as it is.
    ``every_text``: take each text for a question instead of looking for a sentence that asks how something is done.
    """
    embed = _remembering(embed)
    asked = [normalise(case.text) if every_text else how_to(case.text) for case in cases]
    places = [place for place, question in enumerate(asked) if topic_text(question)]
    questions = [topic_text(asked[place]) for place in places]
    groups = group_questions(questions, embed, smallest=smallest)
    shares, share_of = _shares(cases)
    titles = embed([topic_text(article.title) for article in base]) if base else None
    of_group: dict[int, list[int]] = defaultdict(list)
    for place, group in zip(places, groups.tolist(), strict=True):
        of_group[group].append(place)
    answers = _without_phrases(_own_answers(cases, places), [own for group, own in of_group.items() if group >= 0])
    found = [
        (_gap(members, cases, asked, answers, shares, embed, mask, base, titles), members)
        for group, members in sorted(of_group.items())
        if group >= 0
    ]
    found.sort(key=lambda pair: (-pair[0].agent_share, -pair[0].cases, pair[0].question))
    gap_of_case: Labels = np.full(len(cases), -1)
    for number, (_, members) in enumerate(found):
        gap_of_case[members] = number
    return KnowledgeGaps([gap for gap, _ in found], gap_of_case, len(questions), share_of)


def _gap(
    members: list[int],
    cases: Sequence[Case],
    asked: Sequence[str],
    answers: Mapping[int, str],
    shares: Sequence[float],
    embed: Embed,
    mask: Callable[[str], str],
    base: Sequence[Article],
    titles: Vectors | None,
) -> Gap:
    vectors = embed([topic_text(asked[place]) for place in members])
    centrality = vectors @ vectors.sum(axis=0)
    ranked = [members[place] for place in np.argsort(-centrality, kind="stable").tolist()]
    wordings = list(dict.fromkeys(mask(asked[place]) for place in ranked))
    distinct = find_duplicates(wordings, 0.7, shortest=6).first
    variants = [wording for place, wording in enumerate(wordings) if distinct[place] == place][1 : _VARIANTS + 1]
    held = [place for place in members if cases[place].held and answers[place]][:_COMPARED_ANSWERS]
    best_answer, support = _most_central([answers[place] for place in held], embed)
    article, likeness = None, 0.0
    if titles is not None:
        # What the question as a whole is near to, not what one wording happens to be.
        near = (titles @ vectors.T).mean(axis=1) / max(float(np.linalg.norm(vectors.mean(axis=0))), 1e-9)
        likeness = float(near.max())
        for place in np.argsort(-near, kind="stable").tolist():
            if near[place] < COVERED_FROM:
                break
            if any(_names_the_same(asked[member], base[place].title) for member in members):
                article, likeness = base[place], float(near[place])
                break
    return Gap(
        wordings[0],
        tuple(variants),
        len(members),
        float(sum(shares[place] for place in members)),
        len(held),
        mask(answers[held[best_answer]]) if held else "",
        cases[held[best_answer]].key if held else "",
        support,
        article,
        likeness,
    )


def _names_the_same(question: str, title: str) -> bool:
    """Whether both hold two neighbouring letters that don't merely ask: 延保怎么算 isn't 满减怎么算."""
    one, other = (
        {word[place : place + 2] for word in _ASKING.split(topic_text(text)) for place in range(len(word) - 1)}
        for text in (question, title)
    )
    return not one.isdisjoint(other)


def _remembering(embed: Embed) -> Embed:
    """The same function that computes each text once: a question is grouped, then compared with others of its group."""
    known: dict[str, Vectors] = {}

    def remembered(texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, embed(new), strict=True))
        return np.stack([known[text] for text in texts]) if texts else embed([])

    return remembered


def _most_central(answers: Sequence[str], embed: Embed) -> tuple[int, int]:
    """Place of the answer most like all others, and how many are like it, itself included; (−1, 0) without any."""
    if not answers:
        return -1, 0
    vectors = embed([topic_text(answer) for answer in answers])
    likeness = vectors @ vectors.T
    best = int(np.argmax(likeness.sum(axis=1)))
    return best, int((likeness[best] >= ALIKE_ANSWERS_FROM).sum())


def _own_answers(cases: Sequence[Case], places: Sequence[int]) -> dict[int, str]:
    """What agents said to the matter in each of the cases at ``places``: the longest message, without courtesy, the
    agent's introduction and the customer's own data.

    Empty where nothing is left.
    """
    # A greeting recurs in many different conversations, though the message that holds nothing else is always the same.
    boilerplate = learn_boilerplate(["\n".join(case.answers) for case in cases])
    own = {}
    for place in places:
        best = ""
        for message in cases[place].answers:
            kept = [
                sentence
                for line in boilerplate.remove(message).splitlines()
                for sentence in sentences(normalise(line))
                if not PLACEHOLDER.search(sentence) and not _is_polite(sentence) and not _AGENT.search(sentence)
            ]
            said = "".join(kept)
            best = said if len(said) > len(best) else best
        own[place] = best if len(best) >= _SHORTEST_ANSWER else ""
    return own


def _without_phrases(answers: Mapping[int, str], groups: Sequence[Sequence[int]]) -> dict[int, str]:
    """The answers without the clauses that agents say whatever is asked, which therefore answer nothing.

    Those of a third of the ``groups`` (places of cases), and of five at least; numbers in them don't matter.
    """
    groups_of: Counter[str] = Counter()
    for group in groups:
        groups_of.update({_shape(clause) for place in group for clause in _CLAUSE.findall(answers[place])})
    fewest = max(_FEWEST_GROUPS, len(groups) / 3)
    own = {}
    for place, answer in answers.items():
        kept = "".join(clause for clause in _CLAUSE.findall(answer) if groups_of[_shape(clause)] < fewest)
        kept = kept.rstrip(",;")
        own[place] = kept if len(kept) >= _SHORTEST_ANSWER else ""
    return own


def _shape(clause: str) -> str:
    return re.sub(r"\d+", "0", clause).strip(" ,;。!?~")


def _is_polite(sentence: str) -> bool:
    """Whether a sentence is courtesy and no more; 您好,请在 App 里… is an answer."""
    found = _POLITE.match(sentence)
    return found is not None and len(sentence) <= 16


def _shares(cases: Sequence[Case]) -> tuple[list[float], str]:
    """Each case's share of agents' work, and what it is measured by: seconds, else answers, else tickets."""
    if all(case.seconds is None for case in cases):
        answers = [float(len(case.answers)) for case in cases]
        weights, what = (answers, "answers") if sum(answers) else ([1.0] * len(cases), "tickets")
    else:
        weights, what = [case.seconds or 0.0 for case in cases], "seconds"
    total = sum(weights) or 1.0
    return [weight / total for weight in weights], what
