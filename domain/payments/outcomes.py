"""What a provider's answer to an operation means for the payment: made, refused, ended."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock
from core.errors import AppError, PaymentDeclined
from core.fold import VALIDATED, Fact
from core.purposes import ONE_SHOT
from core.states import OPEN_PAYMENT, PaymentSub
from core.states import Payment as Status
from domain import events
from domain.inbox import inbox, workset
from domain.payments import calls, coupon_uses, letting_go, payment_events, settlement
from domain.refunds import refund_settlement
from domain.secrets import keyring
from domain.transitions import Why, move, move_together
from models.operations import Operation
from models.payments import Payment
from providers.new_payment import Created
from providers.said import KeyedFact, Reading

# What an attempt that was to be ended may turn out to have come to.
_PROVED = frozenset({"succeeded", "authorized", VALIDATED})
# When the janitor first asks about a payment that no webhook spoke of.
FIRST_CHECK_SECONDS = 120


def succeeded(
    session: Session,
    operation: Operation,
    payment: Payment,
    answer: Created | Reading,
    *,
    why: Why,
) -> None:
    """Take over what the provider made or says now.

    Writes: payments, provider_references and what settlement does. Emits: transaction.updated and what
    settlement does. Transaction: caller's.
    """
    if isinstance(answer, Created):
        before = payment_events.snapshot(payment)
        _take_over(session, operation, payment, answer, why)
        made = payment_events.snapshot(payment)
        settlement.apply(session, payment, answer.reading, why=why)
        if payment_events.snapshot(payment) == made:
            _tell_waiting(session, payment, before, why)
        return
    reading = answer
    if operation.kind == "expire":
        reading = Reading(references=answer.references, facts=(_expired(payment),))
        if any(keyed.fact.kind in _PROVED for keyed in answer.facts):
            reading = answer
    if operation.kind == "refund" and answer.refunds:
        operation.provider_reference = answer.refunds[0].reference
    settlement.apply(session, payment, reading, why=why)


def unknown(session: Session, operation: Operation, payment: Payment, *, why: Why) -> None:
    """Note that nobody knows what became of a call: on the refund it asks for, else on the payment.

    Writes: refunds or payments, state_changes. Transaction: caller's.
    """
    if operation.kind == "refund":
        refund_settlement.unknown(session, operation, why=why)
    elif operation.kind in calls.OF_DISPUTES:
        # The operation itself says so; where the payment stands does not hang on it.
        return
    elif payment.sub_state in (PaymentSub.NONE, PaymentSub.REQUIRES_PAYMENT_METHOD):
        before = payment_events.snapshot(payment)
        move(session, "payment_sub", payment, to=PaymentSub.UNKNOWN_OUTCOME, why=why)
        _tell_waiting(session, payment, before, why)


def _tell_waiting(
    session: Session, payment: Payment, before: payment_events.Snapshot, why: Why
) -> None:
    """Tell whoever waits for a transaction that it moved, where settling has told nothing of it."""
    events.append(session, payment_events.transaction_rows(session, payment, before, why=why))


def _expired(payment: Payment) -> KeyedFact:
    return KeyedFact(f"paydesk:{payment.id}:expired", Fact("expired", clock.now(), code="expired"))


def _take_over(
    session: Session, operation: Operation, payment: Payment, created: Created, why: Why
) -> None:
    operation.provider_reference = created.reference
    values: dict[str, object] = {
        "provider_reference": created.reference,
        "hosted_url": created.hosted_url or payment.hosted_url,
        "updated_at": clock.now(),
    }
    if payment.status in OPEN_PAYMENT:
        values["check_due_at"] = clock.after(FIRST_CHECK_SECONDS)
    if created.client_secret:
        place = f"payments|client_secret|{payment.id}"
        values["client_secret_sealed"] = keyring.seal_text(
            created.client_secret, purpose="client_secret", place=place
        )
    if created.expires_at:
        values["expires_at"] = created.expires_at
    # One try of a kept card waits for no other card; what it says of itself comes next.
    waits = payment.sub_state in (PaymentSub.UNKNOWN_OUTCOME, PaymentSub.NONE)
    waits = waits and payment.purpose not in ONE_SHOT
    moves = {}
    if waits and payment.status in OPEN_PAYMENT:
        # Nobody pays a coupon's invoice, and a kept card is charged at once: they only wait to be settled.
        waits_for_none = payment.method == "invoice" or payment.method_id is not None
        next_ = PaymentSub.NONE if waits_for_none else PaymentSub.REQUIRES_PAYMENT_METHOD
        moves = {"payment_sub": next_.value}
    move_together(session, payment, moves=moves, values=values, why=why)
    kind = workset.NAMED_BY[payment.method]
    settlement.link_reference(session, payment, payment.provider, created.reference, kind)
    coupon_uses.note_invoice(session, payment, created.reference)
    inbox.rematch(session, [created.reference])


def refused(
    session: Session, operation: Operation, payment: Payment, error: AppError, *, why: Why
) -> None:
    """End a payment or a refund whose creation the provider refused; a refused cancel changes nothing.

    Writes: payments and what settlement does. Emits: payment.failed, refund.failed.
    Transaction: caller's.
    """
    if operation.kind == "refund":
        said = error.provider.code if error.provider else None
        refund_settlement.refused(
            session, operation, payment, said or error.code, error.message, why=why
        )
        return
    if operation.kind == letting_go.KIND:
        letting_go.refused(session, operation, payment, error, why=why)
    if operation.kind not in calls.CREATES:
        _ask_soon(session, payment, why)
        return
    code = error.provider.code if error.provider else None
    fact = Fact("failed", clock.now(), code=code or error.code, message=error.message[:500])
    keyed = KeyedFact(f"paydesk:{payment.id}:refused:{operation.id}", fact)
    settlement.apply(session, payment, Reading(facts=(keyed,)), why=why)
    if isinstance(error, PaymentDeclined) and error.provider and error.provider.reference:
        _name_declined(session, operation, payment, error.provider.reference, why)


def _name_declined(
    session: Session, operation: Operation, payment: Payment, reference: str, why: Why
) -> None:
    """Remember what the provider made although the card was declined: it is still open there."""
    operation.provider_reference = reference
    values: dict[str, object] = {"provider_reference": reference, "updated_at": clock.now()}
    if payment.status == Status.FAILED and payment.purpose in ONE_SHOT:
        values["check_due_at"] = clock.now()
    move_together(session, payment, moves={}, values=values, why=why)
    settlement.link_reference(session, payment, payment.provider, reference, "intent")
    inbox.rematch(session, [reference])


def _ask_soon(session: Session, payment: Payment, why: Why) -> None:
    """Have the janitor ask how an open payment stands: a refused act says that it is not as we believed.

    It is not unknown any longer whether the act was done.
    """
    if payment.status not in OPEN_PAYMENT:
        return
    before, moves = payment_events.snapshot(payment), {}
    if payment.sub_state == PaymentSub.UNKNOWN_OUTCOME:
        moves = {"payment_sub": settlement.folded(session, payment).sub.value}
    move_together(session, payment, moves=moves, values={"check_due_at": clock.now()}, why=why)
    _tell_waiting(session, payment, before, why)


def absent(session: Session, operation: Operation, payment: Payment, *, why: Why) -> None:
    """End a payment or a refund of which it is proved that the provider never made anything.

    Writes: payments and what settlement does. Transaction: caller's.
    """
    if operation.kind == "refund":
        said = "It never reached the provider."
        refund_settlement.refused(session, operation, payment, "never_created", said, why=why)
        return
    fact = Fact(
        "failed", clock.now(), code="never_created", message="It never reached the provider."
    )
    keyed = KeyedFact(f"paydesk:{payment.id}:absent:{operation.id}", fact)
    settlement.apply(session, payment, Reading(facts=(keyed,)), why=why)
