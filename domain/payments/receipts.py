"""How money that arrived is booked: told by the provider, told by hand in its place, or after the end.

What people vouch for lies in suspense until the provider speaks for itself; nothing is booked twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.fold import MARKED_COMPLETED, Fact, told_minor
from core.money import Money, asset
from core.purposes import Purpose
from core.states import Payment as Status
from domain.books import accounts, ledger
from domain.cases import cases
from domain.cases.cases import Finding
from domain.transitions import Why
from models.payments import Payment, PaymentFact
from providers import registry
from providers.said import KeyedFact

_ENDS = frozenset({"failed", "expired", "cancelled"})


@dataclass(frozen=True)
class Told:
    """What facts say has arrived, in minor units. by_hand: what only people vouch for so far."""

    by_provider: int
    by_hand: int

    @property
    def received(self) -> int:
        """All of it."""
        return self.by_provider + self.by_hand


def told(facts: Iterable[Fact]) -> Told:
    """Split what has arrived by who said so; the provider's own word replaces that of people."""
    known = list(facts)
    by_provider = told_minor(known)
    return Told(by_provider, max(0, told_minor(known, by_hand=True) - by_provider))


def in_suspense(session: Session, payment: Payment) -> Money:
    """Say what of a payment only people vouch for: it lies in suspense, and is not ours to give back.

    It grows no more once the payment is completed; only the provider's own word makes it less.
    Transaction: caller's, reads only.
    """
    rows = session.scalars(select(PaymentFact).where(PaymentFact.payment_id == payment.id))
    known = [Fact(row.kind, row.said_at, row.amount_minor) for row in rows]
    return _money(payment, told(known).by_hand)


def awaited(payment: Payment, suspended: Money) -> str:
    """Say in a sentence what of a payment waits for its provider's word."""
    return (
        f"{suspended.major()} {suspended.asset.code} of it was marked as received by hand and waits"
        f" in suspense until {_provider(payment)} itself says that it has it."
    )


def mark_key(provider: str, reference: str) -> str:
    """Name the fact that money of this reference was vouched for by hand, once and for ever."""
    return f"marked:{provider}:{reference}"


def marked_reference(payment: Payment, keys: Iterable[str]) -> str | None:
    """Find under which reference people vouched for a payment's money, among its facts' keys."""
    prefix = mark_key(payment.provider, "")
    return next((key.removeprefix(prefix) for key in keys if key.startswith(prefix)), None)


def ties(payment: Payment, *, reference: str | None = None) -> ledger.Ties:
    """Tie a journal entry to a payment, its order, its invoice and the provider's reference."""
    return ledger.Ties(
        order_id=payment.order_id,
        payment_id=payment.id,
        invoice_id=payment.invoice_id,
        provider=payment.provider,
        provider_reference=reference or payment.provider_reference,
        livemode=payment.livemode,
        demo=payment.demo,
    )


def told_under(payment: Payment, fact: KeyedFact) -> str:
    """Name what the provider calls the money of a fact: the payment's own name there, or the one in the
    fact's key, while the answer of the call that made the payment is lost or still on its way.
    """
    return payment.provider_reference or fact.key.split(":")[1]


def _provider(payment: Payment) -> str:
    labels = {each.name: each.label for each in registry.every()}
    return labels.get(payment.provider, payment.provider)


def _money(payment: Payment, minor: int) -> Money:
    return Money(minor, asset(payment.asset))


def bearer(payment: Payment) -> accounts.Account:
    """Name who bears a payment's money: its provider has it for us, or it is a coupon, which costs us."""
    if payment.purpose == Purpose.COUPON:
        return accounts.promotions(payment.provider)
    return accounts.clearing(payment.provider)


def arrival(new_facts: Sequence[KeyedFact]) -> KeyedFact:
    """Choose the fact that tells of money: the provider's own word before that of people."""
    own = (each for each in new_facts if each.fact.kind == "succeeded")
    marked = (each for each in new_facts if each.fact.kind == MARKED_COMPLETED)
    return next(own, None) or next(marked)


def book(
    session: Session, payment: Payment, gained: Money, new_facts: Sequence[KeyedFact], *, why: Why
) -> None:
    """Post what arrived: the provider or suspense has it, and it is held for the order.

    Writes: journal. Transaction: caller's, with the payment locked.
    """
    fact = arrival(new_facts)
    own = fact if fact.fact.kind == "succeeded" else None
    place = bearer(payment) if own else accounts.suspense(payment.provider)
    funds = accounts.buyer_funds(payment.buyer_id, payment.id)
    movements = [ledger.Movement(place, funds, gained)]
    if payment.order_id:
        hold = accounts.escrow_hold(payment.order_id, payment.merchant_id)
        movements.append(ledger.Movement(funds, hold, gained))
    ledger.post(
        session,
        _kind_of(payment, is_own=own is not None),
        movements=movements,
        source_key=fact.key,
        source=why.source,
        ties=ties(
            payment,
            reference=told_under(payment, own) if own else marked_reference(payment, [fact.key]),
        ),
        note=None if own else why.reason,
        effective_at=fact.fact.said_at,
    )


def _kind_of(payment: Payment, *, is_own: bool) -> str:
    if payment.purpose == Purpose.COUPON:
        return "coupon"
    what = "deposit" if payment.order_id else "top_up"
    return what if is_own else f"marked_{what}"


def book_late(
    session: Session, payment: Payment, gained: Money, new_facts: Sequence[KeyedFact], *, why: Why
) -> str:
    """Post money that came after the end apart from the order, with a case. Gives what was booked.

    Writes: journal, exception_cases. Transaction: caller's, with the payment locked.
    """
    fact = next(each for each in new_facts if each.fact.kind == "succeeded")
    ledger.post(
        session,
        "late_receipt",
        movements=[ledger.Movement(bearer(payment), accounts.unapplied(payment.id), gained)],
        source_key=fact.key,
        source=why.source,
        ties=ties(payment, reference=told_under(payment, fact)),
        effective_at=fact.fact.said_at,
    )
    sentence = (
        f"{gained.major()} {gained.asset.code} arrived for a payment that had ended as"
        f" {payment.failure_reason or payment.status}. It is booked as unapplied."
    )
    finding = Finding("PAID_LATE", fact.key, sentence, at_risk=gained, payment=payment)
    cases.open_case(session, finding, why=why)
    return "paid late: booked as unapplied, a case was opened"


def confirm(
    session: Session,
    payment: Payment,
    *,
    before: Told,
    now: Told,
    known: Collection[str],
    names: Collection[str],
    new_facts: Sequence[KeyedFact],
    why: Why,
) -> bool:
    """Move what was vouched for by hand out of suspense, as far as the provider now says it has it.

    known: the keys of all facts; names: what the provider calls the payment. Money under another
    name than people gave may be a second payment: a case says so. Gives whether anything moved.
    Writes: journal, exception_cases. Transaction: caller's, with the payment locked.
    """
    if now.by_hand >= before.by_hand or now.by_provider <= before.by_provider:
        _tell_contradiction(session, payment, now, new_facts, why=why)
        return False
    fact = next(each for each in new_facts if each.fact.kind == "succeeded")
    moved = _money(payment, before.by_hand - now.by_hand)
    suspense = accounts.suspense(payment.provider)
    ledger.post(
        session,
        "mark_confirmed",
        movements=[ledger.Movement(bearer(payment), suspense, moved)],
        source_key=f"confirmed:{fact.key}",
        source=why.source,
        ties=ties(payment, reference=told_under(payment, fact)),
        effective_at=fact.fact.said_at,
    )
    reference = marked_reference(payment, known)
    if now.by_hand:
        _tell_short(session, payment, before, now, why=why)
    if reference is not None and reference not in names:
        _tell_second(session, payment, moved, reference, why=why)
    return True


def _tell_short(session: Session, payment: Payment, before: Told, now: Told, *, why: Why) -> None:
    marked, said = _money(payment, before.received), _money(payment, now.by_provider)
    left = _money(payment, now.by_hand)
    sentence = (
        f"Marked by hand with {marked.major()} {marked.asset.code};"
        f" {_provider(payment)} itself says {said.major()}. {left.major()} stays in suspense."
    )
    finding = Finding(
        "RECON_DIFFERENCE",
        f"marked:{payment.id}:{now.by_provider}",
        sentence,
        expected=marked.major(),
        found=said.major(),
        at_risk=left,
        payment=payment,
    )
    cases.open_case(session, finding, why=why)


def _tell_second(
    session: Session, payment: Payment, moved: Money, reference: str, *, why: Why
) -> None:
    own = payment.provider_reference or "its own reference"
    sentence = (
        f"Marked by hand with reference {reference}; then {_provider(payment)} itself received"
        f" {moved.major()} {moved.asset.code} as {own}. It is booked once:"
        " if these are two payments, one is to be given back."
    )
    finding = Finding(
        "DUPLICATE_PAYMENT",
        f"marked:{payment.id}",
        sentence,
        expected=reference,
        found=own,
        at_risk=moved,
        payment=payment,
    )
    cases.open_case(session, finding, why=why)


def _tell_contradiction(
    session: Session, payment: Payment, now: Told, new_facts: Sequence[KeyedFact], *, why: Why
) -> None:
    """Open a case when the provider says of a payment marked completed that it ended without money."""
    ends = [each.fact.kind for each in new_facts if each.fact.kind in _ENDS]
    if not ends or not now.by_hand or payment.status != Status.COMPLETED:
        return
    left = _money(payment, now.by_hand)
    sentence = (
        f"Marked completed by hand with {left.major()} {left.asset.code};"
        f" {_provider(payment)} now says it is {ends[0]}. The money stays in suspense."
    )
    finding = Finding(
        "RECON_DIFFERENCE",
        f"marked:{payment.id}:{ends[0]}",
        sentence,
        expected=left.major(),
        found=ends[0],
        at_risk=left,
        payment=payment,
    )
    cases.open_case(session, finding, why=why)
