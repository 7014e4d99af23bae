"""What one batch of events will touch, locked and loaded at once instead of event by event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, and_, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from core.fold import Fact
from models.orders import Order
from models.payments import Payment, PaymentFact, ProviderReference
from providers.said import Reading

_KEY = "workset"


@dataclass(frozen=True)
class Known:
    """A fact that is known: the fact, who told it and when we saw it."""

    fact: Fact
    told_by: str


@dataclass
class Workset:
    """Rows that are locked in the running transaction, by what they are asked for.

    named: names of payments that were learned in it, by which earlier events may have spoken.
    """

    payments: dict[str, Payment] = field(default_factory=dict)
    by_reference: dict[tuple[str, str], str] = field(default_factory=dict)
    facts: dict[str, dict[str, Known]] = field(default_factory=dict)
    references: dict[str, set[str]] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    is_batch: bool = False


def of(session: Session) -> Workset:
    """Give what the running transaction has loaded so far."""
    found = session.info.get(_KEY)
    if not isinstance(found, Workset):
        found = session.info[_KEY] = Workset()
    return found


def is_batch(session: Session) -> bool:
    """Tell whether updates wait for the transaction's end, because all rows are locked and loaded."""
    return of(session).is_batch


def facts_of(session: Session, payment: Payment) -> dict[str, Known]:
    """Give what is known of a locked payment, by fact key. Transaction: caller's."""
    held = of(session).facts
    if payment.id not in held:
        _load_facts(session, [payment.id])
    return held[payment.id]


def _load_facts(session: Session, payment_ids: Sequence[str]) -> None:
    held = of(session).facts
    for payment_id in payment_ids:
        held[payment_id] = {}
    statement = select(PaymentFact).where(PaymentFact.payment_id.in_(payment_ids))
    for row in session.scalars(statement):
        fact = Fact(row.kind, row.said_at, row.amount_minor, row.code, row.message)
        told_by = f"{row.source} at {row.seen_at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        held[row.payment_id][row.fact_key] = Known(fact, told_by)


def references_of(session: Session, payment: Payment) -> set[str]:
    """Give what the provider calls a locked payment. Transaction: caller's."""
    held = of(session).references
    if payment.id not in held:
        statement = select(ProviderReference.reference).where(
            ProviderReference.payment_id == payment.id
        )
        held[payment.id] = set(session.scalars(statement))
    return held[payment.id]


def load(session: Session, spoken: Iterable[tuple[str, Sequence[str], str | None]]) -> None:
    """Lock and load the payments that a batch speaks of, their facts, names and orders.

    spoken: of each event its provider, the provider's names and our id in its metadata. More is
    locked than `find` will give when a name and an id disagree. Payments that another transaction
    holds are passed over. Rows are locked by id, so that two batches cannot wait for each other.
    Writes: nothing. Transaction: caller's.
    """
    held = of(session)
    providers: set[str] = set()
    names: set[str] = set()
    wanted: set[str] = set()
    for provider, references, payment_id in spoken:
        providers.add(provider)
        names.update(references)
        wanted.update([payment_id] if payment_id else [])
    named = select(ProviderReference.payment_id).where(
        ProviderReference.provider.in_(providers), ProviderReference.reference.in_(names)
    )
    wanted.update(session.scalars(named))
    locked = session.scalars(
        select(Payment)
        .where(Payment.id.in_(sorted(wanted)))
        .order_by(Payment.id)
        .with_for_update(skip_locked=True, of=Payment, key_share=True)
        .execution_options(populate_existing=True)
    )
    held.payments = {payment.id: payment for payment in locked}
    ids = list(held.payments)
    _load_facts(session, ids)
    _load_references(session, ids)
    order_ids = sorted({p.order_id for p in held.payments.values() if p.order_id is not None})
    orders = (
        select(Order)
        .where(Order.id.in_(order_ids))
        .order_by(Order.id)
        .with_for_update(key_share=True)
    )
    for order in session.scalars(orders.execution_options(populate_existing=True)):
        held.orders[order.id] = order
    held.is_batch = True


def _load_references(session: Session, payment_ids: Sequence[str]) -> None:
    held = of(session)
    held.references = {payment_id: set() for payment_id in payment_ids}
    statement = select(ProviderReference).where(ProviderReference.payment_id.in_(payment_ids))
    for row in session.scalars(statement):
        held.references[row.payment_id].add(row.reference)
        held.by_reference[row.provider, row.reference] = row.payment_id


# What the provider's first name of a payment is a name of, by the payment's method.
NAMED_BY = {
    "intent": "intent",
    "checkout": "session",
    "setup": "setup_intent",
    "invoice": "invoice",
    "link": "bank_payment",
}


def condition(provider: str, said: Reading, *, livemode: bool) -> ColumnElement[bool]:
    """Say which payment an event may speak of: by the provider's names, or by our id in its metadata.

    Our id counts only while the payment has no other name of that kind, and only an invoice speaks of a
    payment that was made as one: whatever somebody writes into metadata, nothing else is credited by it.
    """
    references, payment_id = said.references, said.payment_id
    is_invoice = Payment.method == "invoice"
    other = aliased(Payment)
    # A union, not an `or`, so that both are looked up by their index.
    candidates = union_all(
        select(ProviderReference.payment_id).where(
            ProviderReference.provider == provider, ProviderReference.reference.in_(references)
        ),
        select(other.id).where(
            other.id == (payment_id or ""),
            or_(
                other.provider_reference.is_(None),
                other.provider_reference.in_(references),
                other.method == "checkout",
            ),
        ),
    )
    return and_(
        Payment.provider == provider,
        Payment.livemode.is_(livemode),
        is_invoice if said.is_invoice else ~is_invoice,
        Payment.id.in_(candidates),
    )


def find(session: Session, provider: str, said: Reading, *, livemode: bool) -> Payment | None:
    """Find the payment of an event among those a batch has loaded; the same rule as `condition`."""
    held = of(session)
    for reference in said.references:
        if found := held.by_reference.get((provider, reference)):
            payment = held.payments.get(found)
            if payment is not None and _fits(payment, provider, said, livemode):
                return payment
    payment = held.payments.get(said.payment_id or "")
    if payment is None or not _fits(payment, provider, said, livemode):
        return None
    free = payment.provider_reference is None or payment.method == "checkout"
    return payment if free or payment.provider_reference in said.references else None


def unowned(session: Session, said: Reading) -> str | None:
    """Say why nothing of ours will ever be meant, or None: our rows are there before the provider is asked.

    A second object that carries the id of a payment of ours is not let pass like that: a person looks.
    """
    if said.payment_id is None or session.get(Payment, said.payment_id) is None:
        return said.unowned
    return None


def _fits(payment: Payment, provider: str, said: Reading, livemode: bool) -> bool:
    is_invoice = payment.method == "invoice"
    same = (payment.provider, payment.livemode, is_invoice)
    return same == (provider, livemode, said.is_invoice)
