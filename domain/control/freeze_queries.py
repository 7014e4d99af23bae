"""Reading freezes: lists within one's own tenancy, one freeze with its story, names for what is held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select, tuple_
from sqlalchemy.orm import Session

from core import clock
from core.errors import NotFound
from core.money_out import Act
from core.states import Freeze as State
from core.strictjson import Json
from domain.actors import Actor
from domain.control import freezes
from domain.orders.orders import visible as visible_orders
from domain.payments.payments import LONGEST_PAGE, Page
from models.audit import AuditRow
from models.control import Approval, Freeze
from models.orders import Order
from models.people import Merchant

_RAILS = {"card": "card payments", "bank": "bank payments", "chain": "on-chain payments"}


@dataclass(frozen=True)
class FreezeFilter:
    """What to list. Empty means all."""

    state: Sequence[str] = ()
    scope: Sequence[str] = ()


@dataclass(frozen=True)
class Moment:
    """One thing that happened to a freeze. text: the action as the audit log names it."""

    at: datetime
    actor: str
    text: str
    reason: str | None
    approval_id: str | None = None


def state_of(row: Freeze) -> State:
    """Say whether a freeze holds: one whose time has passed does not, even before it is put away."""
    is_past = row.until is not None and row.until <= clock.now()
    return State.EXPIRED if row.state == State.ACTIVE and is_past else State(row.state)


def _in_state(state: str) -> ColumnElement[bool]:
    if state == State.ACTIVE:
        return freezes.is_on()
    if state == State.EXPIRED:
        is_past = and_(Freeze.state == State.ACTIVE.value, not_(freezes.is_on()))
        return or_(Freeze.state == State.EXPIRED.value, is_past)
    return Freeze.state == state


def visible(actor: Actor) -> list[ColumnElement[bool]]:
    """Give the conditions that keep others than staff to what holds their own money now."""
    if actor.is_staff:
        return []
    own_order = exists(
        select(Order.id).where(Order.id == Freeze.scope_id, *visible_orders(actor, Order))
    )
    own: list[ColumnElement[bool]] = [
        Freeze.scope.in_(("all", "rail")),
        and_(Freeze.scope == "order", own_order),
    ]
    if actor.merchant_id:
        own.append(and_(Freeze.scope == "merchant", Freeze.scope_id == actor.merchant_id))
    return [freezes.is_on(), or_(*own)]


def list_freezes(
    session: Session, wanted: FreezeFilter, *, actor: Actor, page: Page
) -> tuple[list[Freeze], tuple[datetime, str] | None]:
    """List freezes, newest first, with where the next page begins.

    Transaction: caller's, reads only.
    """
    statement = select(Freeze).where(*visible(actor))
    if wanted.state:
        statement = statement.where(or_(*map(_in_state, wanted.state)))
    if wanted.scope:
        statement = statement.where(Freeze.scope.in_(wanted.scope))
    if page.before:
        statement = statement.where(tuple_(Freeze.engaged_at, Freeze.id) < page.before)
    limit = min(page.limit, LONGEST_PAGE)
    newest = (Freeze.engaged_at.desc(), Freeze.id.desc())
    rows = list(session.scalars(statement.order_by(*newest).limit(limit + 1)))
    more = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], (more.engaged_at, more.id) if more else None


def list_holding(session: Session, *, actor: Actor) -> list[Freeze]:
    """List what holds money of this person's now, widest first, for the banner above every page.

    Transaction: caller's, reads only.
    """
    statement = select(Freeze).where(freezes.is_on(), *visible(actor))
    rows = list(session.scalars(statement.order_by(Freeze.engaged_at).limit(LONGEST_PAGE)))
    return sorted(rows, key=lambda row: freezes.SCOPES.index(row.scope))


def count_active(session: Session) -> int:
    """Count the freezes that hold something now."""
    return session.scalar(select(func.count()).where(freezes.is_on())) or 0


def find_active(session: Session, scope: str, scope_id: str) -> Freeze | None:
    """Find the freeze that holds a place itself now."""
    own = (Freeze.scope == scope, Freeze.scope_id == scope_id)
    return session.scalars(select(Freeze).where(freezes.is_on(), *own)).first()


def get_freeze(session: Session, freeze_id: str) -> Freeze:
    """Fetch a freeze; only staff read one.

    Raises: NotFound
    """
    row = session.get(Freeze, freeze_id)
    if row is None:
        raise NotFound
    return row


def place_names(session: Session, rows: Iterable[Freeze]) -> dict[str, str]:
    """Say in words what each of some freezes holds. Gives freeze id → words."""
    rows = list(rows)
    wanted = [row.scope_id for row in rows if row.scope == "merchant"]
    names: dict[str, str] = {}
    if wanted:
        found = select(Merchant.id, Merchant.name).where(Merchant.id.in_(wanted))
        names = {merchant_id: name for merchant_id, name in session.execute(found)}  # noqa: C416  # rows are no pairs to dict()
    return {row.id: _place(row.scope, row.scope_id, names) for row in rows}


def place_of(session: Session, row: Freeze) -> str:
    """Say in words what a freeze holds."""
    return place_names(session, [row])[row.id]


def _place(scope: str, scope_id: str, merchants: dict[str, str]) -> str:
    if scope == "all":
        return "everything"
    if scope == "rail":
        return _RAILS.get(scope_id, f"{scope_id} payments")
    if scope == "merchant":
        return f"merchant {merchants.get(scope_id, scope_id)}"
    return f"order {scope_id}"


def story_of(session: Session, row: Freeze) -> list[Moment]:
    """List what happened to a freeze, oldest first: who engaged it, who wants it lifted, how it ended."""
    lifts = select(Approval.id).where(
        Approval.kind == Act.FREEZE_LIFT.value, Approval.object_id == row.id
    )
    asked = list(session.scalars(lifts))
    statement = select(AuditRow).where(
        or_(
            and_(AuditRow.object_kind == "freeze", AuditRow.object_id == row.id),
            and_(AuditRow.object_kind == "approval", AuditRow.object_id.in_(asked)),
        )
    )
    oldest = statement.order_by(AuditRow.at, AuditRow.id)
    return [
        Moment(
            each.at,
            each.actor,
            each.action,
            each.reason,
            each.object_id if each.object_kind == "approval" else None,
        )
        for each in session.scalars(oldest)
    ]


def wire(row: Freeze, *, for_staff: bool) -> dict[str, Json]:
    """Write a freeze as the API answers it; whoever is held reads what and until when."""
    said: dict[str, Json] = {
        "freezeId": row.id,
        "scope": row.scope,
        "scopeId": row.scope_id or None,
        "state": state_of(row).value,
        "until": clock.rfc3339(row.until),
    }
    if not for_staff:
        return said
    return said | {
        "reason": row.reason,
        "engagedBy": row.engaged_by,
        "engagedAt": clock.rfc3339(row.engaged_at),
        "cause": row.cause,
        "liftedBy": row.lifted_by,
    }
