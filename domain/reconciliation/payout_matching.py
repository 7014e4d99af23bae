"""Finding a payout at our bank by hand: a person types the line that shows it, before its statement is here.

The line becomes a row like those of statements, and is matched as they are; the statement that brings
it later finds it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, ids
from core.bank_references import key_of
from core.errors import Conflict, NotFound, invalid
from core.money import Money
from domain.actors import Actor
from domain.bank import bank_accounts, matching
from domain.bank.candidates import PAYOUT
from domain.bank.matching import Act, Target
from models.reconciliation import ProviderPayout
from models.statements import BankLine as Row


@dataclass(frozen=True)
class BankLine:
    """One line of a bank statement. account: our name for the bank account; reference: unique in it."""

    account: str
    reference: str
    amount: Money
    booked_on: date


def match(
    session: Session, payout_id: str, line: BankLine, *, actor: Actor, source: str, note: str
) -> ProviderPayout:
    """Say that a bank line shows a payout: it moves from `transit` to the bank's `cash` account.

    Writes: bank_accounts, bank_lines, and as `matching.match`. Emits: line.matched.
    Raises: NotFound; InvalidInput; Conflict when it is matched, came back, is not booked yet, or the
    line is used or shows more. Transaction: caller's.
    """
    payout = _get(session, payout_id)
    if payout.matched_at is not None:
        raise Conflict("That payout is matched to a bank line already.", code="ALREADY_MATCHED")
    if line.amount.minor <= 0:
        raise invalid("amount", "A line that shows a payout brings money.")
    if not line.reference.strip():
        raise invalid("line", "Name the line as the bank does.")
    row = _put(session, line, livemode=payout.livemode, demo=payout.demo)
    matching.match(session, row.id, Target(PAYOUT, payout_id), Act(actor, source, note))
    return _get(session, payout_id)


def unmatch(
    session: Session, payout_id: str, *, actor: Actor, source: str, note: str
) -> ProviderPayout:
    """Take a match back: its entry is reversed, and the payout is on its way again.

    Writes, emits: as `matching.unmatch`. Raises: NotFound, Conflict. Transaction: caller's.
    """
    _get(session, payout_id)
    line_id = session.scalar(select(Row.id).where(Row.payout_id == payout_id))
    if line_id is None:
        raise Conflict("That payout is matched to no bank line.")
    matching.unmatch(session, line_id, Act(actor, source, note))
    return _get(session, payout_id)


def _get(session: Session, payout_id: str) -> ProviderPayout:
    own = select(ProviderPayout).where(ProviderPayout.id == payout_id)
    found = session.scalars(own.execution_options(populate_existing=True)).first()
    if found is None:
        raise NotFound
    return found


def _put(session: Session, line: BankLine, *, livemode: bool, demo: bool) -> Row:
    """Find the line that a person names, or write it down."""
    bank_accounts.take_turn(session, line.account)
    reference = line.reference.strip()
    own = select(Row).where(Row.account == line.account, Row.bank_reference == reference)
    known = session.scalars(own.order_by(Row.created_at, Row.id)).all()
    for row in known:
        if row.amount_minor == line.amount.minor and row.asset == str(line.amount.asset):
            if row.payout_id is not None:
                raise Conflict("That bank line shows another payout already.", code="LINE_MATCHED")
            return row
    if known:
        shown = Money(known[0].amount_minor, line.amount.asset).major()
        raise Conflict(f"The bank's line of that name is over {shown}.")
    row = Row(
        id=ids.new("bln"),
        account=line.account,
        no=0,
        line_key=reference,
        bank_reference=reference,
        booked_on=line.booked_on,
        asset=str(line.amount.asset),
        amount_minor=line.amount.minor,
        reference=reference,
        reference_key=key_of(reference),
        state="unmatched",
        livemode=livemode,
        demo=demo,
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    return row
