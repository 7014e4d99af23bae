"""Reading exception cases: lists within one's own tenancy, one case with what happened to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, exists, false, func, or_, select, tuple_
from sqlalchemy.orm import Session

from core import clock
from core.errors import NotFound
from core.money import Money, asset
from core.states import Case
from core.strictjson import Json
from domain.actors import Actor
from domain.payments.payments import LONGEST_PAGE, Page
from models.audit import AuditRow
from models.cases import ExceptionCase
from models.inbound import InboundEvent
from models.payments import Payment, StateChange

NOBODY = "nobody"
# A queue longer than this says "more", so that no page counts for ever.
MOST_COUNTED = 20_000
UNRESOLVED = (Case.OPEN.value, Case.ASSIGNED.value, Case.CARRIED_FORWARD.value)


@dataclass(frozen=True)
class CaseFilter:
    """What to list. Empty means all; overdue: past its target and not resolved.

    owner: ids of people, or NOBODY; waits: for a second person; at_risk: money is.
    """

    kind: Sequence[str] = ()
    state: Sequence[str] = ()
    owner: Sequence[str] = ()
    team: Sequence[str] = ()
    payment_id: Sequence[str] = ()
    overdue: bool | None = None
    waits: bool = False
    at_risk: bool = False
    q: str | None = None
    opened_from: datetime | None = None
    opened_to: datetime | None = None


@dataclass(frozen=True)
class CaseMoment:
    """One thing that happened to a case. said: what the audit log keeps of it."""

    at: datetime
    actor: str
    text: str
    reason: str | None
    said: Mapping[str, Json] = field(default_factory=dict)


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


def _waits() -> ColumnElement[bool]:
    assigned = ExceptionCase.state == Case.ASSIGNED.value
    return and_(assigned, ExceptionCase.approval_id.is_not(None))


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
        (ExceptionCase.team, wanted.team),
        (ExceptionCase.payment_id, wanted.payment_id),
    ):
        if words:
            found.append(column.in_(words))
    if wanted.owner:
        people = [each for each in wanted.owner if each != NOBODY]
        nobody = ExceptionCase.owner_id.is_(None) if NOBODY in wanted.owner else false()
        found.append(or_(ExceptionCase.owner_id.in_(people), nobody))
    if wanted.waits:
        found.append(_waits())
    if wanted.at_risk:
        found.append(ExceptionCase.risk_minor > 0)
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


@dataclass(frozen=True)
class QueueCounts:
    """How many cases wait, of all that a list is narrowed to. at_risk: what they put at risk."""

    unsettled: int
    nobodys: int
    mine: int
    overdue: int
    waiting: int
    at_risk: list[Money]

    @property
    def is_capped(self) -> bool:
        """Whether there may be more than were counted."""
        return self.unsettled >= MOST_COUNTED


def count_queue(session: Session, wanted: CaseFilter, *, actor: Actor) -> QueueCounts:
    """Count what waits of all that is wanted, in one look. Transaction: caller's, reads only."""
    narrowed = replace(wanted, state=UNRESOLVED)
    columns = (
        ExceptionCase.owner_id.label("owner_id"),
        (ExceptionCase.sla_due_at < clock.now()).label("late"),
        _waits().label("waits"),
        ExceptionCase.asset.label("asset"),
        ExceptionCase.risk_minor.label("risk_minor"),
    )
    rows = select(*columns).where(*_conditions(narrowed, actor)).limit(MOST_COUNTED).subquery()
    each = rows.c
    statement = select(
        each.asset,
        func.count(),
        func.count(case((each.owner_id.is_(None), 1))),
        func.count(case((each.owner_id == actor.id, 1))),
        func.count(case((each.late, 1))),
        func.count(case((each.waits, 1))),
        func.coalesce(func.sum(each.risk_minor), 0),
    ).group_by(each.asset)
    found = sorted(session.execute(statement).all(), key=lambda row: (-row[1], str(row[0])))
    sums = [Money(int(row[6]), asset(row[0])) for row in found if row[0] and row[6]]
    total, nobodys, mine, overdue, waiting = (
        sum(int(row[place]) for row in found) for place in range(1, 6)
    )
    return QueueCounts(total, nobodys, mine, overdue, waiting, sums)


def get_case(session: Session, case_id: str, *, actor: Actor) -> ExceptionCase:
    """Fetch one case that the actor may see.

    Raises: NotFound, the same for a foreign id.
    """
    statement = select(ExceptionCase).where(ExceptionCase.id == case_id, *visible(actor))
    row = session.scalars(statement).first()
    if row is None:
        raise NotFound
    return row


def by_ids(session: Session, ids: Sequence[str], *, actor: Actor) -> list[ExceptionCase]:
    """Fetch those of several cases that the actor may see. Transaction: caller's, reads only."""
    statement = select(ExceptionCase).where(ExceptionCase.id.in_(ids), *visible(actor))
    return list(session.scalars(statement)) if ids else []


def moments_of(session: Session, case_id: str) -> list[CaseMoment]:
    """List what happened to a case, oldest first: who opened it, who moved it, with the reasons."""
    opened = select(AuditRow).where(AuditRow.object_id == case_id, AuditRow.object_kind == "case")
    moved = select(StateChange).where(
        StateChange.object_id == case_id, StateChange.object_kind == "case"
    )
    found = [
        CaseMoment(row.at, row.actor, row.action, row.reason, row.after)
        for row in session.scalars(opened)
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
