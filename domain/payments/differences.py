"""What a completed payment received, compared with what it was to receive; a difference is a person's."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.money import Money, asset
from core.purposes import owed_minor
from core.states import Payment as Status
from domain.cases import cases
from domain.cases.cases import Finding
from domain.payments import captures
from domain.transitions import Why
from models.payments import Payment


def compare(session: Session, payment: Payment, *, why: Why) -> None:
    """Open a case when what was received differs from what was asked; never write it off.

    Writes: exception_cases. Emits: exception.opened. Transaction: caller's.
    """
    due = owed_minor(payment.purpose, payment.amount_minor)
    if payment.status != Status.COMPLETED or payment.received_minor == due:
        return
    if captures.let_go(session, payment) is not None:
        return
    of = asset(payment.asset)
    asked, got = Money(due, of), Money(payment.received_minor, of)
    kind = "OVERPAID" if asked < got else "UNDERPAID"
    difference = got - asked if asked < got else asked - got
    sentence = (
        f"Paid {got.major()} of {asked.major()} {of.code}, a difference of {difference.major()}."
    )
    finding = Finding(
        kind,
        f"{payment.id}:{got.minor}",
        sentence,
        expected=asked.major(),
        found=got.major(),
        at_risk=difference,
        payment=payment,
    )
    cases.open_case(session, finding, why=why)
