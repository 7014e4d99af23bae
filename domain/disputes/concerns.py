"""Early fraud warnings and reviews of a provider: each holds its order's release and is a case for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.money import Money, asset
from domain.cases import cases
from domain.cases.cases import Finding
from domain.orders import release_holds
from domain.orders.release_holds import REVIEW, WARNING
from domain.transitions import Why
from models.cases import ExceptionCase
from models.payments import Payment
from providers.said import SaidConcern

_HOLDS: Mapping[str, tuple[str, str]] = {
    "EARLY_FRAUD_WARNING": (WARNING, "The card's issuer warns of fraud."),
    "PAYMENT_REVIEW": (REVIEW, "The payment is under review for fraud."),
}


def hear(session: Session, payment: Payment, said: Sequence[SaidConcern], *, why: Why) -> list[str]:
    """Apply what a provider distrusts of a locked payment. Gives a sentence for each that is new.

    An end that is heard of before its beginning counts; then it never begins.
    Writes: exception_cases, release_holds, orders. Emits: exception.opened. Transaction: caller's.
    """
    told = []
    for each in said:
        case_id, is_new = _case(session, payment, each, why)
        kind, reason = _HOLDS[each.kind]
        wanted = release_holds.Wanted(kind, each.reference, reason, case_id, stays_over=True)
        moved = release_holds.place(session, payment, wanted, is_on=not each.is_over, why=why)
        if is_new or moved:
            told.append(f"{kind.replace('_', ' ')} {'settled' if each.is_over else 'noted'}")
    return told


def _case(
    session: Session, payment: Payment, said: SaidConcern, why: Why
) -> tuple[str | None, bool]:
    kept = payment.received_minor - payment.refunded_minor
    finding = Finding(
        said.kind,
        said.reference,
        said.sentence,
        at_risk=Money(kept, asset(payment.asset)) if kept > 0 else None,
        payment=payment,
    )
    opened = cases.open_case(session, finding, why=why)
    known = select(ExceptionCase.id).where(
        ExceptionCase.subject_key == f"{said.kind}:{said.reference}"
    )
    return opened or session.scalar(known), opened is not None
