"""Items of the checklist about work that is not done: cases, attempts, calls, events, effects, suspense."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from core import chart, clock
from core.states import Case, Inbound
from core.states import Operation as OperationState
from core.states import Payment as Status
from domain.periods import months
from domain.periods.months import Span
from domain.periods.problems import Problems, found, is_unresolved, risks_money, with_cases
from models.cases import ExceptionCase
from models.effects import Effect
from models.inbound import InboundEvent
from models.ledger import JournalEntry, LedgerAccount, Posting
from models.operations import Operation
from models.payments import Payment

# As long as an attempt may stay open by itself; the janitor calls a payment stuck after the same time.
OPEN_FOR = timedelta(days=3)
_UNAPPLIED = (Inbound.RECEIVED.value, Inbound.FAILED.value)
_SET_ASIDE = (Inbound.DEAD.value, Inbound.QUARANTINED.value, Inbound.UNMATCHED.value)
# A second look at the cases, beside the one that a statement joins.
_other = aliased(ExceptionCase)


def cases(session: Session, span: Span) -> Problems:
    """Find open cases with money at risk: of the month, or of payments that began in it or before."""
    begun = exists().where(Payment.id == ExceptionCase.payment_id, Payment.created_at < span.ends)
    rows = select(ExceptionCase.id, ExceptionCase.id).where(
        is_unresolved(), risks_money(), or_(ExceptionCase.opened_at < span.ends, begun)
    )
    return with_cases(session, rows, "Settle each, or carry it forward with a reason.")


def attempts(session: Session, span: Span) -> Problems:
    """Find payments that began until the month's end and are open longer than they should be."""
    now = clock.now()
    long_ago = now - OPEN_FOR
    expired = or_(
        Payment.expires_at <= now,
        and_(Payment.expires_at.is_(None), Payment.created_at <= long_ago),
    )
    is_held = and_(Payment.hold_ends_at.is_not(None), Payment.hold_ends_at > now)
    stuck = and_(Payment.status == Status.PROCESSING.value, Payment.created_at <= long_ago)
    abandoned = and_(Payment.status == Status.PENDING.value, expired, ~is_held)
    of_it = and_(ExceptionCase.payment_id == Payment.id, _open("STUCK_PAID"))
    rows = select(Payment.id, ExceptionCase.id).outerjoin(ExceptionCase, of_it)
    late = rows.where(Payment.created_at < span.ends, or_(stuck, abandoned))
    return with_cases(
        session, late, "Expired, or open for more than three days. Cancel or sync them."
    )


def operations(session: Session, span: Span) -> Problems:
    """Find calls of a provider whose outcome nobody knows; what people have decided about is done."""
    of_it = and_(ExceptionCase.operation_id == Operation.id, is_unresolved())
    unknown = and_(
        # Only what is not over is due; there is an index for that.
        Operation.due_at.is_not(None),
        Operation.state == OperationState.UNKNOWN.value,
        Operation.created_at < span.ends,
        ~_decided(_other.operation_id == Operation.id, _other.state),
    )
    rows = select(Operation.id, ExceptionCase.id).outerjoin(ExceptionCase, of_it)
    return with_cases(session, rows.where(unknown), "The provider is still being asked.")


def inbound(session: Session, span: Span) -> Problems:
    """Find events of providers that are not applied; what people have decided about is done."""
    of_it = and_(ExceptionCase.inbound_id == InboundEvent.id, is_unresolved())
    set_aside = and_(
        InboundEvent.state.in_(_SET_ASIDE),
        ~_decided(_other.inbound_id == InboundEvent.id, _other.state),
    )
    waits = or_(InboundEvent.state.in_(_UNAPPLIED), set_aside)
    rows = select(InboundEvent.id, ExceptionCase.id).outerjoin(ExceptionCase, of_it)
    late = rows.where(
        # Said once more by itself, for the index over states.
        InboundEvent.state.in_((*_UNAPPLIED, *_SET_ASIDE)),
        InboundEvent.received_at < span.ends,
        waits,
    )
    return with_cases(session, late, "Replay, link or ignore them.")


def effects(session: Session, span: Span) -> Problems:
    """Find what should have followed from money and has not."""
    key = literal("EFFECT_FAILED:").concat(Effect.effect_key)
    of_it = and_(ExceptionCase.subject_key == key, is_unresolved())
    rows = select(Effect.id, ExceptionCase.id).outerjoin(ExceptionCase, of_it)
    late = rows.where(
        Effect.due_at.is_not(None), Effect.state != "applied", Effect.created_at < span.ends
    )
    return with_cases(session, late, "They are tried again by themselves; retry them to see why.")


def suspense(session: Session, span: Span) -> Problems:
    """Find what waited in suspense at the month's end and still does, by payment."""
    heads = {each.template.split(":")[0] for each in chart.CHART if each.must_be_zero}
    is_suspense = or_(*(LedgerAccount.address.like(f"{head}:%") for head in sorted(heads)))
    until = case((months.booked_until(span), Posting.amount_minor), else_=0)
    sums = (
        select(
            Posting.address,
            Posting.asset,
            JournalEntry.payment_id,
            func.sum(until).label("then"),
            func.sum(Posting.amount_minor).label("now"),
        )
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(Posting.address.in_(select(LedgerAccount.address).where(is_suspense)))
        .group_by(Posting.address, Posting.asset, JournalEntry.payment_id)
        .subquery()
    )
    each = sums.c
    name = each.address.concat(" ").concat(each.asset).concat(" ")
    of_it = and_(ExceptionCase.payment_id == each.payment_id, _open("MARKED"))
    rows = select(name.concat(func.coalesce(each.payment_id, "")), ExceptionCase.id)
    left = rows.select_from(sums).outerjoin(ExceptionCase, of_it)
    waiting = left.where(each.then != 0, each.now != 0)
    return with_cases(session, waiting, "Vouched for by people, and not confirmed by the provider.")


def reversals(session: Session, span: Span) -> Problems:
    """Find manual entries that should have been reversed by the month's end."""
    mirror = aliased(JournalEntry)
    due = and_(
        JournalEntry.reversal_due_on.is_not(None),
        JournalEntry.reversal_due_on <= span.last_day,
        ~exists().where(mirror.reverses_id == JournalEntry.id),
    )
    count = session.scalar(select(func.count()).select_from(JournalEntry).where(due)) or 0
    return found(count, "Reverse them, or say why they stay.")


def _open(kind: str) -> ColumnElement[bool]:
    return and_(ExceptionCase.kind == kind, is_unresolved())


def _decided(own: ColumnElement[bool], state: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Tell of a row that people had a case of, and settled. own: which cases are its; state: theirs."""
    settled = state == Case.RESOLVED.value
    return and_(exists().where(own, settled), ~exists().where(own, ~settled))
