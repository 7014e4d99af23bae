"""Starting again after an attempt that ended unpaid: a new one that supersedes it, which is never revived."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Conflict, IllegalTransition
from core.money import Money, asset
from core.states import Payment as Status
from core.strictjson import Json
from domain.actors import Actor
from domain.payments import calls, intents, operations
from domain.payments.captures import UNFINISHED
from domain.payments.intents import Begun, PaymentWanted
from domain.payments.payments import get_payment
from domain.transitions import Why, move_together
from models.operations import Operation
from models.payments import Payment
from providers import registry


def provider_of(rail: str | None, payment: Payment) -> str:
    """Give the provider to start again with: of the rail that was asked for, else the same one.

    Raises: RailNotConfigured
    """
    if rail is None or rail == payment.rail:
        return payment.provider
    return registry.of_rail(rail, livemode=payment.livemode).name


def like(
    session: Session, payment: Payment, *, provider: str, reference: str | None = None
) -> PaymentWanted:
    """Ask for the same again: what the first creation asked for, on the same kind of page."""
    first = operations.find_by_key(session, f"create:{payment.id}")
    said = first.request if first is not None else {}
    success, cancel = calls.text_of(said.get("successUrl")), calls.text_of(said.get("cancelUrl"))
    meta: dict[str, Json] = dict(payment.meta)
    is_same = success is not None and payment.method in registry.get(provider).methods
    method = payment.method if is_same else intents.usual_method(provider)
    return PaymentWanted(
        str(payment.order_id),
        purpose=payment.purpose,
        method=method,
        provider=provider,
        capture_method=calls.text_of(said.get("captureMethod")) or "automatic",
        reference=reference or payment.reference,
        metadata=meta,
        success_url=success,
        cancel_url=cancel,
        supersedes=payment.id,
        return_url=calls.text_of(said.get("returnUrl")),
    )


def begin(
    session: Session,
    payment_id: str,
    *,
    actor: Actor,
    source: str,
    rail: str | None = None,
    reference: str | None = None,
) -> Begun:
    """Start the attempt that follows a failed or expired one, or take up the one that does already.

    One attempt follows each: whoever asks again gets the same one while it is open.
    Writes: payments, operations, event_log, audit_log. Emits: payment.created.
    Raises: NotFound, IllegalTransition, Conflict, RailNotConfigured, LostRace, and as `intents.begin`.
    Transaction: caller's; the provider is called after its commit.
    """
    payment = get_payment(session, payment_id, actor=actor)
    statement = select(Payment).where(Payment.id == payment.id).with_for_update(key_share=True)
    payment = session.scalars(statement.execution_options(populate_existing=True)).one()
    if payment.superseded_by_id is not None:
        return _take_up(session, payment.superseded_by_id)
    if (why_not := refusal(payment)) is not None:
        raise why_not
    provider = provider_of(rail, payment)
    wanted = like(session, payment, provider=provider, reference=reference)
    return follow(session, payment, wanted, why=Why(actor, source))


def refusal(payment: Payment) -> Conflict | None:
    """Say why an attempt cannot be followed by another one; None when it can.

    The states come first: only what ended unpaid, by a refusal or by time, is started again.
    """
    if payment.order_id is None:
        return Conflict("It pays no order; confirm a new transaction instead.", code=_ILLEGAL)
    if payment.status != Status.FAILED:
        found = IllegalTransition("payment", payment.status, "started again")
        found.message = (
            f"The payment is {payment.status}; only one that failed or expired is started again."
        )
        return found
    gone = payment.refunded_minor + payment.credited_minor + payment.reversed_minor
    kept = payment.received_minor - gone
    if kept > 0:
        late = Money(kept, asset(payment.asset))
        return Conflict(
            f"{late.major()} {late.asset.code} arrived for it after its end and is still here."
            " Its case decides about that money first.",
            code=_ILLEGAL,
        )
    return None


_ILLEGAL = IllegalTransition.code


def follow(session: Session, payment: Payment, wanted: PaymentWanted, *, why: Why) -> Begun:
    """Begin the attempt that supersedes a locked payment, and name it there.

    When the order has an open attempt of that purpose already, it is given as it is.
    Writes, Emits, Raises: as `intents.begin`. Transaction: caller's, with the payment locked.
    """
    begun = intents.begin(session, wanted, actor=why.actor, source=why.source)
    if begun.is_new:
        later: dict[str, object] = {"superseded_by_id": begun.payment.id}
        move_together(session, payment, moves={}, values=later, why=why)
        _send_back_to(begun.payment, payment, begun.operation)
    return begun


def _send_back_to(new: Payment, old: Payment, operation: Operation) -> None:
    """Send the payer back to the new attempt's own page where the old one had sent them to its own."""
    own, said = f"/pay/{old.public_id}/return", dict(operation.request)
    for name in ("successUrl", "cancelUrl"):
        url = calls.text_of(said.get(name))
        if url is not None and url.endswith(own):
            said[name] = f"{url.removesuffix(own)}/pay/{new.public_id}/return"
    operation.request = said


def _take_up(session: Session, payment_id: str) -> Begun:
    """Go on with the attempt that follows, as long as it can be paid."""
    payment = session.get_one(Payment, payment_id)
    operation = session.scalars(
        select(Operation).where(Operation.business_key == f"create:{payment_id}")
    ).one()
    if payment.open_key is None:
        raise Conflict(
            "A later attempt follows it already.",
            code=_ILLEGAL,
            details={"paymentId": payment.id, "link": f"/api/payments/{payment.id}"},
        )
    if operation.state in UNFINISHED:
        return Begun(payment, operation, operations.take(session, operation), is_new=False)
    return Begun(payment, operation, None, is_new=False)
