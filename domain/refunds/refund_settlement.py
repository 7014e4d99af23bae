"""What providers say of refunds, carried into the refund, the books, its payment and its order.

Whatever the order in which facts arrive, and however often: the refund stands where the farthest fact
puts it, and the payment's totals are counted from its refunds.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import LostRace
from core.fold import refund_state
from core.money import Money, asset
from core.states import Escrow
from core.states import Payment as PaymentStatus
from core.states import Refund as State
from domain import events, pending
from domain.books import accounts, ledger
from domain.cases import cases
from domain.cases.cases import Finding
from domain.effects import effects, entitlement, kinds
from domain.effects.kinds import EffectKind, Wanted
from domain.orders import order_progress
from domain.payments import payment_events, receipts
from domain.refunds import refund_events, wallet_debits
from domain.transitions import Why, move_together
from models.ledger import JournalEntry
from models.operations import Operation
from models.payments import Payment
from models.refunds import Refund
from providers.said import KeyedFact, SaidRefund

# When the provider is asked about a refund that no webhook spoke of.
CHECK_SECONDS = 120
OPEN = (State.PENDING_APPROVAL.value, State.PENDING.value, State.UNKNOWN.value)
_LATE = (PaymentStatus.FAILED, PaymentStatus.CANCELLED)


def hear(session: Session, payment: Payment, said: Sequence[SaidRefund], *, why: Why) -> list[str]:
    """Apply what was newly said of a locked payment's refunds. Gives a sentence for each.

    One that nobody here asked for is adopted, with a case: money has left without us.
    Writes: refunds, payments, orders, journal, exception_cases, event_log, audit_log. Emits: refund.*,
    payment.refunded, order.refunded, exception.opened. Transaction: caller's.
    """
    # What a batch has kept back is sent first, so that rows are counted as they are.
    pending.write_rows(session)
    sentences = []
    for each in said:
        refund = _find(session, payment, each) or _adopt(session, payment, each, why)
        sentences.append(_advance(session, payment, refund, each, why))
    recount(session, payment, why=why)
    return sentences


def _find(session: Session, payment: Payment, said: SaidRefund) -> Refund | None:
    """Find the refund by its name at the provider, else by our id that nothing else has answered to."""
    own = select(Refund).where(Refund.payment_id == payment.id).with_for_update()
    own = own.execution_options(populate_existing=True)
    named = own.where(Refund.provider_reference == said.reference)
    if (found := session.scalars(named).first()) is not None or said.refund_id is None:
        return found
    open_sent = own.where(
        Refund.id == said.refund_id,
        Refund.provider_reference.is_(None),
        Refund.amount_minor == said.amount.minor,
        Refund.state.in_((State.PENDING.value, State.UNKNOWN.value)),
    )
    return session.scalars(open_sent).first()


def _adopt(session: Session, payment: Payment, said: SaidRefund, why: Why) -> Refund:
    """Make a refund of what was given back without us, and let a person see it."""
    now = clock.now()
    refund = Refund(
        id=ids.new("ref"),
        payment_id=payment.id,
        order_id=payment.order_id,
        merchant_id=payment.merchant_id,
        rail=payment.rail,
        amount_minor=said.amount.minor,
        asset=payment.asset,
        state=State.PENDING.value,
        reason=f"Given back at {payment.provider.capitalize()}, outside Paydesk",
        provider_reference=said.reference,
        requested_by=payment.provider,
        requested_kind="provider",
        event_sequence=0,
        livemode=payment.livemode,
        demo=payment.demo,
        created_at=now,
        updated_at=now,
    )
    session.add(refund)
    session.flush()
    refund_events.tell(session, "refund.created", refund, payment, why=why)
    sentence = (
        f"{said.amount.major()} {said.amount.asset.code} of this payment was given back at"
        f" {payment.provider.capitalize()} as {said.reference}, outside Paydesk."
    )
    finding = Finding(
        "RECON_DIFFERENCE", said.reference, sentence, at_risk=said.amount, payment=payment
    )
    cases.open_case(session, finding, why=why)
    return refund


def _advance(session: Session, payment: Payment, refund: Refund, said: SaidRefund, why: Why) -> str:
    before = State(refund.state)
    to = refund_state(refund.state, [said.keyed.fact.kind])
    values: dict[str, object] = {"provider_reference": said.reference, "updated_at": clock.now()}
    if to == State.FAILED and before != State.FAILED:
        values["failure_reason"] = said.keyed.fact.code or "unknown"
    move_together(session, refund, moves={"refund": to.value}, values=values, why=why)
    if to == before:
        return f"refund stays {to}"
    if to == State.SUCCEEDED:
        _book(session, payment, refund, said.keyed, why)
        refund_events.tell(session, "refund.succeeded", refund, payment, why=why)
        _credit(session, payment, refund, EffectKind.CREDIT_NOTE, why)
        _write_to_payer(session, payment, refund, EffectKind.REFUND_LETTER, why)
    elif to == State.FAILED:
        _fail(session, payment, refund, before, why)
    return f"refund {before} → {to}"


def _credit(session: Session, payment: Payment, refund: Refund, kind: EffectKind, why: Why) -> None:
    """Have the worker write the credit note of a refund, or void it; no money waits for it."""
    if payment.order_id is not None:
        amount = Money(refund.amount_minor, asset(refund.asset))
        wanted = Wanted(kind, f"{kind}:{refund.id}", amount)
        effects.defer(session, payment, wanted, source=why.source)


def _write_to_payer(
    session: Session, payment: Payment, refund: Refund, kind: EffectKind, why: Why
) -> None:
    if kinds.hears(payment):
        amount = Money(refund.amount_minor, asset(refund.asset))
        wanted = Wanted(kind, f"{kind}:{refund.id}", amount)
        effects.defer(session, payment, wanted, source=why.source)


def _book(session: Session, payment: Payment, refund: Refund, fact: KeyedFact, why: Why) -> None:
    """Post what was given back, by the way it had come: once, under the key of the provider's fact."""
    amount = Money(refund.amount_minor, asset(refund.asset))
    clearing = accounts.clearing(payment.provider)
    if payment.status in _LATE:
        movements = [ledger.Movement(accounts.unapplied(payment.id), clearing, amount)]
    else:
        funds = accounts.buyer_funds(payment.buyer_id, payment.id)
        movements = [ledger.Movement(funds, clearing, amount)]
        if payment.order_id:
            hold = accounts.escrow_hold(payment.order_id, payment.merchant_id)
            movements.insert(0, ledger.Movement(hold, funds, amount))
        movements = wallet_debits.movements(payment, amount) + movements
    ledger.post(
        session,
        "refund",
        movements=movements,
        source_key=fact.key,
        source=why.source,
        ties=receipts.ties(payment, reference=refund.provider_reference),
        note=f"Refund {refund.id}",
        effective_at=fact.fact.said_at,
    )
    wallet_debits.tell_taken(session, payment, refund, why=why)


def _fail(session: Session, payment: Payment, refund: Refund, before: State, why: Why) -> None:
    """Note that money was not given back after all; what was booked of it is reversed."""
    if before == State.SUCCEEDED:
        note = f"{refund.id} failed after it had succeeded: {refund.failure_reason}"
        ledger.reverse(session, _entry_of(session, payment, refund), source=why.source, note=note)
        _credit(session, payment, refund, EffectKind.CREDIT_NOTE_VOID, why)
        _write_to_payer(session, payment, refund, EffectKind.REFUND_FAILED_LETTER, why)
        wallet_debits.tell_put_back(session, payment, refund, why=why)
    amount = Money(refund.amount_minor, asset(refund.asset))
    sentence = (
        f"The refund of {amount.major()} {amount.asset.code} failed: {refund.failure_reason}."
        " The payer does not have the money."
    )
    finding = Finding("REFUND_FAILED", refund.id, sentence, at_risk=amount, payment=payment)
    cases.open_case(session, finding, why=why)
    refund_events.tell(session, "refund.failed", refund, payment, why=why)


def _entry_of(session: Session, payment: Payment, refund: Refund) -> str:
    pending.write_rows(session)
    key = f"{payment.provider}:{refund.provider_reference}:refund_succeeded"
    entry_id = session.scalar(select(JournalEntry.id).where(JournalEntry.source_key == key))
    if entry_id is None:
        raise LostRace
    return entry_id


def unknown(session: Session, operation: Operation, *, why: Why) -> None:
    """Note on a refund that nobody knows whether it was sent, unless the provider has spoken of it.

    Writes: refunds, state_changes. Transaction: caller's, with the payment locked.
    """
    refund = _of(session, operation)
    if refund.state == State.PENDING and refund.provider_reference is None:
        values: dict[str, object] = {"updated_at": clock.now()}
        moves = {"refund": State.UNKNOWN.value}
        move_together(session, refund, moves=moves, values=values, why=why)


def refused(
    session: Session, operation: Operation, payment: Payment, code: str, message: str, *, why: Why
) -> None:
    """End a refund that the provider refused or never had; what was set aside is free again.

    Writes, emits: as `hear`. Transaction: caller's, with the payment locked.
    """
    refund = _of(session, operation)
    if refund.provider_reference is not None or refund.state not in OPEN:
        return
    before = State(refund.state)
    values: dict[str, object] = {"failure_reason": code, "updated_at": clock.now()}
    told = Why(why.actor, why.source, message[:500])
    move_together(session, refund, moves={"refund": State.FAILED.value}, values=values, why=told)
    _fail(session, payment, refund, before, told)
    recount(session, payment, why=why)


def _of(session: Session, operation: Operation) -> Refund:
    statement = select(Refund).where(Refund.operation_id == operation.id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def recount(session: Session, payment: Payment, *, why: Why) -> None:
    """Count a locked payment's totals from its refunds, and move it and its order to what they say.

    What is asked back never counts for more than is left: what was given back elsewhere comes first.
    Writes: payments, orders, state_changes, event_log. Emits: payment.refunded, order.refunded.
    Transaction: caller's.
    """
    pending.write_rows(session)
    back = _total(session, payment, (State.SUCCEEDED.value,))
    if back > payment.received_minor:
        _tell_too_much(session, payment, back, why)
        back = payment.received_minor
    asked = min(_total(session, payment, OPEN), payment.received_minor - back)
    before, status = payment.refunded_minor, payment.status
    stood = payment_events.snapshot(payment)
    values: dict[str, object] = {"refunded_minor": back, "refunding_minor": asked}
    values["updated_at"] = clock.now()
    if asked or back != before:
        values["check_due_at"] = clock.after(ids.jittered(CHECK_SECONDS))
    if back != before:
        values["event_sequence"] = payment.event_sequence + 1
    moves = _moves(payment, is_all_back=back == payment.received_minor > 0)
    move_together(session, payment, moves=moves, values=values, why=why)
    pending.write_rows(session)
    if back == before:
        return
    rows = [refund_events.payment_row(payment, status, why=why)]
    rows += order_progress.give_back(session, payment, why=why)
    rows += payment_events.transaction_rows(session, payment, stood, why=why)
    rows += entitlement.follow_refund(session, payment, why=why)
    events.append(session, rows)
    pending.write_rows(session)


def _total(session: Session, payment: Payment, states: Sequence[str]) -> int:
    statement = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
        Refund.payment_id == payment.id, Refund.state.in_(states)
    )
    return int(session.scalar(statement) or 0)


def _moves(payment: Payment, *, is_all_back: bool) -> dict[str, str]:
    """Say where a payment stands by what was given back of it; one that had ended stays ended."""
    to = PaymentStatus.REFUNDED if is_all_back else PaymentStatus.COMPLETED
    if payment.status not in (PaymentStatus.COMPLETED, PaymentStatus.REFUNDED):
        return {}
    moves = {"payment": to.value}
    if payment.escrow_state in (Escrow.FUNDED, Escrow.REFUNDED):
        moves["escrow"] = (Escrow.REFUNDED if is_all_back else Escrow.FUNDED).value
    return moves


def _tell_too_much(session: Session, payment: Payment, back: int, why: Why) -> None:
    of = asset(payment.asset)
    ours, theirs = Money(payment.received_minor, of), Money(back, of)
    finding = Finding(
        "RECON_DIFFERENCE",
        f"refunds:{payment.id}:{back}",
        f"{theirs.major()} {of.code} was given back of {ours.major()} received.",
        expected=ours.major(),
        found=theirs.major(),
        at_risk=theirs - ours,
        payment=payment,
    )
    cases.open_case(session, finding, why=why)
