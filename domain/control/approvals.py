"""Approvals: an act asked for by one person, agreed to by another, bound to the hash of what it is.

`domain/control/money_out.py` decides who may ask; `domain/control/acts` knows what each kind does.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Conflict, Forbidden, IllegalTransition, NotFound
from core.money_out import APPROVAL_SECONDS, RULES, Act
from core.states import STAFF, Role
from core.states import Approval as State
from core.strictjson import Json
from domain import audit, database, events
from domain.actors import Actor, system
from domain.cases import case_following
from domain.control import acts, freezes
from domain.control.approval_checks import (
    CHANGED,
    assert_may_decide,
    content_of,
    why_not,
    why_not_agree,
    why_void,
)
from domain.control.warrants import Content, Warrant
from domain.mail import notice_facts
from domain.people import people, step_up
from domain.transitions import Why, move_together
from models.control import Approval
from models.people import User

__all__ = [
    "CHANGED",
    "Decision",
    "agree",
    "cancel",
    "content_of",
    "expire",
    "find_open",
    "get",
    "refuse",
    "request",
    "void",
    "why_not",
    "why_not_agree",
    "why_void",
    "withdraw",
]


@dataclass(frozen=True)
class Decision:
    """What became of an approval. said: why it was voided instead, in a sentence, or None."""

    row: Approval
    said: str | None = None


def get(session: Session, approval_id: str, *, lock: bool = False) -> Approval:
    """Fetch an approval; tenancy is asked in `domain/control/approval_queries.py`.

    Raises: NotFound
    """
    statement = select(Approval).where(Approval.id == approval_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(statement).first()
    if row is None:
        raise NotFound
    return row


def find_open(session: Session, act: Act, object_id: str) -> Approval | None:
    """Find the request of an act on an object that waits now."""
    statement = select(Approval).where(Approval.open_key == _open_key(act.value, object_id))
    return session.scalars(statement).first()


def _open_key(kind: str, object_id: str) -> str:
    return f"{kind}:{object_id}"


def request(
    session: Session, content: Content, *, actor: Actor, reason: str | None, source: str
) -> Approval:
    """Write down that an act waits for a second person, for a day.

    Asked for through `domain/control/money_out.ask`, which has checked who may. One request of a kind waits
    for an object at a time.
    Writes: approvals, event_log, audit_log. Emits: approval.requested. Raises: Conflict.
    Transaction: caller's.
    """
    if (known := _waiting(session, content)) is not None:
        raise _asked_already(known)
    values = _values(session, content, actor=actor, reason=reason)
    dialect = sqlite if database.is_sqlite() else postgresql
    # Two who ask at the same moment take turns at the unique key; the second finds the first.
    statement = dialect.insert(Approval).values(values).on_conflict_do_nothing()
    if session.execute(statement.returning(Approval.id)).scalar() is None:
        raise _asked_already(find_open(session, content.act, content.object_id))
    row = session.get_one(Approval, values["id"])
    _tell(session, "approval.requested", row, why=Why(actor, source, reason))
    return row


def _waiting(session: Session, content: Content) -> Approval | None:
    """Find the request that waits already; one that has run out makes room for a new one.

    One that still waits is not locked: whoever decides about it now waits perhaps for what its object
    is locked with here.
    """
    known = find_open(session, content.act, content.object_id)
    if known is None or known.expires_at > clock.now():
        return known
    row = get(session, known.id, lock=True)
    if row.state != State.PENDING.value:
        return None
    if row.expires_at > clock.now():
        return row
    expire(session, row)
    return None


def _asked_already(known: Approval | None) -> Conflict:
    details = {"approvalId": known.id, "link": f"/approvals/{known.id}"} if known else {}
    return Conflict("This was asked for already and waits for a second person.", details=details)


def _values(
    session: Session, content: Content, *, actor: Actor, reason: str | None
) -> dict[str, object]:
    amount = content.amount
    return {
        "id": ids.new("apr"),
        "kind": content.act.value,
        "state": State.PENDING.value,
        "open_key": _open_key(content.act.value, content.object_id),
        "object_kind": content.object_kind,
        "object_id": content.object_id,
        "merchant_id": content.merchant_id,
        "order_id": content.order_id,
        "payment_id": content.payment_id,
        "rail": content.rail,
        "amount_minor": amount.minor if amount else None,
        "asset": str(amount.asset) if amount else None,
        "destination": content.destination,
        "text": content.text,
        "details": dict(content.details),
        "content_hash": content.hash(),
        "reason": reason,
        "requested_by": actor.id,
        "requested_kind": actor.kind,
        "requested_person": people.person_of(session, actor),
        "requested_fresh": step_up.is_fresh(actor),
        "requested_at": clock.now(),
        "expires_at": clock.after(APPROVAL_SECONDS),
        "result": {},
        "livemode": content.livemode,
        "demo": content.demo,
    }


def agree(
    session: Session, approval_id: str, *, actor: Actor, content_hash: str, reason: str | None
) -> Decision:
    """Agree to an act and carry it out, in one transaction.

    content_hash: of what the person was shown. 1. lock; 2. who agrees, freshly proved, and is
    another person; 3. it has neither expired nor changed, and the asker still may; 4. nothing holds
    it; 5. approved, carried out, executed. What has changed or expired is voided instead.
    Writes: approvals, state_changes, what the act writes. Emits: approval.approved or
    approval.expired or approval.cancelled. Raises: Forbidden, SamePerson, IllegalTransition,
    Conflict, Frozen, what the act raises. Transaction: caller's.
    """
    row = get(session, approval_id, lock=True)
    assert_may_decide(session, row, actor)
    if (voided := _voided(session, row)) is not None:
        return voided
    content = content_of(row)
    if content_hash != row.content_hash:
        raise Conflict("This is not what you were shown. Look at it again.")
    if RULES[content.act].is_held_by_freeze:
        freezes.assert_open(session, content)
    why = Why(actor, f"approval:{row.id}", reason)
    decided: dict[str, object] = {
        "open_key": None,
        "decided_by": actor.id,
        "decided_person": people.person_of(session, actor),
        "decided_reason": reason,
        "decided_at": clock.now(),
    }
    move_together(session, row, moves={"approval": State.APPROVED.value}, values=decided, why=why)
    _tell(session, "approval.approved", row, why=why)
    warrant = Warrant(
        content=content,
        actor=actor,
        maker_id=row.requested_by,
        source=why.source,
        reason=row.reason,
        approval_id=row.id,
    )
    result = acts.kind(content.act).carry_out(session, warrant)
    done: dict[str, object] = {"result": result, "executed_at": clock.now()}
    move_together(session, row, moves={"approval": State.EXECUTED.value}, values=done, why=why)
    case_following.agreed(session, row, result, why=why)
    return Decision(row)


def refuse(session: Session, approval_id: str, *, actor: Actor, reason: str) -> Decision:
    """Refuse an act; whoever may agree may refuse.

    Writes: approvals, state_changes, what the act takes back. Emits: approval.refused.
    Raises: Forbidden, SamePerson, IllegalTransition. Transaction: caller's.
    """
    row = get(session, approval_id, lock=True)
    assert_may_decide(session, row, actor)
    if (voided := _voided(session, row)) is not None:
        return voided
    _end(session, row, State.REFUSED, why=Why(actor, f"approval:{row.id}", reason), by=actor)
    return Decision(row)


def cancel(session: Session, approval_id: str, *, actor: Actor, reason: str) -> Approval:
    """Take a request back; only whoever asked may.

    Writes, emits: approval.cancelled. Raises: NotFound, Forbidden, IllegalTransition.
    Transaction: caller's.
    """
    row = get(session, approval_id, lock=True)
    if row.requested_by != actor.id:
        raise Forbidden("Only whoever asked for it takes it back. You may refuse it instead.")
    if row.state != State.PENDING.value:
        raise IllegalTransition("approval", row.state, State.CANCELLED.value)
    _end(session, row, State.CANCELLED, why=Why(actor, f"user:{actor.id}", reason))
    return row


def void(session: Session, row: Approval, *, said: str) -> None:
    """Cancel a locked request by itself: what it was bound to changed, or the asker no longer may.

    Writes, emits: as `cancel`. Transaction: caller's.
    """
    why = Why(system("approvals"), f"approval:{row.id}", said)
    _end(session, row, State.CANCELLED, why=why)


def withdraw(session: Session, row: Approval, *, why: Why) -> None:
    """Cancel a locked request because a person took back what it is about; the caller checked who may.

    Writes, emits: as `cancel`. Raises: IllegalTransition. Transaction: caller's.
    """
    if row.state != State.PENDING.value:
        raise IllegalTransition("approval", row.state, State.CANCELLED.value)
    _end(session, row, State.CANCELLED, why=why)


def expire(session: Session, row: Approval) -> None:
    """End a locked request that nobody agreed to in time.

    Writes: approvals, state_changes. Emits: approval.expired. Transaction: caller's.
    """
    why = Why(system("approvals"), f"approval:{row.id}", "nobody agreed in time")
    _end(session, row, State.EXPIRED, why=why)


def _voided(session: Session, row: Approval) -> Decision | None:
    if row.expires_at <= clock.now():
        expire(session, row)
        return Decision(row, "It had expired; nobody agreed within a day.")
    if (said := why_void(session, row)) is not None:
        void(session, row, said=said)
        return Decision(row, f"It was cancelled by itself: {said}.")
    return None


def _end(session: Session, row: Approval, to: State, *, why: Why, by: Actor | None = None) -> None:
    values: dict[str, object] = {"open_key": None, "decided_reason": why.reason}
    if by is not None:
        values |= {"decided_by": by.id, "decided_at": clock.now()}
        values["decided_person"] = people.person_of(session, by)
    move_together(session, row, moves={"approval": to.value}, values=values, why=why)
    _tell(session, f"approval.{to.value}", row, why=why)
    acts.kind(Act(row.kind)).take_back(session, content_of(row), why)
    case_following.ended(session, row, why=why)


def _tell(session: Session, kind: str, row: Approval, *, why: Why) -> None:
    about = events.About(
        object_id=row.id,
        payment_id=row.payment_id,
        order_id=row.order_id,
        merchant_id=row.merchant_id,
        audience="parties" if _is_outside(session, row) else "staff",
        demo=row.demo,
        livemode=row.livemode,
    )
    body: dict[str, Json] = {"approvalId": row.id, "kind": row.kind, "objectId": row.object_id}
    told = events.row(kind, about, source=why.source, status=row.state, body=body)
    events.append(session, [told])
    notice_facts.approval(session, kind, row, by=why.actor.id)
    audit.write(
        session,
        _AUDITED[kind],
        actor=why.actor,
        object_kind="approval",
        object_id=row.id,
        source=why.source,
        reason=why.reason,
        after={
            "kind": row.kind,
            "object": row.object_id,
            "contentHash": row.content_hash,
            "state": row.state,
        },
    )


def _is_outside(session: Session, row: Approval) -> bool:
    """Tell whether somebody outside the staff asked; only then is it theirs to hear of."""
    if row.merchant_id is None or row.requested_kind == "system":
        return False
    user = session.get(User, row.requested_by) if row.requested_kind == "user" else None
    return user is None or Role(user.role) not in STAFF


_AUDITED = {
    "approval.requested": "approval.request",
    "approval.approved": "approval.approve",
    "approval.refused": "approval.refuse",
    "approval.expired": "approval.expire",
    "approval.cancelled": "approval.cancel",
}
