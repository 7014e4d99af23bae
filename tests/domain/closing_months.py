"""Months for tests of periods: a past in which money moved, and all that a month needs to be closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import time_machine
from sqlalchemy import select

from core import clock, ids
from core.money import Money, asset
from core.strictjson import Json
from domain import calendar, database
from domain.actors import Actor
from domain.books import accounts, chains, ledger, verification
from domain.books.ledger import Movement, Ties
from domain.control import approvals
from domain.control.approvals import Decision
from domain.periods import closing, months, reopening
from domain.periods.checklist import Carry
from domain.periods.months import Month
from models.control import Approval
from models.ledger import JournalEntry
from models.periods import Period, PeriodBalance, PeriodClosing
from models.presence import Schedule
from models.reconciliation import ReconciliationRun
from models.watch import Invariant

OCTOBER, NOVEMBER, DECEMBER = "2026-10", "2026-11", "2026-12"


@contextmanager
def at(text: str) -> Iterator[None]:
    """Be at an instant, written as `2026-10-05` or `2026-10-05T12:00`, in UTC."""
    when = datetime.fromisoformat(text).replace(tzinfo=UTC)
    with time_machine.travel(when, tick=True):
        yield


def posted(minor: int = 500, *, took_effect: str | None = None, order: str = "ord_1") -> str:
    """Post an entry into the books, now unless it took effect earlier. Gives its id."""
    effective = datetime.fromisoformat(took_effect).replace(tzinfo=UTC) if took_effect else None
    movement = Movement(
        accounts.clearing("stripe"),
        accounts.unapplied(order.replace("ord", "pay")),
        Money(minor, asset("EUR")),
    )
    with database.transaction() as session:
        return ledger.post(
            session,
            "late_receipt",
            movements=[movement],
            source_key=f"test:{ids.new('evt')}",
            source="test",
            ties=Ties(
                payment_id=order.replace("ord", "pay"),
                provider="stripe",
                provider_reference="pi_test",
            ),
            effective_at=effective,
        )


def compared(*names: str) -> None:
    """Have each month compared with the provider as a whole."""
    with database.transaction() as session:
        for name in names:
            begins, ends = calendar.bounds(name)
            session.add(
                ReconciliationRun(
                    id=ids.new("rec"),
                    provider="stripe",
                    cause="person",
                    window_from=begins,
                    window_to=ends,
                    status="finished",
                    step="done",
                    started_at=clock.now(),
                    finished_at=clock.now(),
                )
            )


def watched(state: str = "green") -> None:
    """Have the monitor look at the rules of the books now."""
    now = clock.now()
    with database.transaction() as session:
        row = session.get(Invariant, "test") or Invariant(name="test", since=now)
        row.state, row.checked_at = state, now
        session.add(row)


def readied(*names: str) -> None:
    """Do what months need before they are closed: compare, watch, prove."""
    compared(*names)
    watched()
    report = verification.verify()
    assert report.ok, [check for check in report.checks if not check.ok]


def prepared(*names: str) -> None:
    """The same, with a proof that is only said: for rows that a test writes past all rules, or in haste."""
    compared(*names)
    watched()
    # The people of a test are older than the months it goes back to.
    chains.link_all(everything=True)
    said: dict[str, Json] = {"ok": True, "at": clock.rfc3339(clock.now())}
    with database.transaction() as session:
        row = session.get(Schedule, verification.SCHEDULE)
        if row is None:
            row = Schedule(name=verification.SCHEDULE, expression="manual", fence=0)
        row.due_at, row.outcome = clock.now(), said
        session.add(row)


def fresh(actor: Actor) -> Actor:
    """Give a person who has just proved themselves."""
    return replace(actor, stepped_up_at=clock.now())


def asked(
    name: str, actor: Actor, *, carried: Sequence[Carry] = (), note: str = "all is in"
) -> Approval:
    """Ask for a month to be closed."""
    with database.transaction() as session:
        return closing.ask(session, name, carried, actor=fresh(actor), source="test", note=note)


def agreed(row: Approval, actor: Actor) -> Decision:
    """Agree to what was asked for."""
    with database.transaction() as session:
        return approvals.agree(
            session, row.id, actor=fresh(actor), content_hash=row.content_hash, reason=None
        )


def closed(name: str, by: Actor, and_by: Actor, *, carried: Sequence[Carry] = ()) -> PeriodClosing:
    """Close a month by two people."""
    decision = agreed(asked(name, by, carried=carried), and_by)
    assert decision.said is None, decision.said
    return newest(name)


def asked_to_reopen(name: str, actor: Actor) -> Approval:
    """Ask for a month to be opened again."""
    with database.transaction() as session:
        return reopening.ask(
            session, name, actor=fresh(actor), source="test", reason="an invoice was forgotten"
        )


def written_closing(name: str = "2020-01") -> str:
    """Write a closing by hand, with one balance, as if two people had closed a month. Gives its id."""
    closing_id, now = ids.new("clo"), clock.now()
    with database.transaction() as session:
        session.add(Period(id=name, state="closed", close_no=1, created_at=now, updated_at=now))
        session.flush()
        session.add(
            PeriodClosing(
                id=closing_id,
                period_id=name,
                no=1,
                asked_by="usr_1",
                agreed_by="usr_2",
                approval_id="apr_1",
                note="all is in",
                checklist=[],
                journal_seq=0,
                journal_head="0" * 64,
                audit_seq=0,
                audit_head="0" * 64,
                snapshot_sha256="0" * 64,
                entries=0,
                zone="UTC",
                closed_at=now,
            )
        )
        session.flush()
        balance = PeriodBalance(closing_id=closing_id, address="dust:stripe", asset="EUR/2")
        balance.opening_minor, balance.closing_minor = 0, 5
        balance.debit_minor, balance.credit_minor = 5, 0
        session.add(balance)
    return closing_id


def euros(minor: int) -> Money:
    return Money(minor, asset("EUR"))


def month(name: str) -> Month:
    with database.reading() as session:
        return months.get_month(session, name)


def state(name: str) -> str:
    with database.reading() as session:
        row = session.get(Period, name)
        return row.state if row else "open"


def newest(name: str) -> PeriodClosing:
    found = month(name).newest
    assert found is not None
    return found


def entry(entry_id: str) -> JournalEntry:
    with database.reading() as session:
        return session.scalars(select(JournalEntry).where(JournalEntry.id == entry_id)).one()
