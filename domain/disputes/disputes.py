"""Answering a dispute: keeping a draft, handing evidence in once, giving it up with a second person.

What providers say of disputes is `domain/disputes/dispute_settlement.py`; the calls are `dispute_calls.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.disputes import ANSWERED, CLOSED, NEEDS_ANSWER
from core.errors import Conflict, IllegalTransition, NotFound, invalid
from core.money import Money, asset
from core.money_out import RULES, Act
from domain import audit, database
from domain.actors import Actor
from domain.control import money_out
from domain.control.warrants import Content, Warrant
from domain.disputes import dispute_calls, dispute_queries, evidence
from domain.disputes.evidence import Draft
from domain.payments import operations
from domain.secrets.person_keys import Whose
from domain.transitions import Why, move_together
from models.control import Approval
from models.disputes import Dispute
from models.operations import Operation
from models.payments import Payment
from providers import registry


@dataclass(frozen=True)
class Begun:
    """A hand-in about to be made. fence None: the bank has it already."""

    dispute: Dispute
    payment: Payment
    operation: Operation
    fence: int


def lock(session: Session, dispute_id: str, *, actor: Actor) -> tuple[Dispute, Payment]:
    """Load a dispute that the actor may see, and its payment, for change; the payment first.

    Raises: NotFound. Transaction: caller's.
    """
    seen, _ = dispute_queries.get_dispute(session, dispute_id, actor=actor)
    return _lock(session, seen.id)


def _lock(session: Session, dispute_id: str) -> tuple[Dispute, Payment]:
    payment_id = session.scalar(select(Dispute.payment_id).where(Dispute.id == dispute_id))
    if payment_id is None:
        raise NotFound
    statement = select(Payment).where(Payment.id == payment_id).with_for_update(key_share=True)
    payment = session.scalars(statement.execution_options(populate_existing=True)).one()
    own = select(Dispute).where(Dispute.id == dispute_id).with_for_update()
    return session.scalars(own.execution_options(populate_existing=True)).one(), payment


def why_not_answer(dispute: Dispute) -> Conflict | None:
    """Say why a dispute cannot be answered any more, or None while the bank waits for it."""
    if dispute.status in CLOSED:
        return IllegalTransition("dispute", dispute.status, "under_review")
    if dispute.evidence_submitted_at is not None or dispute.status in ANSWERED:
        said = "Evidence was handed in already; the bank takes it once."
        return Conflict(said, code="EVIDENCE_ALREADY_SUBMITTED")
    if dispute.evidence_due_at is not None and dispute.evidence_due_at <= clock.now():
        due = clock.rfc3339(dispute.evidence_due_at)
        said = "The bank's deadline has passed; it takes nothing any more."
        return Conflict(said, code="EVIDENCE_DUE_PASSED", details={"evidenceDueAt": due})
    return None


def _assert_answerable(session: Session, dispute: Dispute) -> None:
    if (refused := why_not_answer(dispute)) is not None:
        raise refused
    if (running := under_way(session, dispute)) is not None:
        said = "The evidence is being sent right now."
        if running.kind == dispute_calls.CLOSE:
            said = "The dispute is being given up right now."
        raise Conflict(said, details={"operationId": running.id})


def under_way(session: Session, dispute: Dispute) -> Operation | None:
    """Find what the provider is being asked for a dispute now. Transaction: caller's, reads only."""
    rows = dispute_queries.operations_of(session, dispute)
    return next((row for row in rows if row.state in operations.UNFINISHED), None)


def save(
    session: Session, dispute_id: str, draft: Draft, *, actor: Actor, source: str
) -> tuple[Dispute, Payment]:
    """Keep evidence as a draft, sealed; nothing is sent.

    Writes: disputes, audit_log. Raises: NotFound, InvalidInput, Conflict (EVIDENCE_DUE_PASSED,
    EVIDENCE_ALREADY_SUBMITTED, INVALID_TRANSITION). Transaction: caller's.
    """
    dispute, payment = lock(session, dispute_id, actor=actor)
    _assert_answerable(session, dispute)
    evidence.assert_sound(session, dispute, draft)
    _keep(session, dispute, draft, "dispute.draft", actor=actor, source=source)
    return dispute, payment


def _keep(
    session: Session, dispute: Dispute, draft: Draft, action: str, *, actor: Actor, source: str
) -> None:
    if evidence.open_draft(dispute) != draft:
        payer_id = session.get_one(Payment, dispute.payment_id).buyer_id
        whose = Whose(payer_id) if payer_id is not None else None
        values: dict[str, object] = {
            "evidence_sealed": evidence.seal(session, whose, dispute.id, draft),
            "updated_at": clock.now(),
        }
        move_together(session, dispute, moves={}, values=values, why=Why(actor, source))
    audit.write(
        session,
        action,
        actor=actor,
        object_kind="dispute",
        object_id=dispute.id,
        source=source,
        after={
            "paymentId": dispute.payment_id,
            "characters": {name: len(text) for name, text in draft.texts.items()},
            "fileIds": list(draft.file_ids),
        },
    )


def begin_submission(
    session: Session, dispute_id: str, draft: Draft, *, actor: Actor, source: str
) -> Begun:
    """Write down that evidence is handed in, leased to this caller, who asks the provider after the commit.

    What is sent stays as it is until the provider has answered: no draft is taken meanwhile, and whoever
    sends the very same takes up the call that was not finished.
    Writes: disputes, operations, audit_log. Raises: as `save`; InvalidInput when there is nothing to
    hand in, LostRace, RailNotConfigured. Transaction: caller's.
    """
    dispute, payment = lock(session, dispute_id, actor=actor)
    running = under_way(session, dispute)
    if running is not None and _is_same(dispute, running, draft):
        return Begun(dispute, payment, running, operations.take(session, running))
    _assert_answerable(session, dispute)
    evidence.assert_sound(session, dispute, draft)
    if draft.is_empty:
        raise invalid("uncategorizedText", "Write what the bank should know, or add a file.")
    registry.configured(payment.provider, livemode=payment.livemode)
    _keep(session, dispute, draft, "dispute.submit", actor=actor, source=source)
    operation = _prepare(session, dispute, payment, dispute_calls.EVIDENCE, actor=actor)
    return Begun(dispute, payment, operation, operation.fence)


def _is_same(dispute: Dispute, running: Operation, draft: Draft) -> bool:
    """Tell whether the very same evidence is on its way: whoever asks again takes it up."""
    return running.kind == dispute_calls.EVIDENCE and evidence.open_draft(dispute) == draft


def _prepare(
    session: Session,
    dispute: Dispute,
    payment: Payment,
    kind: str,
    *,
    actor: Actor,
    is_leased: bool = True,
) -> Operation:
    """Write a call down. Its number is free: the dispute is locked, and the key unique besides."""
    prefix = f"{kind}:{dispute.id}:"
    taken = select(func.count()).where(Operation.business_key.like(f"{prefix}%"))
    wanted = operations.Wanted(
        kind,
        f"{prefix}{(session.scalar(taken) or 0) + 1}",
        payment,
        {"disputeId": dispute.id, "reference": dispute.provider_reference},
    )
    return operations.prepare(session, wanted, actor=actor, is_leased=is_leased)


def why_not_accept(session: Session, dispute: Dispute) -> str | None:
    """Say why a dispute cannot be given up now, or None. Transaction: caller's, reads only."""
    if dispute.status in CLOSED:
        return "It is decided already."
    if dispute.status not in NEEDS_ANSWER or dispute.evidence_submitted_at is not None:
        return "Evidence was handed in; the bank decides now."
    if under_way(session, dispute) is not None:
        return "The provider is being asked right now."
    return None


def content(dispute: Dispute, payment: Payment) -> Content:
    """Say what giving a dispute up is, as it is agreed to."""
    amount = Money(dispute.amount_minor, asset(dispute.asset))
    return Content(
        Act.DISPUTE_ACCEPT,
        object_kind="dispute",
        object_id=dispute.id,
        text=(
            f"Give the dispute over {amount.major()} {amount.asset.code} up: the payer keeps the"
            " money, and it is ours to bear"
        ),
        amount=amount,
        rail=payment.rail,
        merchant_id=payment.merchant_id,
        order_id=payment.order_id,
        payment_id=payment.id,
        details={"status": dispute.status, "reference": dispute.provider_reference},
        livemode=payment.livemode,
        demo=payment.demo,
    )


def ask_accept(
    session: Session, dispute_id: str, *, actor: Actor, reason: str, source: str
) -> tuple[Dispute, Approval]:
    """Ask to give a dispute up; a second person must agree, always.

    Writes: disputes, approvals, event_log, audit_log. Emits: approval.requested. Raises: NotFound,
    Forbidden, also STEP_UP_REQUIRED; Conflict, also INVALID_TRANSITION. Transaction: caller's.
    """
    dispute, payment = dispute_queries.get_dispute(session, dispute_id, actor=actor)
    wanted = content(dispute, payment)
    money_out.assert_may_ask(RULES[Act.DISPUTE_ACCEPT], wanted, actor=actor)
    dispute, payment = _lock(session, dispute.id)
    if (refused := why_not_accept(session, dispute)) is not None:
        raise Conflict(refused, code="INVALID_TRANSITION", details={"status": dispute.status})
    wanted = content(dispute, payment)
    got = money_out.ask(session, wanted, actor=actor, source=source, reason=reason)
    assert isinstance(got, Approval)  # for the type checker; the table says: always a second person
    values: dict[str, object] = {"approval_id": got.id, "updated_at": clock.now()}
    move_together(session, dispute, moves={}, values=values, why=Why(actor, source, reason))
    return dispute, got


def as_asked(session: Session, dispute: Dispute, payment: Payment) -> Content | None:
    """Say what giving a dispute up would be now; None when it cannot be given up any more."""
    return None if why_not_accept(session, dispute) else content(dispute, payment)


def carry_out(session: Session, warrant: Warrant) -> Operation:
    """Leave it to the worker to tell the provider that a dispute is given up.

    Writes: operations. Raises: Conflict, IllegalTransition. Transaction: caller's.
    """
    dispute, payment = _lock(session, warrant.content.object_id)
    now = as_asked(session, dispute, payment)
    if now is None:
        raise IllegalTransition("dispute", dispute.status, "lost")
    warrant.assert_covers(now)
    database.mark(session, "work")
    return _prepare(
        session, dispute, payment, dispute_calls.CLOSE, actor=warrant.actor, is_leased=False
    )
