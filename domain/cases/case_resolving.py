"""Settling a case by a verb, once: in one transaction with what the verb does, or as a request of two."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.case_kinds import Verb
from core.errors import AppError, Conflict, Forbidden, invalid
from core.money import Money
from core.money_out import Act
from core.states import Case as State
from core.strictjson import Json
from domain.actors import Actor
from domain.cases import case_acts, case_events, case_queries, case_subjects, case_verbs
from domain.cases.case_subjects import Subject
from domain.cases.case_verbs import Call, Deed, Doing, Plan, Refusal, Wanted
from domain.control import freezes
from domain.control.warrants import Content
from domain.orders import order_progress, release_holds
from domain.payments import operations
from domain.transitions import Why, move_together
from models.cases import ExceptionCase
from models.control import Approval
from models.inbound import InboundEvent
from models.payments import Payment

_REFUNDS = (Verb.REFUND_DIFFERENCE, Verb.REFUND_ALL)


@dataclass(frozen=True)
class Resolved:
    """What became of a case. approval: it waits for a second person; call: a provider is to be asked."""

    case: ExceptionCase
    approval: Approval | None = None
    call: Call | None = None


def resolve(
    session: Session, case_id: str, wanted: Wanted, *, actor: Actor, source: str
) -> Resolved:
    """Settle a case by a verb, or ask for it where two must agree.

    1. whose role may; 2. lock what it is about, then the case; 3. once: the same decision again finds
    what it did; 4. the verb fits, and moves what the person was shown; 5. do it; 6. the case follows.
    Writes, Emits: as the verb, exception_cases, exception.resolved or exception.assigned.
    Raises: NotFound, Forbidden, InvalidInput, Frozen, Conflict (INVALID_TRANSITION, VERB_NOT_ALLOWED),
    what the verb raises. Transaction: caller's; `call` is made after its commit.
    """
    seen = case_queries.get_case(session, case_id, actor=actor)
    if not case_verbs.may(actor, wanted.verb):
        raise Forbidden("Your role does not settle cases this way.")
    _assert_sound(wanted)
    case = _lock_all(session, seen, wanted, actor=actor)
    if (same := _done_before(session, case, wanted, actor)) is not None:
        return same
    if case.state == State.RESOLVED.value:
        raise case_acts.resolved_already(case)
    subject = case_subjects.load_one(session, case)
    plan = _plan(subject, wanted, actor)
    why = Why(actor, source, wanted.note)
    deed = case_verbs.kind(wanted.verb).do(session, Doing(subject, plan, wanted, actor, why))
    if deed.approval is not None:
        _wait(session, case, deed.approval, wanted=wanted, deed=deed, why=why)
    else:
        _settle(session, case, wanted=wanted, deed=deed, why=why)
    return Resolved(case, deed.approval, deed.call)


def make_call(done: Resolved) -> None:
    """Ask a provider what a verb has left to be asked, after the commit; the janitor does it otherwise.

    Calls: the provider. Transaction: opens its own.
    """
    if done.call is None:
        return
    with suppress(AppError):
        operations.finish_now(done.call.operation, done.call.payment, done.call.fence)


def _assert_sound(wanted: Wanted) -> None:
    if not 0 < len(wanted.note) <= case_acts.LONGEST_NOTE:
        raise invalid("note", "Say why in a few words.")
    if wanted.payment_id is not None and wanted.verb != Verb.LINK:
        raise invalid("paymentId", "Only a link names a payment.")
    if wanted.verb == Verb.LINK and wanted.payment_id is None:
        raise invalid("paymentId", "Say to which payment the event belongs.")
    if wanted.order_id is not None and wanted.verb != Verb.LINK:
        raise invalid("orderId", "Only a link names an order.")


def _lock_all(
    session: Session, seen: ExceptionCase, wanted: Wanted, *, actor: Actor
) -> ExceptionCase:
    """Lock in the one order that everybody keeps: freezes' gate, event, payment, order, case."""
    payment = session.get(Payment, seen.payment_id) if seen.payment_id else None
    if wanted.verb in _REFUNDS and payment is not None:
        _pass_gate(session, payment)
    if wanted.verb == Verb.LINK and seen.inbound_id is not None:
        event = select(InboundEvent.id).where(InboundEvent.id == seen.inbound_id)
        session.execute(event.with_for_update())
    payment_id = wanted.payment_id or seen.payment_id
    if payment_id is not None:
        statement = select(Payment).where(Payment.id == payment_id)
        locked = statement.with_for_update(key_share=True)
        payment = session.scalars(locked.execution_options(populate_existing=True)).first()
        _assert_named_order(payment, wanted)
        if payment is not None and payment.order_id is not None:
            order_progress.lock_order(session, payment.order_id)
    return case_acts.lock(session, seen.id, actor=actor)


def _pass_gate(session: Session, payment: Payment) -> None:
    """Hear of a freeze before any lock is held: whoever engages one waits for us, not we for them."""
    about = Content(
        Act.REFUND,
        object_kind="payment",
        object_id=payment.id,
        text="",
        rail=payment.rail,
        merchant_id=payment.merchant_id,
        order_id=payment.order_id,
    )
    freezes.assert_open(session, about)


def _assert_named_order(payment: Payment | None, wanted: Wanted) -> None:
    if payment is None:
        raise invalid("paymentId", "There is no such payment.")
    if wanted.order_id is not None and payment.order_id != wanted.order_id:
        raise invalid("orderId", "That payment belongs to another order.")


def _done_before(
    session: Session, case: ExceptionCase, wanted: Wanted, actor: Actor
) -> Resolved | None:
    """Find what this very decision did when it came first, such as before a lost answer."""
    said = case.resolution or {}
    if wanted.once_key is None or said.get("once") != _once(wanted, actor):
        return None
    approval = session.get(Approval, case.approval_id) if case.approval_id else None
    is_waiting = case.state != State.RESOLVED.value
    return Resolved(case, approval if is_waiting else None)


def _once(wanted: Wanted, actor: Actor) -> str | None:
    return None if wanted.once_key is None else f"{actor.id}:{wanted.verb}:{wanted.once_key}"


def _plan(subject: Subject, wanted: Wanted, actor: Actor) -> Plan:
    plan = case_verbs.answer(subject, wanted.verb)
    if isinstance(plan, Refusal):
        allowed: list[str] = [verb.value for verb in case_verbs.allowed(subject, actor)]
        details = {"verb": wanted.verb.value, "why": plan.why, "allowedVerbs": allowed}
        raise Conflict(plan.why, code="VERB_NOT_ALLOWED", details=details)
    if wanted.amount is not None and wanted.amount != plan.amount:
        said = _said(plan.amount) if plan.amount else "nothing"
        raise Conflict(
            f"This would move {said}, not {_said(wanted.amount)}. Look at it again.",
            details={"amount": plan.amount.major() if plan.amount else None},
        )
    return plan


def _said(amount: Money) -> str:
    return f"{amount.major()} {amount.asset.code}"


def _remembered(wanted: Wanted, deed: Deed, actor: Actor) -> dict[str, Json]:
    said: dict[str, Json] = {"verb": wanted.verb.value, "note": wanted.note, "askedBy": actor.id}
    if (once := _once(wanted, actor)) is not None:
        said["once"] = once
    return said | deed.result


def _wait(
    session: Session,
    case: ExceptionCase,
    approval: Approval,
    *,
    wanted: Wanted,
    deed: Deed,
    why: Why,
) -> None:
    """Leave the case with whoever asked, until a second person has decided."""
    values: dict[str, object] = {
        "owner_id": why.actor.id if why.actor.kind == "user" else case.owner_id,
        "approval_id": approval.id,
        "resolution": _remembered(wanted, deed, why.actor),
    }
    move_together(session, case, moves={"case": State.ASSIGNED.value}, values=values, why=why)
    after: dict[str, Json] = {
        "owner": case.owner_id,
        "asked": wanted.verb.value,
        "approvalId": approval.id,
    }
    case_events.tell(session, "exception.assigned", case, why=why, after=after)


def _settle(session: Session, case: ExceptionCase, *, wanted: Wanted, deed: Deed, why: Why) -> None:
    remembered = _remembered(wanted, deed, why.actor)
    values: dict[str, object] = deed.columns | {
        "verb": wanted.verb.value,
        "resolved_at": clock.now(),
        "resolved_by": why.actor.id,
        "resolution": remembered,
    }
    move_together(session, case, moves={"case": State.RESOLVED.value}, values=values, why=why)
    kept = {name: value for name, value in deed.result.items() if name != "verdict"}
    after: dict[str, Json] = {"verb": case.verb} | kept
    case_events.tell(session, "exception.resolved", case, why=why, after=after)
    release_holds.case_settled(session, case.id, why=why)
