"""Who may decide on an approval, and whether what was asked for still stands; reading only."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from core import clock
from core.errors import Forbidden, IllegalTransition, SamePerson
from core.money import Money, asset
from core.money_out import RULES, Act
from core.states import Approval as State
from core.states import Kyc, Role
from domain.actors import Actor
from domain.control import acts, freezes
from domain.control.thresholds import is_above_threshold
from domain.control.warrants import Content
from domain.people import keys, people, sessions, step_up
from models.control import Approval
from models.people import DeskSession, User

CHANGED = "what it was bound to has changed"
ASKER_GONE = "whoever asked for it no longer may"
EXPIRED = "It has expired; nobody agreed within a day."


def content_of(row: Approval) -> Content:
    """Give what an approval was asked for, as it was written down."""
    amount = None
    if row.amount_minor is not None and row.asset is not None:
        amount = Money(row.amount_minor, asset(row.asset))
    return Content(
        act=Act(row.kind),
        object_kind=row.object_kind,
        object_id=row.object_id,
        text=row.text,
        amount=amount,
        destination=row.destination,
        rail=row.rail,
        merchant_id=row.merchant_id,
        order_id=row.order_id,
        payment_id=row.payment_id,
        details=row.details,  # type: ignore[arg-type]  # written from a Content, and never changed
        livemode=row.livemode,
        demo=row.demo,
    )


def why_not(session: Session, row: Approval, *, actor: Actor) -> str | None:
    """Say why this person may not agree to it, freshness aside; None when they may."""
    if row.state != State.PENDING.value:
        return f"It is {row.state} already."
    if row.expires_at <= clock.now():
        return EXPIRED
    if actor.id == row.requested_by:
        return "You asked for it yourself; somebody else must agree."
    if not actor.may(RULES[Act(row.kind)].agrees):
        return "Your role does not agree to this."
    if people.person_of(session, actor) == row.requested_person:
        return "The account that asked for it belongs to you too."
    return None


def why_not_agree(session: Session, row: Approval, *, actor: Actor) -> str | None:
    """Say what keeps somebody who may decide from agreeing, though not from refusing; None: nothing.

    A freeze that holds the act, or what the act itself demands of whoever agrees.
    """
    content = content_of(row)
    if RULES[content.act].is_held_by_freeze:
        freeze = freezes.find_holding(session, content)
        if freeze is not None:
            return freezes.frozen(freeze).message
    return acts.kind(content.act).objects(session, content, actor)


def assert_may_decide(session: Session, row: Approval, actor: Actor) -> None:
    """Check that somebody may agree or refuse now: at the desk, by their role, proved, another person.

    The person is read anew: a role, an account or a session that was taken away a moment ago counts.
    Raises: Forbidden, also STEP_UP_REQUIRED; IllegalTransition, SamePerson. Transaction: caller's.
    """
    now = _as_of_now(session, actor)
    if not now.is_at_desk or not now.may(RULES[Act(row.kind)].agrees):
        raise Forbidden
    step_up.assert_fresh(now)
    if row.state != State.PENDING.value:
        raise IllegalTransition("approval", row.state, State.APPROVED.value)
    if now.id == row.requested_by or people.person_of(session, now) == row.requested_person:
        raise SamePerson


def _as_of_now(session: Session, actor: Actor) -> Actor:
    """Give the person with the rights they have at this moment."""
    user = session.get(User, actor.id, populate_existing=True)
    if user is None or user.state != "active":
        raise Forbidden
    desk = session.get(DeskSession, actor.session_id or "", populate_existing=True)
    if desk is not None and desk.ended_at is not None:
        raise Forbidden
    return replace(actor, role=Role(user.role))


def why_void(session: Session, row: Approval) -> str | None:
    """Say why a waiting request no longer stands: its asker or its object changed; None: it stands."""
    content = content_of(row)
    if not _asker_still_may(session, row, content):
        return ASKER_GONE
    if content.hash() != row.content_hash:
        return CHANGED
    now = acts.kind(content.act).read(session, content)
    return CHANGED if now is None or now.hash() != row.content_hash else None


def _asker_still_may(session: Session, row: Approval, content: Content) -> bool:
    if row.requested_kind == "system":
        return True
    asker = _asker(session, row)
    if asker is None:
        return False
    if asker.is_guarded_by_kyc and asker.kyc != Kyc.APPROVED:
        return False
    rule = RULES[content.act]
    is_large = content.amount is not None and is_above_threshold(content.amount)
    if asker.kind == "user" and is_large and rule.asks_above and not asker.may(rule.asks_above):
        return False
    return asker.may(rule.asks) or asker.may(rule.requests)


def _asker(session: Session, row: Approval) -> Actor | None:
    """Find whoever asked, with the rights they have now; None when they have none any more."""
    if row.requested_kind == "key":
        return keys.find_holder(session, row.requested_by)
    user = session.get(User, row.requested_by, populate_existing=True)
    return sessions.actor_of(user) if user is not None and user.state == "active" else None
