"""Lines whose suggestion is certain: listed to be looked at, and matched together once a person says so."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import LostRace
from core.money import Money, asset
from domain.bank import matching, suggesting
from domain.bank.matching import Act, Target
from domain.bank.seen import seen_of
from domain.bank.suggesting import Suggestion
from models.statements import BankLine

MOST = 100


@dataclass(frozen=True)
class Certain:
    """One line and the only thing that it can show."""

    line_id: str
    reference: str
    amount: Money
    suggestion: Suggestion

    @property
    def token(self) -> str:
        """Name exactly what was shown: the line, and what it is to be matched with."""
        return f"{self.line_id} {self.suggestion.kind} {self.suggestion.id}"


def list_certain(session: Session) -> list[Certain]:
    """List the newest lines that are certain. Of two that show the same, neither is.

    Transaction: caller's, reads only.
    """
    statement = (
        select(BankLine)
        .where(BankLine.state == "suggested")
        .order_by(BankLine.created_at.desc(), BankLine.id.desc())
        .limit(5 * MOST)
    )
    rows = session.scalars(statement).all()
    found = suggesting.suggest(session, [seen_of(row) for row in rows])
    certain = [
        Certain(
            row.id,
            row.reference or row.bank_reference or row.id,
            Money(row.amount_minor, asset(row.asset)),
            found[row.id][0],
        )
        for row in rows
        if found[row.id] and found[row.id][0].is_certain
    ]
    claims = Counter(each.suggestion.id for each in certain)
    return [each for each in certain if claims[each.suggestion.id] == 1][:MOST]


def confirm(session: Session, said: Certain, act: Act) -> None:
    """Match a line with what was shown, if that is still the only thing that it can show.

    Writes, emits, raises: as `matching.match`; LostRace. Transaction: caller's.
    """
    line = matching.get_line(session, said.line_id, lock=True)
    found = suggesting.of_line(session, line)
    if not found or (found[0].id, found[0].is_certain) != (said.suggestion.id, True):
        raise LostRace(
            "This is no longer the one thing that the line can show. Look at it by itself."
        )
    matching.match(session, said.line_id, Target(said.suggestion.kind, said.suggestion.id), act)
