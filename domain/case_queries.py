"""Reading exception cases: lists within one's own tenancy, one case with what happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, or_, select, tuple_
from sqlalchemy.orm import Session

from core import clock
from core.errors import NotFound
from core.states import Case
from domain.actors import Actor
from domain.payments import LONGEST_PAGE, Page
from models.audit import AuditRow
from models.cases import ExceptionCase
from models.inbound import InboundEvent
from models.payments import Payment, StateChange

UNRESOLVED = (Case.OPEN.value, Case.ASSIGNED.value, Case.CARRIED_FORWARD.value)


@dataclass(frozen=True)
class CaseFilter:
    """What to list. Empty means all; overdue: past its target and not resolved."""

    kind: Sequence[str] = ()
    state: Sequence[str] = ()
    owner: Sequence[str] = ()
    team: Sequence[str] = ()
    payment_id: Sequence[str] = ()
    overdue: bool | None = None
    q: str | None = None
    opened_from: datetime | None = None
    opened_to: datetime | None = None


@dataclass(frozen=True)
class CaseMoment:
    """One thing that happened to a case."""

    at: datetime
    actor: str
    text: str
    reason: str | None


def visible(actor: Actor) -> list[ColumnElement[bool]]:
    """Give the conditions that keep a merchant to the cases of their own payments; staff see all."""
    if actor.is_staff:
        return []
    own: list[ColumnElement[bool]] = [ExceptionCase.merchant_id == (actor.merchant_id or "")]
    if actor.livemode is not None:
        payment = Payment.id == ExceptionCase.payment_id
        own.append(exists().where(payment, Payment.livemode.is_(actor.livemode)))
    return own


def _overdue(is_overdue: bool) -> ColumnElement[bool]:
    late = ExceptionCase.sla_due_at < clock.now()
    if is_overdue:
        return late & ExceptionCase.state.in_(UNRESOLVED)
    return or_(ExceptionCase.sla_due_at.is_(None), ~late, ExceptionCase.state.not_in(UNRESOLVED))


def _matching(text: str) -> ColumnElement[bool]:
    text = text.strip()
    return or_(
        ExceptionCase.id == text,
        ExceptionCase.payment_id == text,
        ExceptionCase.order_id == text,
        ExceptionCase.inbound_id == text,
        ExceptionCase.operation_id == text,
        ExceptionCase.kind == text.upper(),
        ExceptionCase.payment_id.in_(
            select(Payment.id).where(Payment.provider_reference == text).limit(LONGEST_PAGE)
        ),
    )


def _conditions(wanted: CaseFilter, actor: Actor) -> list[ColumnElement[bool]]:
    found = visible(actor)
    for column, words in (
        (ExceptionCase.kind, wanted.kind),
        (ExceptionCase.state, wanted.state),
        (ExceptionCase.owner_id, wanted.owner),
        (ExceptionCase.team, wanted.team),
        (ExceptionCase.payment_id, wanted.payment_id),
    ):
        if words:
            found.append(column.in_(words))
    if wanted.overdue is not None:
        found.append(_overdue(wanted.overdue))
    if wanted.opened_from:
        found.append(ExceptionCase.opened_at >= wanted.opened_from)
    if wanted.opened_to:
        found.append(ExceptionCase.opened_at < wanted.opened_to)
    if wanted.q and wanted.q.strip():
        found.append(_matching(wanted.q))
    return found


def list_cases(
    session: Session, wanted: CaseFilter, *, actor: Actor, page: Page
) -> tuple[list[ExceptionCase], tuple[datetime, str] | None]:
    """List cases, newest first, with where the next page begins.

    Transaction: caller's, reads only.
    """
    statement = select(ExceptionCase).where(*_conditions(wanted, actor))
    if page.before:
        place = tuple_(ExceptionCase.opened_at, ExceptionCase.id)
        statement = statement.where(place < page.before)
    limit = min(page.limit, LONGEST_PAGE)
    newest = (ExceptionCase.opened_at.desc(), ExceptionCase.id.desc())
    rows = list(session.scalars(statement.order_by(*newest).limit(limit + 1)))
    more = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], (more.opened_at, more.id) if more else None


def get_case(session: Session, case_id: str, *, actor: Actor) -> ExceptionCase:
    """Fetch one case that the actor may see.

    Raises: NotFound, the same for a foreign id.
    """
    statement = select(ExceptionCase).where(ExceptionCase.id == case_id, *visible(actor))
    row = session.scalars(statement).first()
    if row is None:
        raise NotFound
    return row


def moments_of(session: Session, case_id: str) -> list[CaseMoment]:
    """List what happened to a case, oldest first: who opened it, who moved it, with the reasons."""
    opened = select(AuditRow).where(AuditRow.object_id == case_id, AuditRow.object_kind == "case")
    moved = select(StateChange).where(
        StateChange.object_id == case_id, StateChange.object_kind == "case"
    )
    found = [
        CaseMoment(row.at, row.actor, row.action, row.reason) for row in session.scalars(opened)
    ]
    found += [
        CaseMoment(row.at, row.actor, f"{row.old} → {row.new}", row.reason)
        for row in session.scalars(moved)
    ]
    return sorted(found, key=lambda moment: moment.at)


def events_behind(session: Session, case: ExceptionCase) -> list[InboundEvent]:
    """List the inbound events that speak of a case: the one that caused it, and those of its payment."""
    condition = InboundEvent.id == (case.inbound_id or "")
    if case.payment_id:
        condition |= InboundEvent.payment_id == case.payment_id
    statement = select(InboundEvent).where(condition)
    return list(session.scalars(statement.order_by(InboundEvent.received_at).limit(LONGEST_PAGE)))
