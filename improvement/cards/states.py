"""The states of a card and who may move it where."""

from __future__ import annotations

from huiyin.errors import HuiyinError

NEW = "新建"
CONFIRMED = "已确认"
ANALYSIS = "原因分析"
FIXING = "整改中"
LIVE = "已上线"
CHECKING = "效果验证"
CLOSED = "已关闭"
ON_HOLD = "暂缓"
DUPLICATE = "重复"
REJECTED = "不受理"
REOPENED = "复发重开"

# The system opens cards and reopens them on a recurrence; everything else is for people to decide.
SYSTEM = "huiyin"

MOVES: dict[str, tuple[str, ...]] = {
    NEW: (CONFIRMED, ON_HOLD, DUPLICATE, REJECTED),
    CONFIRMED: (ANALYSIS, ON_HOLD, DUPLICATE, REJECTED),
    ANALYSIS: (FIXING, ON_HOLD, DUPLICATE, REJECTED),
    FIXING: (LIVE, ANALYSIS, ON_HOLD),
    LIVE: (CHECKING, FIXING),
    CHECKING: (CLOSED, ANALYSIS, FIXING),
    CLOSED: (REOPENED,),
    ON_HOLD: (CONFIRMED, ANALYSIS, FIXING, DUPLICATE, REJECTED),
    DUPLICATE: (CONFIRMED,),
    REJECTED: (REOPENED, CONFIRMED),
    REOPENED: (CONFIRMED, ANALYSIS, FIXING, ON_HOLD, DUPLICATE, REJECTED),
}
STATES = tuple(MOVES)
NEEDS_REASON = (ON_HOLD, DUPLICATE, REJECTED, REOPENED)
# A card in one of these takes no more work; a new spike of its scope reopens the first two.
REOPENABLE = (CLOSED, REJECTED)
ENDED = (CLOSED, REJECTED, DUPLICATE)


class IllegalMoveError(HuiyinError):
    """The card can't be moved like that; the message lists what is possible."""


def check_move(card_id: str, from_state: str, to_state: str, actor: str, reason: str | None) -> None:
    """Raise :class:`IllegalMoveError` unless ``actor`` may move the card there."""
    legal = MOVES[from_state]
    if to_state not in STATES:
        raise IllegalMoveError(f"there is no state {to_state!r}; the states are {' '.join(STATES)}")
    if to_state not in legal:
        raise IllegalMoveError(
            f"{card_id} is {from_state} and can't become {to_state}; from here it may become {'、'.join(legal)}"
        )
    if not actor.strip():
        raise IllegalMoveError("a move needs the name of who makes it; give --actor NAME")
    if actor == SYSTEM and to_state != REOPENED:
        raise IllegalMoveError(f"only a person may move {card_id} to {to_state}; give --actor NAME")
    if to_state in NEEDS_REASON and not (reason or "").strip():
        raise IllegalMoveError(f"moving {card_id} to {to_state} needs a reason; give --reason TEXT")
