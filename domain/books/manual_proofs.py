"""What people posted by hand, proved: each entry says what two people agreed to, each reversal is a mirror."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, aliased

from core.money import Money, asset
from core.money_out import Act
from core.states import Approval as State
from core.strictjson import Json
from models.control import Approval
from models.ledger import JournalEntry, Posting

MANUAL = "manual"
_CHUNK = 500


def is_by_hand() -> ColumnElement[bool]:
    """Choose entries that people wrote, and the reversals of such; for statements over `JournalEntry`."""
    written = aliased(JournalEntry)
    of_written = select(written.id).where(written.kind == MANUAL)
    return or_(
        JournalEntry.kind == MANUAL,
        # Most entries reverse nothing, and nothing is in no list: said for the database's three values.
        JournalEntry.reverses_id.is_not(None) & JournalEntry.reverses_id.in_(of_written),
    )


def entries(session: Session) -> Iterator[str | None]:
    """Check that each entry by hand, and each reversal of one, is what two people agreed to.

    Nobody posts one without an approval that was carried out, and what it was bound to is in the entry.
    """
    statement = select(JournalEntry).where(is_by_hand()).order_by(JournalEntry.id)
    with session.scalars(statement.execution_options(yield_per=_CHUNK)) as rows:
        for chunk in rows.partitions():
            lines = _lines(session, [entry.id for entry in chunk])
            named = [entry.source.removeprefix("approval:") for entry in chunk]
            found = select(Approval).where(Approval.id.in_(named))
            approvals = {row.id: row for row in session.scalars(found)}
            for entry, name in zip(chunk, named, strict=True):
                problem = _problem(entry, lines[entry.id], approvals.get(name))
                yield None if problem is None else f"{entry.id} {problem}"


def _problem(
    entry: JournalEntry, lines: Sequence[Posting], approval: Approval | None
) -> str | None:
    act = Act.MANUAL_ENTRY if entry.kind == MANUAL else Act.ENTRY_REVERSAL
    if approval is None or approval.kind != act.value:
        return "was posted by hand, and nobody agreed to it"
    if approval.state != State.EXECUTED.value or approval.result.get("entryId") != entry.id:
        return f"was posted by hand, and {approval.id} did not post it"
    said = approval.details
    if said.get("postings") != _movements(lines):
        return f"does not post what {approval.id} agreed to"
    ties = (entry.order_id, entry.invoice_id, entry.provider_reference, entry.note)
    names = ("invoiceId", "providerReference", "note")
    agreed = (approval.order_id, *(said.get(name) for name in names))
    if ties != agreed:
        return f"is tied to other things than {approval.id} agreed to"
    due = None if entry.reversal_due_on is None else entry.reversal_due_on.isoformat()
    if due != said.get("reversalDueOn"):
        return f"is due to be reversed on another day than {approval.id} agreed to"
    return None


def _movements(lines: Sequence[Posting]) -> list[Json] | None:
    """Write lines as movements; None when somebody changed them so that they are none."""
    found: list[Json] = []
    if len(lines) % 2:
        return None
    for debit, credit in zip(lines[::2], lines[1::2], strict=True):
        if debit.asset != credit.asset or debit.amount_minor != -credit.amount_minor:
            return None
        try:
            amount = Money(debit.amount_minor, asset(debit.asset))
        except ValueError:
            return None
        found.append(
            {
                "debit": debit.address,
                "credit": credit.address,
                "amount": amount.major(),
                "currency": amount.asset.code,
            }
        )
    return found


def reversals(session: Session) -> Iterator[str | None]:
    """Check that each reversal moves back exactly what its entry moved."""
    statement = select(JournalEntry.id, JournalEntry.reverses_id).where(
        JournalEntry.reverses_id.is_not(None)
    )
    ordered = statement.order_by(JournalEntry.id).execution_options(yield_per=_CHUNK)
    with session.execute(ordered) as rows:
        for chunk in rows.partitions():
            pairs = [(entry_id, str(reversed_id)) for entry_id, reversed_id in chunk]
            lines = _lines(session, [each for pair in pairs for each in pair])
            for entry_id, reversed_id in pairs:
                same = _sums(lines[entry_id], 1) == _sums(lines[reversed_id], -1)
                yield None if same else f"{entry_id} is no mirror of {reversed_id}"


def _lines(session: Session, ids: Sequence[str]) -> dict[str, list[Posting]]:
    found: dict[str, list[Posting]] = {entry_id: [] for entry_id in ids}
    statement = select(Posting).where(Posting.entry_id.in_(ids))
    for line in session.scalars(statement.order_by(Posting.entry_id, Posting.line)):
        found[line.entry_id].append(line)
    return found


def _sums(lines: Sequence[Posting], sign: int) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for line in lines:
        key = (line.address, line.asset)
        found[key] = found.get(key, 0) + sign * line.amount_minor
    return found
