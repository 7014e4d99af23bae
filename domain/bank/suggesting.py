"""Which of what is open a bank line may show, with a score and, in words, why. Nothing is decided by it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from core.money import Money
from domain.bank import candidates
from domain.bank.candidates import NEAR_DAYS, REFUND, Thing
from domain.bank.seen import Seen, seen_of
from models.statements import BankLine

MOST = 5


@dataclass(frozen=True)
class Suggestion:
    """Something that a line may show. score: 0 to 100; why: in words, for the person who decides.

    is_certain: exactly its amount, exactly its own reference, and no other like that.
    """

    kind: str
    id: str
    name: str
    amount: Money
    score: int
    why: str
    is_certain: bool = False


@dataclass
class _Known:
    """What could be behind lines, by its names and, where that is reason enough, by its amount."""

    by_name: dict[str, list[Thing]] = field(default_factory=dict)
    by_amount: dict[tuple[bool, str], list[Thing]] = field(default_factory=dict)

    def near(self, line: Seen) -> list[Thing]:
        """Give what is of this amount, or a little more: a bank may keep a fee of its own."""
        minor = abs(line.amount.minor)
        found = self.by_amount.get((line.amount.minor < 0, str(line.amount.asset)), [])
        begin = bisect_left(found, minor, key=_left)
        end = bisect_right(found, minor * 100 // 99 + 1, key=_left)
        return found[begin:end]


def _left(thing: Thing) -> int:
    return thing.left_minor


def _known(things: Sequence[Thing]) -> _Known:
    known = _Known()
    for thing in sorted(things, key=_left):
        for name in thing.names:
            known.by_name.setdefault(name, []).append(thing)
        if thing.is_near:
            known.by_amount.setdefault((thing.kind == REFUND, thing.asset), []).append(thing)
    return known


def suggest(session: Session, lines: Sequence[Seen]) -> Mapping[str, list[Suggestion]]:
    """List for each line what it may show, likeliest first. Transaction: caller's, reads only."""
    known = _known(candidates.of(session, lines))
    return {line.id: _of(line, known) for line in lines}


def of_line(session: Session, line: BankLine) -> list[Suggestion]:
    """List what one line may show. Transaction: caller's, reads only."""
    return suggest(session, [seen_of(line)])[line.id]


def _of(line: Seen, known: _Known) -> list[Suggestion]:
    named = {
        thing.id: (thing, thing.names[name])
        for name in sorted(line.tokens())
        for thing in known.by_name.get(name, ())
        if (thing.kind == REFUND) == (line.amount.minor < 0)
    }
    things = {thing.id: (thing, "") for thing in known.near(line)} | named
    found = [
        each
        for thing, how in things.values()
        if (each := _weighed(thing, line, how)) is not None and each.score
    ]
    found.sort(key=lambda each: (-each.score, each.id))
    sure = [each for each in found if each.is_certain]
    if len(sure) > 1:
        found = [_less_sure(each) if each.is_certain else each for each in found]
    return found[:MOST]


def _less_sure(said: Suggestion) -> Suggestion:
    why = f"{said.why}; another has the same reference and amount"
    return Suggestion(said.kind, said.id, said.name, said.amount, min(said.score, 90), why)


def _weighed(thing: Thing, line: Seen, how: str) -> Suggestion | None:
    """Weigh one thing. how: by which of its names the line calls it, empty when by none."""
    unit = line.amount.asset
    short = thing.left_minor - abs(line.amount.minor)
    if thing.asset != str(unit) or thing.livemode != line.livemode or short < 0:
        return None
    apart = abs((line.booked_on - thing.expected_on).days)
    if not how and apart > 4 * NEAR_DAYS:
        return None
    near = max(0, 40 - 5 * apart)
    reasons = [how] if how else []
    if short == 0:
        days = f"{apart} day{'s' if apart != 1 else ''} from when it was expected"
        reasons += ["the same amount", days if apart else "on the day it was expected"]
        score = 60 + (40 if how else near)
    else:
        reasons.append(f"{Money(short, unit).major()} {unit.code} less than the {thing.kind}")
        # More than a hundredth is no fee of a bank.
        score = (near if short * 100 <= thing.whole_minor else 0) + (50 if how else 0)
    if line.counterparty and thing.label and thing.label.lower() in line.counterparty.lower():
        reasons.append(f"the other side is {thing.label}")
        score += 10
    whole = Money(thing.whole_minor, unit)
    return Suggestion(
        *(thing.kind, thing.id, thing.name),
        amount=whole,
        score=min(score, 100),
        why=", ".join(reasons),
        is_certain=bool(how) and short == 0,
    )
