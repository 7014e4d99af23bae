"""What a rule may know of a case: the numbers and names its conditions ask about, read in batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.money import Money, asset, parse
from models.cases import ExceptionCase
from models.inbound import InboundEvent
from models.payments import Payment


@dataclass(frozen=True)
class CaseFacts:
    """One case as conditions see it. expected, found: None where the case compares no amounts.

    age_seconds: from its opening to its decision, or until now.
    """

    case_id: str
    kind: str
    expected: Money | None
    found: Money | None
    at_risk: Money | None
    provider: str | None
    rail: str | None
    merchant_id: str | None
    livemode: bool
    age_seconds: int

    @property
    def shortfall(self) -> Money | None:
        """What is missing, when less was found than expected."""
        if self.expected is None or self.found is None or not self.found < self.expected:
            return None
        return self.expected - self.found

    @property
    def excess(self) -> Money | None:
        """What is too much, when more was found than expected."""
        if self.expected is None or self.found is None or not self.expected < self.found:
            return None
        return self.found - self.expected


def facts_of(
    session: Session, rows: Sequence[ExceptionCase], *, now: datetime | None = None
) -> list[CaseFacts]:
    """Read what is known of several cases, in two queries whatever their number.

    Transaction: caller's, reads only.
    """
    payments = _payments(session, (row.payment_id for row in rows))
    inbound = _providers(session, (row.inbound_id for row in rows if row.payment_id is None))
    at = now or clock.now()
    return [
        _facts(row, payments.get(row.payment_id or ""), inbound.get(row.inbound_id or ""), at)
        for row in rows
    ]


def _payments(session: Session, ids: Iterable[str | None]) -> dict[str, tuple[str, str, bool]]:
    wanted = sorted({each for each in ids if each})
    if not wanted:
        return {}
    columns = (Payment.id, Payment.provider, Payment.rail, Payment.livemode)
    found = session.execute(select(*columns).where(Payment.id.in_(wanted)))
    return {row.id: (row.provider, row.rail, row.livemode) for row in found}


def _providers(session: Session, ids: Iterable[str | None]) -> dict[str, str]:
    wanted = sorted({each for each in ids if each})
    if not wanted:
        return {}
    columns = (InboundEvent.id, InboundEvent.provider)
    found = session.execute(select(*columns).where(InboundEvent.id.in_(wanted)))
    return {row.id: row.provider for row in found}


def _facts(
    row: ExceptionCase, payment: tuple[str, str, bool] | None, inbound: str | None, now: datetime
) -> CaseFacts:
    provider, rail, livemode = payment or (inbound, None, False)
    ended = row.resolved_at or now
    return CaseFacts(
        case_id=row.id,
        kind=row.kind,
        expected=_amount(row.expected, row.asset),
        found=_amount(row.found, row.asset),
        at_risk=_risk(row),
        provider=provider,
        rail=rail,
        merchant_id=row.merchant_id,
        livemode=livemode,
        age_seconds=max(0, int((ended - row.opened_at).total_seconds())),
    )


def _risk(row: ExceptionCase) -> Money | None:
    if row.risk_minor is None or row.asset is None:
        return None
    return Money(row.risk_minor, asset(row.asset))


def _amount(text: str | None, asset_name: str | None) -> Money | None:
    """Read one of the two compared values; other kinds compare words, and those are no amounts."""
    if text is None or asset_name is None:
        return None
    try:
        return parse(text, asset(asset_name))
    except ValueError:
        return None
