"""Link: say to which payment an event belongs that found none, and apply it as the inbox would have."""

from __future__ import annotations

from sqlalchemy.orm import Session, undefer

from core import clock
from core.case_kinds import Verb
from core.errors import Conflict, UnmappedProviderValue, invalid
from core.money import asset
from core.states import Inbound
from domain import pending
from domain.cases.case_subjects import Subject
from domain.cases.case_verbs import Answer, Deed, Doing, Kind, Plan, Refusal
from domain.inbox import inbox, workset
from domain.payments import settlement
from domain.payments.payments import get_payment
from domain.transitions import Why, move_together
from models.inbound import InboundEvent
from models.payments import Payment
from providers.deliveries import UnreadableDelivery
from providers.said import Reading


def _plan(subject: Subject) -> Answer:
    row = subject.inbound
    if row is None:
        return Refusal("This case has no event to link.")
    if row.state != Inbound.UNMATCHED.value:
        return Refusal(f"The event is {row.state.replace('_', ' ')} by now.")
    name = row.object_reference or "without a name"
    effects = [
        f"The event {row.type} of {name} is applied to the payment that you choose.",
        "Money that it tells of is booked there at once, as if the provider had named it.",
        "What comes later for the same reference follows it.",
    ]
    return Plan(effects)


def _do(session: Session, doing: Doing) -> Deed:
    """Give the provider's name to the payment, then apply the event by the inbox's own path.

    An event for which the provider must be asked first is applied by the worker at once.
    Writes: provider_references and what `inbox.apply` does. Raises: InvalidInput, NotFound,
    Conflict. Transaction: caller's, with event, payment and order locked.
    """
    if doing.wanted.payment_id is None:
        raise invalid("paymentId", "Say to which payment the event belongs.")
    found = doing.subject.inbound
    assert found is not None  # the plan was made of it
    row = session.get_one(
        InboundEvent,
        found.id,
        options=[undefer(InboundEvent.body_sealed)],
        populate_existing=True,
    )
    payment = get_payment(session, doing.wanted.payment_id, actor=doing.actor)
    reading = _read(row)
    _assert_fits(session, row, payment, reading)
    for reference in reading.references:
        settlement.link_reference(session, payment, row.provider, reference, "linked")
    pending.write_rows(session)
    why = Why(doing.actor, f"inbound:{row.id}", doing.wanted.note, is_replay=True)
    verdict = _apply(session, row, reading, payment, why)
    inbox.rematch(session, reading.references)
    columns: dict[str, object] = {
        "payment_id": payment.id,
        "order_id": payment.order_id,
        "merchant_id": payment.merchant_id,
        "demo": payment.demo,
    }
    return Deed({"paymentId": payment.id, "verdict": verdict}, columns=columns)


def _read(row: InboundEvent) -> Reading:
    try:
        reading = inbox.read(row)
    except (UnreadableDelivery, UnmappedProviderValue) as error:
        raise Conflict(f"The event cannot be read: {error}") from error
    if not reading.references:
        raise Conflict("The event names nothing that could be linked.")
    return reading


def _assert_fits(session: Session, row: InboundEvent, payment: Payment, reading: Reading) -> None:
    """Check that a payment can take an event of this name without hiding money of its own.

    What a payment received is the largest sum that was told of it, so two names that both may
    bring money never share one. Raises: Conflict
    """
    if payment.provider != row.provider or payment.livemode != (row.mode == "live"):
        raise Conflict("That payment is another provider's, or of the other mode.")
    code = asset(payment.asset).code
    if reading.asset_code is not None and reading.asset_code != code:
        raise Conflict(f"The event speaks of {reading.asset_code}, the payment is in {code}.")
    if payment.received_minor:
        raise Conflict("That payment has received money of its own; this is another receipt.")
    own = payment.provider_reference
    names = workset.references_of(session, payment)
    if own in reading.references or names & set(reading.references):
        return
    if payment.status in ("failed", "cancelled") or own is None:
        return
    if payment.method == "checkout" and not any(name.startswith("pi_") for name in names):
        return
    raise Conflict(
        "That payment can still be paid under its own reference. Cancel it first;"
        " the linked money is then booked as paid late."
    )


def _apply(
    session: Session, row: InboundEvent, reading: Reading, payment: Payment, why: Why
) -> str:
    if reading.fetch is not None:
        move_together(session, row, moves={}, values={"due_at": clock.now()}, why=why)
        return "the provider is asked, then it is applied"
    verdict = inbox.apply(session, row, reading, why=why, waits=True)
    if row.payment_id != payment.id:
        raise Conflict("The event belongs to another payment by its own name.")
    return verdict


KINDS = {
    Verb.LINK: Kind("Link", "Say to which payment the event belongs.", _plan, _do),
}
