"""Extensions: the deadlines of many orders moved in one act, done once for its reference, and undone once.

What becomes of each order is decided in `deadlines.py`; here is the act as a whole, and reading it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Conflict, NotFound, invalid
from core.redaction import holds_card_number
from core.states import Order as Status
from core.states import Payment as PaymentStatus
from domain import audit, database
from domain.delays import deadlines, notices
from domain.delays.deadlines import Rows, Step, Wanted, WhyNot
from domain.payments.payments import LONGEST_PAGE, Page
from domain.transitions import Why
from models.delays import DeadlineExtension, ExtendedOrder

UNDO_SECONDS = 24 * 3600
LONGEST_REFERENCE = 64


@dataclass(frozen=True)
class Done:
    """One extension and what it did to each order."""

    row: DeadlineExtension
    orders: Sequence[ExtendedOrder]

    @property
    def moved(self) -> list[ExtendedOrder]:
        """The orders whose deadline it moved."""
        return [each for each in self.orders if each.to_at is not None]

    @property
    def skipped(self) -> list[ExtendedOrder]:
        """The orders that it left alone."""
        return [each for each in self.orders if each.to_at is None]


def new_reference() -> str:
    """Make a name for an act that its caller did not name, so that a second press is the same act."""
    return ids.new("ext")


def extend(session: Session, wanted: Wanted, *, reference: str | None = None, why: Why) -> Done:
    """Move the deadlines of orders in one act. The same reference again gives what it did the first time.

    Writes: deadline_extensions, extended_orders and as `deadlines.carry_out`. Emits: order.deadline_extended
    for each. Raises: InvalidInput, Conflict when no order can be moved or the reference names another
    act. Transaction: caller's.
    """
    notices.assert_reason(why.reason)
    name = _assert_reference(reference or new_reference())
    order_ids = deadlines.chosen(session, wanted)
    made = _insert(session, wanted, name, why)
    if made is None:
        return _again(session, name, wanted)
    rows = deadlines.rows_of(session, order_ids, locked=True)
    steps = deadlines.plan(rows, order_ids, wanted.hours)
    if not any(step.to_at for step in steps):
        raise _nothing(steps)
    for step in steps:
        if step.to_at is not None:
            deadlines.carry_out(session, rows, step, why=why)
    # An order that is not there has no row to point at.
    kept = [_row(made, step) for step in steps if step.why_not != WhyNot.NOT_FOUND]
    session.add_all(kept)
    session.flush()
    done = Done(session.get_one(DeadlineExtension, made), kept)
    _audit(session, "deadline.extend", done.row, len(done.moved), why=why)
    return done


def _assert_reference(reference: str) -> str:
    if not 1 <= len(reference) <= LONGEST_REFERENCE:
        raise invalid("reference", f"At most {LONGEST_REFERENCE} characters.", code="too_long")
    if holds_card_number(reference):
        raise invalid("reference", "Card numbers are never kept here.", code="card_number")
    return reference


def _nothing(steps: Sequence[Step]) -> Conflict:
    skipped = [{"orderId": each.order_id, "why": each.why_not} for each in steps]
    return Conflict("None of these orders can be extended.", details={"skipped": list(skipped)})


def _insert(session: Session, wanted: Wanted, reference: str, why: Why) -> str | None:
    values = {
        "id": ids.new("ext"),
        "reference": reference,
        "hours": wanted.hours,
        "wanted": wanted.stored(),
        "reason": why.reason,
        "by": why.actor.id,
        "at": clock.now(),
        "undoable_until": clock.after(UNDO_SECONDS),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(DeadlineExtension).values(values).on_conflict_do_nothing()
    return session.execute(statement.returning(DeadlineExtension.id)).scalar()


def _again(session: Session, reference: str, wanted: Wanted) -> Done:
    known = select(DeadlineExtension).where(DeadlineExtension.reference == reference)
    row = session.scalars(known).one()
    if row.wanted != wanted.stored():
        details = {"extensionId": row.id}
        raise Conflict("This reference names another extension.", details=dict(details))
    return Done(row, orders_of(session, row.id))


def _row(extension_id: str, step: Step) -> ExtendedOrder:
    return ExtendedOrder(
        extension_id=extension_id,
        order_id=step.order_id,
        from_at=step.from_at,
        to_at=step.to_at,
        payment_id=step.payment_id,
        payment_from_at=step.payment_from_at,
        payment_to_at=step.payment_to_at,
        why_not=step.why_not.value if step.why_not else None,
    )


def undo(session: Session, extension_id: str, *, why: Why) -> Done:
    """Put back the deadlines that an extension moved, where they still are as it left them.

    An order that was paid or moved since, or whose old deadline has passed, stays as it is.
    Writes: deadline_extensions, extended_orders and as `deadlines.carry_out`. Emits: order.deadline_extended
    for each put back. Raises: NotFound, InvalidInput, Conflict when it was undone or it is too late.
    Transaction: caller's.
    """
    notices.assert_reason(why.reason)
    row = _lock(session, extension_id)
    if (said := why_not_undone(row)) is not None:
        raise Conflict(said)
    row.undone_at, row.undone_by, row.undone_reason = clock.now(), why.actor.id, why.reason
    moved = [each for each in orders_of(session, row.id) if each.to_at is not None]
    rows = deadlines.rows_of(session, [each.order_id for each in moved], locked=True)
    for each in moved:
        _put_back(session, rows, each, why=why)
    session.flush()
    back = sum(each.undone_at is not None for each in moved)
    _audit(session, "deadline.undo", row, back, why=why)
    return Done(row, moved)


def _lock(session: Session, extension_id: str) -> DeadlineExtension:
    statement = select(DeadlineExtension).where(DeadlineExtension.id == extension_id)
    statement = statement.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(statement).first()
    if row is None:
        raise NotFound
    return row


def why_not_undone(row: DeadlineExtension) -> str | None:
    """Say why an extension cannot be undone; None while it can."""
    if row.undone_at is not None:
        return "It was undone already."
    if row.undoable_until <= clock.now():
        return "It can be undone for a day; that day is over."
    return None


def _put_back(session: Session, rows: Rows, each: ExtendedOrder, *, why: Why) -> None:
    order, now = rows.orders[each.order_id], clock.now()
    if order.status != Status.AWAITING_DEPOSIT:
        each.why_not = WhyNot.NOT_AWAITING
    elif order.deposit_due_at != each.to_at:
        each.why_not = WhyNot.MOVED_AGAIN
    elif each.from_at is None or each.from_at <= now:
        each.why_not = WhyNot.PAST
    else:
        deadlines.carry_out(session, rows, _back(rows, each, now), why=why)
        each.undone_at = now


def _back(rows: Rows, each: ExtendedOrder, now: datetime) -> Step:
    """Turn what was done to an order around; its payment only where nobody else has moved its end since."""
    is_as_left = any(
        row.id == each.payment_id
        and row.status == PaymentStatus.PENDING
        and row.expires_at == each.payment_to_at
        for row in rows.payments.get(each.order_id, ())
    )
    ahead = each.payment_from_at is not None and each.payment_from_at > now
    step = Step(each.order_id, each.to_at, each.from_at)
    if not (is_as_left and ahead):
        return step
    return Step(
        step.order_id,
        step.from_at,
        step.to_at,
        payment_id=each.payment_id,
        payment_from_at=each.payment_to_at,
        payment_to_at=each.payment_from_at,
    )


def _audit(session: Session, action: str, row: DeadlineExtension, count: int, *, why: Why) -> None:
    audit.write(
        session,
        action,
        actor=why.actor,
        object_kind="extension",
        object_id=row.id,
        source=why.source,
        reason=why.reason,
        after={"orders": count, "hours": row.hours},
    )


def get_extension(session: Session, extension_id: str) -> Done:
    """Fetch an extension with its orders.

    Raises: NotFound. Transaction: caller's, reads only.
    """
    row = session.get(DeadlineExtension, extension_id)
    if row is None:
        raise NotFound
    return Done(row, orders_of(session, row.id))


def orders_of(session: Session, extension_id: str) -> list[ExtendedOrder]:
    """List what an extension did to each order, those due first first.

    Transaction: caller's, reads only.
    """
    statement = select(ExtendedOrder).where(ExtendedOrder.extension_id == extension_id)
    statement = statement.execution_options(populate_existing=True)
    return list(session.scalars(statement.order_by(ExtendedOrder.from_at, ExtendedOrder.order_id)))


def list_extensions(
    session: Session, *, page: Page
) -> tuple[list[DeadlineExtension], tuple[datetime, str] | None]:
    """List extensions, newest first, with where the next page begins.

    Transaction: caller's, reads only.
    """
    statement = select(DeadlineExtension)
    if page.before:
        statement = statement.where(
            tuple_(DeadlineExtension.at, DeadlineExtension.id) < page.before
        )
    limit = min(page.limit, LONGEST_PAGE)
    newest = (DeadlineExtension.at.desc(), DeadlineExtension.id.desc())
    rows = list(session.scalars(statement.order_by(*newest).limit(limit + 1)))
    more = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], (more.at, more.id) if more else None


def counts_of(session: Session, extension_ids: Sequence[str]) -> dict[str, int]:
    """Count the orders that each extension moved.

    Transaction: caller's, reads only.
    """
    statement = (
        select(ExtendedOrder.extension_id, func.count())
        .where(ExtendedOrder.extension_id.in_(extension_ids), ExtendedOrder.to_at.is_not(None))
        .group_by(ExtendedOrder.extension_id)
    )
    return {extension_id: number for extension_id, number in session.execute(statement)}  # noqa: C416  # rows are no pairs to dict()
