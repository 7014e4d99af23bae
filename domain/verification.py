"""`flask verify`: proves the books, the chains, the event order and every payment's state, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, hashing
from core.fold import Fact, Standing, standing
from core.states import Payment as Status
from core.strictjson import Json
from domain import audit, chains, database, ledger, queue
from models import guards
from models.audit import AuditRow, ChainLink
from models.cases import ExceptionCase
from models.events import EventLog
from models.inbound import InboundEvent
from models.ledger import JournalEntry, JournalSeal, Posting
from models.orders import Order
from models.payments import Payment, PaymentFact
from models.presence import Schedule

SCHEDULE = "verify"
STUCK_AFTER = timedelta(hours=1)
_CHUNK = 1000


@dataclass(frozen=True)
class Check:
    """One proof. first_bad: the first row that fails it, with what is wrong, or None."""

    name: str
    rows: int
    first_bad: str | None

    @property
    def ok(self) -> bool:
        """Whether every row passed."""
        return self.first_bad is None


@dataclass(frozen=True)
class Report:
    """All checks of one run, and the length and head of the audit chain."""

    at: str
    checks: list[Check]
    audit_length: int
    audit_head: str

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return sum(check.rows for check in self.checks)


def _run(name: str, rows: Iterator[str | None]) -> Check:
    count = 0
    for problem in rows:
        count += 1
        if problem is not None:
            return Check(name, count, problem)
    return Check(name, count, None)


def _guards(session: Session) -> Iterator[str | None]:
    for name in guards.missing(session.connection()):
        yield f"the database lacks the guard {name}"


def _trial_balance(session: Session) -> Iterator[str | None]:
    statement = select(Posting.asset, func.sum(Posting.amount_minor)).group_by(Posting.asset)
    for asset_name, total in session.execute(statement):
        yield f"{asset_name} is out by {total} minor units" if total else None


def _entries(session: Session) -> Iterator[str | None]:
    """Check each entry: sealed, counted, balanced per asset, and saying what its hash covers."""
    statement = select(JournalEntry).order_by(JournalEntry.id)
    for entry in session.scalars(statement.execution_options(yield_per=_CHUNK)):
        lines = session.scalars(
            select(Posting).where(Posting.entry_id == entry.id).order_by(Posting.line)
        ).all()
        yield _entry_problem(session, entry, list(lines))


def _entry_problem(session: Session, entry: JournalEntry, lines: list[Posting]) -> str | None:
    seal = session.get(JournalSeal, entry.id)
    if seal is None:
        return f"{entry.id} has no seal"
    if seal.postings != len(lines) or len(lines) < 2:
        return f"{entry.id} has {len(lines)} postings, its seal says {seal.postings}"
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.asset] = sums.get(line.asset, 0) + line.amount_minor
    if any(sums.values()):
        return f"{entry.id} does not balance"
    said = [(line.pair, line.address, line.asset, line.amount_minor) for line in lines]
    if ledger.entry_hash(ledger.head_of(_columns(entry)), said) != entry.content_hash:
        return f"{entry.id} does not say what its hash covers"
    return None


def _columns(row: JournalEntry | AuditRow) -> dict[str, object]:
    return {column.key: getattr(row, column.key) for column in type(row).__table__.columns}


def _audit_rows(session: Session) -> Iterator[str | None]:
    statement = select(AuditRow).order_by(AuditRow.at, AuditRow.id)
    for row in session.scalars(statement.execution_options(yield_per=_CHUNK)):
        same = audit.content_hash(_columns(row)) == row.content_hash
        yield None if same else f"{row.id} does not say what its hash covers"


def _chain(name: str) -> Callable[[Session], Iterator[str | None]]:
    def check(session: Session) -> Iterator[str | None]:
        row_id, content_hash, _ = chains.CHAINS[name]
        statement = (
            select(ChainLink, content_hash)
            .outerjoin(row_id.class_, row_id == ChainLink.row_id)
            .where(ChainLink.chain == name)
            .order_by(ChainLink.seq)
        )
        previous, expected = hashing.GENESIS, 1
        for link, content in session.execute(statement.execution_options(yield_per=_CHUNK)):
            yield _link_problem(link, content, previous, expected)
            previous, expected = link.hash, expected + 1
        if count := chains.count_unlinked(session, name):
            yield f"{count} rows of {name} are in no link"

    return check


def _link_problem(link: ChainLink, content: str | None, previous: str, expected: int) -> str | None:
    if link.seq != expected:
        return f"link {expected} of {link.chain} is missing"
    if content is None:
        return f"{link.row_id} of {link.chain} was deleted"
    if link.content_hash != content:
        return f"{link.row_id} of {link.chain} was changed"
    if link.previous_hash != previous or link.hash != hashing.chained(previous, content):
        return (
            f"link {link.seq} of {link.chain} ({link.row_id}) does not follow from the one before"
        )
    return None


def _event_order(session: Session) -> Iterator[str | None]:
    count, first, last = session.execute(
        select(func.count(EventLog.seq), func.min(EventLog.seq), func.max(EventLog.seq))
    ).one()
    whole = count == 0 or (first == 1 and last == count)
    yield None if whole else f"{count} events are numbered {first} to {last}"


def _payments(session: Session) -> Iterator[str | None]:
    """Check that each payment stands where its facts put it (invariant I9)."""
    statement = select(Payment).order_by(Payment.id).execution_options(yield_per=_CHUNK)
    for chunk in session.scalars(statement).partitions():
        known: dict[str, list[Fact]] = {payment.id: [] for payment in chunk}
        facts = select(PaymentFact).where(PaymentFact.payment_id.in_(known))
        for row in session.scalars(facts):
            fact = Fact(row.kind, row.said_at, row.amount_minor, row.code, row.message)
            known[row.payment_id].append(fact)
        for payment in chunk:
            yield _payment_problem(session, payment, standing(known[payment.id]))


def _payment_problem(session: Session, payment: Payment, now: Standing) -> str | None:
    if payment.received_minor != now.received_minor:
        return f"{payment.id} has received {payment.received_minor}, its facts say {now.received_minor}"
    if payment.status == now.status:
        return None
    late = now.status == Status.COMPLETED and payment.status in (Status.FAILED, Status.CANCELLED)
    if late and _has_case(session, payment, "PAID_LATE"):
        return None
    return f"{payment.id} is {payment.status}, its facts say {now.status}"


def _has_case(session: Session, payment: Payment, kind: str) -> bool:
    statement = select(ExceptionCase.id).where(
        ExceptionCase.payment_id == payment.id, ExceptionCase.kind == kind
    )
    return session.scalar(statement.limit(1)) is not None


def _booked(session: Session) -> Iterator[str | None]:
    """Check that what each payment received is what the provider's clearing account was debited."""
    booked = (
        select(JournalEntry.payment_id, func.sum(Posting.amount_minor).label("total"))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .where(Posting.address.like("provider:%:clearing"), JournalEntry.payment_id.is_not(None))
        .group_by(JournalEntry.payment_id)
        .subquery()
    )
    statement = select(Payment.id, Payment.received_minor, booked.c.total).outerjoin(
        booked, booked.c.payment_id == Payment.id
    )
    for payment_id, received, total in session.execute(
        statement.execution_options(yield_per=_CHUNK)
    ):
        same = received == int(total or 0)
        yield None if same else f"{payment_id} received {received}, booked {int(total or 0)}"


def _orders(session: Session) -> Iterator[str | None]:
    ended = (Status.FAILED.value, Status.CANCELLED.value)
    paid = (
        select(Payment.order_id, func.sum(Payment.received_minor).label("total"))
        .where(Payment.status.not_in(ended))
        .group_by(Payment.order_id)
        .subquery()
    )
    statement = select(Order.id, Order.paid_minor, paid.c.total).outerjoin(
        paid, paid.c.order_id == Order.id
    )
    for order_id, counted, total in session.execute(statement.execution_options(yield_per=_CHUNK)):
        same = counted == int(total or 0)
        yield (
            None if same else f"{order_id} counts {counted} as paid, its payments {int(total or 0)}"
        )


def _inbox(session: Session) -> Iterator[str | None]:
    """Check that no accepted event is stuck: applied, ignored with a reason, or with a person."""
    statement = select(InboundEvent.id, InboundEvent.state, InboundEvent.due_at).where(
        InboundEvent.state.in_(queue.WAITING)
    )
    for inbound_id, state, due_at in session.execute(statement):
        stuck = due_at < clock.now() - STUCK_AFTER
        yield f"{inbound_id} is {state} and was due at {clock.rfc3339(due_at)}" if stuck else None


CHECKS: dict[str, Callable[[Session], Iterator[str | None]]] = {
    "guards": _guards,
    "trial_balance": _trial_balance,
    "journal_entries": _entries,
    "journal_chain": _chain("journal"),
    "audit_rows": _audit_rows,
    "audit_chain": _chain("audit"),
    "event_order": _event_order,
    "payment_states": _payments,
    "payments_booked": _booked,
    "orders_paid": _orders,
    "inbox": _inbox,
}


def verify(*, progress: Callable[[Check], None] = lambda _: None) -> Report:
    """Run every check over every row and keep the result for the desk.

    Rows that were committed and not linked yet are linked first.
    Writes: chain_links, schedules. Transaction: opens its own.
    """
    chains.link_all(everything=True)
    done: list[Check] = []
    with database.reading() as session:
        for name, rows in CHECKS.items():
            check = _run(name, rows(session))
            done.append(check)
            progress(check)
        length, head = chains.head_of(session, "audit")
    report = Report(str(clock.rfc3339(clock.now())), done, length, head)
    _keep(report)
    return report


def wire(report: Report) -> dict[str, Json]:
    """Write a report as the API and the command show it."""
    return {
        "ok": report.ok,
        "at": report.at,
        "rows": report.rows,
        "chainHead": report.audit_head,
        "chainLength": report.audit_length,
        "checks": [
            {"name": check.name, "ok": check.ok, "rows": check.rows, "firstBad": check.first_bad}
            for check in report.checks
        ],
    }


def _keep(report: Report) -> None:
    values = {
        "name": SCHEDULE,
        "expression": "manual",
        "due_at": clock.after(10 * 365 * 24 * 3600),
        "last_run_at": clock.now(),
        "outcome": wire(report),
    }
    with database.transaction() as session:
        dialect = sqlite if database.is_sqlite() else postgresql
        statement = dialect.insert(Schedule).values(fence=0, **values)
        kept = {"last_run_at": values["last_run_at"], "outcome": values["outcome"]}
        session.execute(statement.on_conflict_do_update(index_elements=[Schedule.name], set_=kept))


def last_report(session: Session) -> dict[str, Json] | None:
    """Give the result of the last run, or None before the first."""
    row = session.get(Schedule, SCHEDULE)
    return row.outcome if row is not None else None
