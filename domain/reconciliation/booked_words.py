"""How the books differ from what both sides agree on: nothing booked, booked twice, booked otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core import recon_kinds as kinds
from core.money import Money, asset
from domain.reconciliation import said
from domain.reconciliation.book_sums import Booked
from domain.reconciliation.differences import Found
from models.payments import Payment


@dataclass(frozen=True)
class Expected:
    """What the books should say of something. minor: minor units of `asset`, debits positive."""

    subject: str
    subject_at: datetime
    minor: int
    asset: str
    ours: str
    theirs: str | None
    payment: Payment | None
    reference: str | None


def difference(wanted: Expected, booked: Booked) -> Found:
    """Say in which of three ways the books differ."""
    own = asset(wanted.asset)
    gap = booked.minor - wanted.minor
    kind = kinds.BOOKED_OTHER
    if not booked.entries and not booked.in_other_asset and not booked.minor:
        kind = kinds.NOT_BOOKED
    elif wanted.minor and gap and gap % wanted.minor == 0 and gap // wanted.minor > 0:
        kind = kinds.BOOKED_TWICE
    return Found(
        kind=kind,
        subject=wanted.subject,
        subject_at=wanted.subject_at,
        ours=wanted.ours,
        theirs=wanted.theirs,
        books=_said(booked, wanted.asset),
        at_risk=Money(abs(gap) or abs(wanted.minor), own),
        payment=wanted.payment,
        reference=wanted.reference,
    )


def _said(booked: Booked, unit: str) -> str:
    if not booked.entries and not booked.minor:
        return "nothing in its currency" if booked.in_other_asset else "nothing"
    amount = said.money(Money(abs(booked.minor), asset(unit)))
    if len(booked.entries) > 1:
        return f"{amount} in {len(booked.entries)} entries"
    return amount
