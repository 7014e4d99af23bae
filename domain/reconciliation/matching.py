"""Whose the objects of a page are, and which of them say something that is not known here: a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.inbox import workset
from domain.payments import captures
from models.disputes import Dispute
from models.payments import Payment, PaymentFact, ProviderReference
from models.reconciliation import ReconciliationRun
from providers.list_seam import Listed
from providers.said import KeyedFact, Reading

# Facts whose key holds the moment at which they were asked for, and where they bring a payment.
_OF_A_MOMENT = {
    "requires_action": "requires_action",
    "attempt_failed": "requires_payment_method",
    "processing": "none",
}


@dataclass(frozen=True)
class Matched:
    """One object, the payment of ours that it belongs to, and whether it says anything new of it."""

    listed: Listed
    payment: Payment | None
    is_news: bool


def match(session: Session, run: ReconciliationRun, items: Sequence[Listed]) -> list[Matched]:
    """Find the payments of a page's objects, by the same rule as for an event, without locking any.

    Transaction: caller's, reads only.
    """
    readings = [item.reading for item in items]
    _load(session, run.provider, readings)
    owners = [workset.find(session, run.provider, each, livemode=run.livemode) for each in readings]
    known = _Known(
        _facts(session, readings), _disputes(session, readings), workset.of(session).references
    )
    return [
        Matched(item, owner, owner is not None and known.is_news(owner, item.reading))
        for item, owner in zip(items, owners, strict=True)
    ]


def _load(session: Session, provider: str, readings: Sequence[Reading]) -> None:
    """Load what the page speaks of, as a batch of events is loaded, but for the locks."""
    held = workset.of(session)
    names = {name for each in readings for name in each.references}
    ids = {each.payment_id for each in readings if each.payment_id}
    named = select(ProviderReference).where(
        ProviderReference.provider == provider, ProviderReference.reference.in_(names)
    )
    for row in session.scalars(named):
        held.by_reference[row.provider, row.reference] = row.payment_id
        ids.add(row.payment_id)
    payments = session.scalars(select(Payment).where(Payment.id.in_(ids)))
    held.payments = {payment.id: payment for payment in payments}
    held.references = {payment_id: set() for payment_id in held.payments}
    all_names = select(ProviderReference.payment_id, ProviderReference.reference).where(
        ProviderReference.payment_id.in_(held.payments)
    )
    for payment_id, reference in session.execute(all_names):
        held.references[payment_id].add(reference)


def _facts(session: Session, readings: Sequence[Reading]) -> set[str]:
    keys = {keyed.key for each in readings for keyed in _keyed(each)}
    statement = select(PaymentFact.fact_key).where(PaymentFact.fact_key.in_(keys))
    return set(session.scalars(statement))


def _keyed(reading: Reading) -> list[KeyedFact]:
    refunds = [said.keyed for said in reading.refunds]
    funds = [part.keyed for said in reading.disputes for part in said.funds]
    return [*reading.facts, *refunds, *funds]


def _disputes(session: Session, readings: Sequence[Reading]) -> dict[str, Dispute]:
    names = {said.reference for each in readings for said in each.disputes}
    rows = session.scalars(select(Dispute).where(Dispute.provider_reference.in_(names)))
    return {row.provider_reference: row for row in rows}


@dataclass(frozen=True)
class _Known:
    """What is known here of all that a page speaks of."""

    facts: set[str]
    disputes: Mapping[str, Dispute]
    names: Mapping[str, set[str]]

    def is_news(self, payment: Payment, reading: Reading) -> bool:
        """Tell whether a settlement would have anything to do with a reading."""
        return (
            bool(reading.oddities)
            or any(self._is_new(payment, keyed) for keyed in reading.facts)
            or not set(reading.links) <= self.names.get(payment.id, set())
            or self._refund_is_new(payment, reading)
            or self._dispute_is_new(payment, reading)
        )

    def _is_new(self, payment: Payment, keyed: KeyedFact) -> bool:
        if keyed.key in self.facts:
            return False
        stands_there = payment.sub_state == _OF_A_MOMENT.get(keyed.fact.kind)
        return not (stands_there and keyed.fact.code == payment.provider_code)

    def _refund_is_new(self, payment: Payment, reading: Reading) -> bool:
        return payment.received_minor > 0 and any(
            said.keyed.key not in self.facts
            for said in reading.refunds
            if str(said.amount.asset) == payment.asset and not captures.is_let_go(payment, said)
        )

    def _dispute_is_new(self, payment: Payment, reading: Reading) -> bool:
        for said in reading.disputes:
            if str(said.amount.asset) != payment.asset:
                continue
            known = self.disputes.get(said.reference)
            if known is None or known.status != said.status:
                return True
            if any(part.keyed.key not in self.facts for part in said.funds):
                return True
        return False
