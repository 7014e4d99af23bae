"""`flask verify`: proves the books, the chains, the event order and every payment's state, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock
from core.strictjson import Json
from domain import database
from domain.books import account_proofs, chains, manual_proofs, proofs, standings, wallet_proofs
from domain.disputes import dispute_proofs
from domain.invoices import invoice_proofs
from domain.periods import certificate_seals, period_proofs
from domain.reconciliation import booking_proofs
from domain.refunds import refund_proofs
from domain.watch import checkpoint_proofs
from models.presence import Schedule

SCHEDULE = "verify"


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


# What reading a row raises that says what no row of ours says.
_UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, AssertionError)


def run_check(name: str, rows: Iterator[str | None]) -> Check:
    """Read a proof up to the first row that fails it; one that cannot even be read fails it."""
    count = 0
    try:
        for problem in rows:
            count += 1
            if problem is not None:
                return Check(name, count, problem)
    except _UNREADABLE as error:
        return Check(name, count, f"after {count} rows one cannot be read: {error}")
    return Check(name, count, None)


CHECKS: dict[str, Callable[[Session], Iterator[str | None]]] = {
    "guards": proofs.guards_stand,
    "trial_balance": proofs.trial_balance,
    "accounts": account_proofs.charted,
    "kept_balances": account_proofs.kept,
    "journal_entries": proofs.entries,
    "journal_chain": proofs.chain("journal"),
    "journal_orphans": proofs.orphans,
    "audit_rows": proofs.audit_rows,
    "audit_chain": proofs.chain("audit"),
    "checkpoints": checkpoint_proofs.signed,
    "event_order": proofs.event_order,
    "payment_states": standings.payments,
    "histories": standings.histories,
    "payments_asked": standings.asked,
    "payments_booked": standings.booked,
    "payments_refunded": refund_proofs.payments,
    "refunds": refund_proofs.refunds,
    "payments_marked": standings.marked,
    "payments_credited": standings.credited,
    "disputes": dispute_proofs.disputes,
    "release_holds": dispute_proofs.holds,
    "orders_paid": standings.orders,
    "invoice_numbers": invoice_proofs.series,
    "invoices": invoice_proofs.standings,
    "invoices_void": invoice_proofs.voided,
    "credit_notes": invoice_proofs.credited,
    "wallet_credits": wallet_proofs.credited,
    "wallets": wallet_proofs.balances,
    "manual_entries": manual_proofs.entries,
    "reversals": manual_proofs.reversals,
    "provider_bookings": booking_proofs.posted,
    "clearing": booking_proofs.cleared,
    "payouts_matched": booking_proofs.matched,
    "periods": period_proofs.states,
    "period_closings": period_proofs.signed,
    "period_snapshots": period_proofs.balances,
    "entry_months": period_proofs.entry_months,
    "certificates": certificate_seals.proofs,
    "inbox": standings.inbox,
}


def verify(*, progress: Callable[[Check], None] = lambda _: None) -> Report:
    """Run every check over every row and keep the result for the desk.

    Rows that were committed and not linked yet are linked first.
    Writes: chain_links, schedules. Transaction: opens its own.
    """
    chains.link_all(everything=True)
    done: list[Check] = []
    with database.reading() as session:
        checkpoint_proofs.look_ahead(session)
        for name, rows in CHECKS.items():
            check = run_check(name, rows(session))
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
