"""Reading approvals: lists within what one may see, what waits for whom, and the shape on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, false, or_, select, tuple_
from sqlalchemy.orm import Session

from core import clock
from core.errors import NotFound
from core.money import Money, asset
from core.money_out import RULES, Act
from core.permissions import HOLDERS
from core.states import Approval as State
from core.strictjson import Json
from domain import naming
from domain.actors import Actor
from domain.control import approvals
from domain.payments.payments import LONGEST_PAGE, Page
from domain.people import people
from models.control import Approval
from models.people import ApiKey, User

ENDED = (State.REFUSED.value, State.EXPIRED.value, State.CANCELLED.value)
DONE = (State.APPROVED.value, State.EXECUTED.value)


@dataclass(frozen=True)
class ApprovalFilter:
    """What to list. Empty means all; mine: only what the actor asked for; needs_me: only what the
    actor may agree to now, freshness aside.
    """

    state: Sequence[str] = ()
    kind: Sequence[str] = ()
    mine: bool = False
    needs_me: bool = False
    payment_id: str | None = None


def visible(actor: Actor) -> list[ColumnElement[bool]]:
    """Give the conditions that keep people outside the staff to what they or their merchant asked for."""
    if actor.is_staff:
        return []
    asked = [Approval.requested_by == actor.id]
    if actor.merchant_id:
        keys = select(ApiKey.id).where(ApiKey.merchant_id == actor.merchant_id)
        users = select(User.id).where(User.merchant_id == actor.merchant_id)
        asked += [Approval.requested_by.in_(keys), Approval.requested_by.in_(users)]
    found: list[ColumnElement[bool]] = [or_(*asked)]
    if actor.livemode is not None:
        found.append(Approval.livemode.is_(actor.livemode))
    return found


def agreeable(session: Session, actor: Actor) -> list[ColumnElement[bool]]:
    """Give the conditions of what waits for this person; in SQL what `approvals.why_not` says of a row."""
    kinds = [act.value for act, rule in RULES.items() if actor.may(rule.agrees)]
    if not kinds:
        return [false()]
    return [
        Approval.state == State.PENDING.value,
        Approval.expires_at > clock.now(),
        Approval.kind.in_(kinds),
        Approval.requested_by != actor.id,
        Approval.requested_person != people.person_of(session, actor),
    ]


def conditions_of(
    session: Session, wanted: ApprovalFilter, *, actor: Actor
) -> list[ColumnElement[bool]]:
    """Give the conditions of a list: what one may see first, then the filters."""
    found = visible(actor)
    if wanted.state:
        found.append(Approval.state.in_(wanted.state))
    if wanted.kind:
        found.append(Approval.kind.in_(wanted.kind))
    if wanted.mine:
        found.append(Approval.requested_by == actor.id)
    if wanted.needs_me:
        found += agreeable(session, actor)
    if wanted.payment_id is not None:
        found.append(Approval.payment_id == wanted.payment_id)
    return found


def list_approvals(
    session: Session, wanted: ApprovalFilter, *, actor: Actor, page: Page
) -> tuple[list[Approval], tuple[datetime, str] | None]:
    """List approvals, newest first, with where the next page begins.

    Transaction: caller's, reads only.
    """
    statement = select(Approval).where(*conditions_of(session, wanted, actor=actor))
    if page.before:
        statement = statement.where(tuple_(Approval.requested_at, Approval.id) < page.before)
    limit = min(page.limit, LONGEST_PAGE)
    newest = (Approval.requested_at.desc(), Approval.id.desc())
    rows = list(session.scalars(statement.order_by(*newest).limit(limit + 1)))
    more = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], (more.requested_at, more.id) if more else None


def get_approval(session: Session, approval_id: str, *, actor: Actor) -> Approval:
    """Fetch one approval that the actor may see.

    Raises: NotFound, the same for a foreign id.
    """
    statement = select(Approval).where(Approval.id == approval_id, *visible(actor))
    row = session.scalars(statement).first()
    if row is None:
        raise NotFound
    return row


def waiting_for(session: Session, act: Act, object_id: str, *, actor: Actor) -> Approval | None:
    """Find the request of an act on an object that waits now, if the actor may see it."""
    row = approvals.find_open(session, act, object_id)
    if row is None or row.expires_at <= clock.now():
        return None
    seen = select(Approval).where(Approval.id == row.id, *visible(actor))
    return session.scalars(seen).first()


def needs(row: Approval) -> list[str]:
    """List the roles that may agree to it."""
    return sorted(role.value for role in HOLDERS[RULES[Act(row.kind)].agrees])


def names_of(session: Session, rows: Sequence[Approval], *, actor: Actor) -> dict[str, str]:
    """Name whoever asked and decided; who is not staff reads roles instead of names."""
    ids = {each for row in rows for each in (row.requested_by, row.decided_by) if each}
    return naming.actor_names(session, ids, for_staff=actor.is_staff)


def wire(session: Session, row: Approval, *, actor: Actor) -> dict[str, Json]:
    """Write an approval as the API answers it (surface section 18). Transaction: caller's, reads only."""
    decided_by = row.decided_by
    if decided_by is not None and not actor.is_staff:
        # Which of us it was is not for others to know.
        decided_by = names_of(session, [row], actor=actor).get(decided_by)
    return {
        "approvalId": row.id,
        "kind": row.kind,
        "state": row.state,
        "text": row.text,
        "amount": _amount(row),
        "destination": row.destination,
        "objectId": row.object_id,
        "contentHash": row.content_hash,
        "requestedBy": row.requested_by,
        "requestedAt": clock.rfc3339(row.requested_at),
        "expiresAt": clock.rfc3339(row.expires_at),
        "decidedBy": decided_by,
        "decidedAt": clock.rfc3339(row.decided_at),
        "needs": list(needs(row)),
        "whyNotMe": approvals.why_not(session, row, actor=actor),
    }


def _amount(row: Approval) -> dict[str, Json] | None:
    if row.amount_minor is None or row.asset is None:
        return None
    amount = Money(row.amount_minor, asset(row.asset))
    return {"amount": amount.major(), "currency": amount.asset.code}
