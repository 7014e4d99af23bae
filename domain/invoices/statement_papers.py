"""What the document of an account's statement says: one account in one currency over a span, up to one line.

It names accounts by their ids and merchants by their names, people and notes never: whoever is erased
is in none, so no person's key seals it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import chart, clock, entry_kinds, hashing
from core.chart import RESERVED, Side
from core.errors import NotFound
from core.money import Money
from core.strictjson import Json
from domain import calendar
from domain.books import balances, book_queries, statements
from domain.books.book_queries import Line
from domain.invoices.paper_kinds import Kind
from domain.people.people import house_merchant
from models.invoices import Document
from models.ledger import JournalEntry, LedgerAccount
from models.people import Merchant
from printing.contents import MOST_LINES, Party, Statement, StatementLine, Subtotal
from providers import registry

_FEES, _EXCHANGE = ("fee", "dispute_fee"), ("exchange",)
_SUBTOTALS: Sequence[tuple[str, Sequence[str]]] = (("Fees", _FEES), ("Exchange", _EXCHANGE))
# Who stands behind an account that is not the house's, by the first part of its address.
_HOLDERS: Mapping[str, str] = {
    "buyer": "Person {id}",
    "user": "Person {id}",
    "seller": "Person {id}",
    "order": "The buyer of order {id}",
    "payment": "The payer of payment {id}",
}


@dataclass(frozen=True)
class Span:
    """From when, inclusive, to when, exclusive; None: from the beginning, up to now."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class Asked:
    """A statement as it was asked for. last: the place of its newest line, so that later ones are not in it.

    through: the last day that it speaks of; lines: how many, at most one more than a document takes;
    closing: what it ends with, in minor units.
    """

    account: str
    asset: str
    span: Span
    through: date
    last: tuple[str, int] | None
    lines: int
    closing: int
    at: datetime

    @property
    def id(self) -> str:
        """Name the statement after what it says: whoever asks twice is given the same one."""
        said = {name: str(value) for name, value in self.wire().items() if name != "at"}
        return f"stm_{hashing.digest(said)[:32]}"

    def wire(self) -> dict[str, Json]:
        """Write it down as its document keeps it."""
        return {
            "account": self.account,
            "asset": self.asset,
            "since": _exact(self.span.since),
            "until": _exact(self.span.until),
            "through": self.through.isoformat(),
            "last": f"{self.last[0]}:{self.last[1]}" if self.last else None,
            "lines": self.lines,
            "closing": str(self.closing),
            "at": _exact(self.at),
        }


def _exact(at: datetime | None) -> str | None:
    """Write an instant so that the same lines lie within when it is read again."""
    return at.isoformat() if at is not None else None


def read(said: Mapping[str, Json]) -> Asked:
    """Read what `Asked.wire` wrote."""

    def at(name: str) -> datetime | None:
        return datetime.fromisoformat(str(said[name])) if said[name] else None

    entry_id, _, line = str(said["last"] or "").rpartition(":")
    asked_at = at("at")
    assert asked_at is not None  # as `wire` writes it
    return Asked(
        account=str(said["account"]),
        asset=str(said["asset"]),
        span=Span(at("since"), at("until")),
        through=date.fromisoformat(str(said["through"])),
        last=(entry_id, int(line)) if entry_id else None,
        lines=int(str(said["lines"])),
        closing=int(str(said["closing"])),
        at=asked_at,
    )


def of_account(
    session: Session, row: LedgerAccount, span: Span, *, closing: Money | None = None
) -> Asked:
    """Say which statement an account has over a span as its books stand.

    closing: what the span ends with, where it was read already. Transaction: caller's, reads only.
    """
    now = clock.now()
    if closing is None:
        ends = statements.of_accounts(session, [row], since=span.since, until=span.until)
        closing = ends[row.address, row.asset].closing
    places = book_queries.places_within(
        session, row, limit=MOST_LINES + 1, posted_from=span.since, posted_to=span.until
    )
    last_moment = now if span.until is None else min(now, span.until - timedelta(microseconds=1))
    return Asked(
        account=row.address,
        asset=row.asset,
        span=span,
        through=calendar.day_of(last_moment),
        last=places[0] if places else None,
        lines=len(places),
        closing=closing.minor,
        at=now,
    )


def why_not(asked: Asked) -> str | None:
    """Say why a statement is not printed; None: it can be."""
    if asked.lines > MOST_LINES:
        return f"More than {MOST_LINES:,} lines: export them as CSV, or choose fewer days."
    since, until = asked.span.since, asked.span.until
    if since is not None and until is not None and since >= until:
        return "The last day lies before the first."
    if since is not None and since > asked.at:
        return "These days are still to come."
    return None


def find(session: Session, statement_id: str) -> Document | None:
    """Find a statement that was asked for. Transaction: caller's, reads only."""
    own = Document.object_kind == Kind.STATEMENT.value, Document.object_id == statement_id
    return session.scalars(select(Document).where(*own)).first()


def content_of(session: Session, statement_id: str) -> Statement:
    """Gather what a statement says. Raises: NotFound. Transaction: caller's, reads only."""
    found = find(session, statement_id)
    if found is None:
        raise NotFound
    asked = read(found.asked)
    row = session.get(LedgerAccount, (asked.account, asked.asset))
    if row is None:
        raise NotFound
    lines = _lines(session, row, asked)
    entries = book_queries.entries_named(session, [line.entry_id for line in lines])
    ends = statements.of_accounts(session, [row], since=asked.span.since, until=asked.span.until)
    opening, side = ends[row.address, row.asset].opening.minor, balances.own_side(row.kind)
    shown, closing = _walk(lines, entries, opening, side)
    merchants = _merchants(session, row)
    return Statement(
        title="Account statement",
        account=row.address,
        label=_label(row.address, merchants),
        holder=_holder(session, row, merchants),
        asset=row.asset,
        since=calendar.day_of(asked.span.since or row.created_at),
        through=asked.through,
        opening_minor=opening,
        lines=shown,
        closing_minor=closing,
        prepared_at=asked.at,
        zone=str(calendar.zone()),
        credit_grows=side < 0,
        note=_note(asked),
        is_test=not any(each.mode == "live" for each in registry.every()),
        prepared_by=house_merchant(session).name,
        subtotals=_subtotals(lines, entries),
    )


def _lines(session: Session, row: LedgerAccount, asked: Asked) -> list[Line]:
    """Read the lines up to the last one, oldest first.

    Raises: ValueError when they are more than a document takes.
    """
    if asked.last is None:
        return []
    found: list[Line] = []
    place: tuple[str, int] | None = (asked.last[0], asked.last[1] + 1)
    while place is not None and len(found) <= MOST_LINES:
        lines, place = book_queries.list_lines(
            session,
            row,
            limit=MOST_LINES,
            before=place,
            posted_from=asked.span.since,
            posted_to=asked.span.until,
        )
        found += lines
    if len(found) > MOST_LINES:
        raise ValueError("more lines than a document takes")
    return found[::-1]


def _walk(
    lines: Sequence[Line], entries: Mapping[str, JournalEntry], opening: int, side: int
) -> tuple[tuple[StatementLine, ...], int]:
    """Write the lines with the balance after each, from the opening one. Gives the closing one too."""
    found, balance = [], opening
    for line in lines:
        minor = line.amount.minor
        balance += side * (minor if line.is_debit else -minor)
        entry = entries[line.entry_id]
        found.append(
            StatementLine(
                on=calendar.day_of(line.at),
                description=_what(entry),
                reference="\n".join(filter(None, (entry.payment_id or entry.order_id, entry.id))),
                debit_minor=minor if line.is_debit else None,
                credit_minor=None if line.is_debit else minor,
                balance_minor=balance,
            )
        )
    return tuple(found), balance


def _what(entry: JournalEntry) -> str:
    said = entry_kinds.label_of(entry.kind)
    took_effect = calendar.day_of(entry.effective_at)
    if took_effect == calendar.day_of(entry.posted_at):
        return said
    return f"{said}\nTook effect {took_effect.day} {took_effect:%b %Y}"


def _subtotals(lines: Sequence[Line], entries: Mapping[str, JournalEntry]) -> tuple[Subtotal, ...]:
    """Add up what went for fees and by exchange; what did not occur has no row."""
    found = []
    for label, kinds in _SUBTOTALS:
        own = [line for line in lines if entries[line.entry_id].kind in kinds]
        if own:
            debits = sum(line.amount.minor for line in own if line.is_debit)
            credited = sum(line.amount.minor for line in own if not line.is_debit)
            found.append(Subtotal(label, debits, credited))
    return tuple(found)


def _parts(address: str) -> Mapping[str, str]:
    pattern = chart.find(address)
    return (pattern.parts_of(address.removesuffix(RESERVED)) or {}) if pattern else {}


def _merchants(session: Session, row: LedgerAccount) -> Mapping[str, str]:
    """Name the merchant that an address speaks of, by its id."""
    found = session.get(Merchant, _parts(row.address).get("merchant", ""))
    return {found.id: found.name} if found is not None else {}


def _label(address: str, merchants: Mapping[str, str]) -> str:
    providers = {each.name: each.label for each in registry.every()}

    def say(part: str, value: str) -> str:
        return (providers if part == "provider" else merchants).get(value, value)

    return chart.label_of(address, say)


def _holder(session: Session, row: LedgerAccount, merchants: Mapping[str, str]) -> Party:
    pattern, parts = chart.find(row.address), _parts(row.address)
    if pattern is not None and pattern.side != Side.HOUSE:
        for part, value in parts.items():
            if part in _HOLDERS:
                return Party(_HOLDERS[part].format(id=value))
            if value in merchants:
                return Party(merchants[value], identifier=value)
    return Party(house_merchant(session).name)


def _note(asked: Asked) -> str:
    until = asked.span.until
    by_posting = "Each line stands on the day on which it was posted."
    if until is not None and until <= asked.at:
        return by_posting
    return f"{by_posting} The time is not over: what is posted later is not in this statement."
