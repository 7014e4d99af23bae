"""Importing a statement: read and proved before anything is written, then written whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.bank_references import key_of
from core.errors import Conflict, invalid
from core.strictjson import Json
from domain import audit, events
from domain.actors import Actor
from domain.bank import bank_accounts, camt, counterparties, csv_files, said, suggesting
from domain.bank.counterparties import Counterparty
from domain.bank.csv_maps import CsvMap
from domain.bank.said import Head, SaidLine, Take
from domain.bank.seen import Seen
from domain.database import is_one_of
from models.statements import BankLine, BankStatement

FORMATS = ("camt053", "csv")
CHUNK = 500


@dataclass(frozen=True)
class Wanted:
    """What somebody sends. mapping: how a CSV reads; CAMT needs none. demo: made up, for the sandbox."""

    account: str
    format: str
    body: bytes
    mapping: CsvMap | None = None
    demo: bool = False

    def read(self, take: Take) -> Head:
        """Read the file and hand on its lines.

        Raises: InvalidInput STATEMENT_UNREADABLE, BALANCE_MISMATCH
        """
        if self.format == "camt053":
            return camt.read(self.body, take)
        if self.mapping is None:
            raise invalid("mapping", "Say how this account's CSV reads; nothing is kept for it.")
        return csv_files.read(self.body, self.mapping, take)


@dataclass(frozen=True)
class Checked:
    """A file that was read once from end to end, and is what it says."""

    wanted: Wanted
    head: Head
    sha256: str


def check(wanted: Wanted) -> Checked:
    """Read a file before any transaction is open: all of it can be read, and its balances are right.

    Raises: InvalidInput STATEMENT_UNREADABLE, BALANCE_MISMATCH
    """
    bank_accounts.of_name(wanted.account, field="accountId")
    if wanted.format not in FORMATS:
        raise invalid("format", "A statement is camt053 or csv.")
    if not wanted.body:
        raise said.unreadable("the file is empty.")
    if len(wanted.body) > said.LARGEST_FILE:
        raise said.unreadable("a file has at most 10 MiB.")
    head = wanted.read(lambda _: None)
    return Checked(wanted, head, hashing.sha256(wanted.body))


def put(session: Session, checked: Checked, *, actor: Actor, source: str) -> BankStatement:
    """Keep a statement and its lines; a line that an earlier file said already is not kept again.

    Writes: bank_statements, bank_lines, bank_accounts, audit_log. Emits: statement.imported.
    Raises: Conflict when the file was imported, or is of another account. Transaction: caller's.
    """
    account = bank_accounts.take_turn(session, checked.wanted.account)
    _assert_new(session, checked.sha256)
    head = checked.head
    bank_accounts.recognise(account, head.number)
    if checked.wanted.mapping is not None and head.format == "csv":
        account.mapping = checked.wanted.mapping.wire()
    statement = BankStatement(
        id=ids.new("bst"),
        account=account.name,
        format=head.format,
        file_sha256=checked.sha256,
        bank_reference=head.bank_reference,
        from_on=head.from_on,
        to_on=head.to_on,
        asset=str(head.unit),
        opening_minor=head.opening.minor if head.opening else None,
        closing_minor=head.closing.minor if head.closing else None,
        lines=head.lines,
        imported_by=actor.id,
        imported_at=clock.now(),
        livemode=bank_accounts.is_live(),
        demo=checked.wanted.demo,
    )
    _insert(session, statement)
    writer = _Writer(session, statement)
    checked.wanted.read(writer.take)
    writer.write()
    _tell(session, statement, actor=actor, source=source)
    return statement


def find_file(session: Session, sha256: str) -> BankStatement | None:
    """Find the statement that a file became. Transaction: caller's, reads only."""
    return session.scalars(select(BankStatement).where(BankStatement.file_sha256 == sha256)).first()


def _assert_new(session: Session, sha256: str) -> None:
    known = find_file(session, sha256)
    if known is not None:
        raise _imported(known.id)


def _imported(statement_id: str | None) -> Conflict:
    details = {"link": f"/bank/statements/{statement_id}"} if statement_id else {}
    return Conflict("That file was imported already.", code="STATEMENT_IMPORTED", details=details)


def _insert(session: Session, statement: BankStatement) -> None:
    try:
        with session.begin_nested():
            session.add(statement)
            session.flush()
    except IntegrityError as error:
        # The same file under another account's name, at the same moment.
        raise _imported(None) from error


@dataclass
class _Writer:
    """Writes lines as they come, some hundreds at a time."""

    session: Session
    statement: BankStatement
    waiting: list[SaidLine] = field(default_factory=list)
    # How often this file has said the same, and the rows that it has claimed.
    times: Counter[str] = field(default_factory=Counter)
    claimed: set[str] = field(default_factory=set)

    def take(self, line: SaidLine) -> None:
        """Keep a line until there are enough."""
        self.waiting.append(line)
        if len(self.waiting) >= CHUNK:
            self.write()

    def write(self) -> None:
        """Write what waits: what is new as rows, what a person had typed as the bank's."""
        lines, self.waiting = self.waiting, []
        named = [(line, self._key(line)) for line in lines]
        known = self._known(named)
        taken = {each.line_key for each in known}
        by_name: dict[str, list[BankLine]] = {}
        for each in known:
            by_name.setdefault(each.bank_reference or each.line_key, []).append(each)
        rows: list[dict[str, object]] = []
        seen: list[Seen] = []
        for line, content in named:
            row = self._same(line, content, by_name.get(line.bank_reference or content, ()))
            if row is not None:
                self._adopt(row, line)
                continue
            # A bank may use a reference again for something else.
            key = line.bank_reference or content
            key = content if key in taken else key
            taken.add(key)
            new, looked_at = self._row(key, line)
            rows.append(new)
            seen.append(looked_at)
        if rows:
            found = suggesting.suggest(self.session, seen)
            for values in rows:
                values["state"] = "suggested" if found[str(values["id"])] else "unmatched"
            # With what is missing written out, rows are alike and go in one statement.
            whole = {"render_nulls": True}
            self.session.execute(insert(BankLine), rows, execution_options=whole)

    def _key(self, line: SaidLine) -> str:
        """Name a line by what it says and by how often this file has said that."""
        content = self._content(line, time=1)
        self.times[content] += 1
        return self._content(line, time=self.times[content])

    def _known(self, named: Sequence[tuple[SaidLine, str]]) -> list[BankLine]:
        """Read the rows that may say the same as some lines, or bear their names."""
        references = {line.bank_reference for line, _ in named if line.bank_reference}
        keys = {key for _, key in named} | references
        amounts = {line.amount.minor for line, _ in named}
        own = select(BankLine).where(BankLine.account == self.statement.account)
        by_key = own.where(is_one_of(BankLine.line_key, keys))
        found = {row.id: row for row in self.session.scalars(by_key)}
        if references:
            alike = own.where(
                is_one_of(BankLine.bank_reference, references),
                is_one_of(BankLine.amount_minor, amounts),
            )
            found |= {row.id: row for row in self.session.scalars(alike)}
        return list(found.values())

    def _same(self, line: SaidLine, content: str, known: Sequence[BankLine]) -> BankLine | None:
        """Find the row that says the same as a line, and claim it."""
        for each in known:
            if line.bank_reference is None:
                is_same = each.line_key == content
            else:
                is_same = (
                    each.bank_reference == line.bank_reference
                    and each.amount_minor == line.amount.minor
                    and each.asset == self.statement.asset
                    # Of what a person typed, the day may be off by one.
                    and (each.booked_on == line.booked_on or each.statement_id is None)
                )
            # What this very file said before is another line, however alike.
            is_own = each.statement_id == self.statement.id
            if is_same and not is_own and each.id not in self.claimed:
                self.claimed.add(each.id)
                return each
        return None

    def _content(self, line: SaidLine, *, time: int) -> str:
        """Name a line by what it says, and by how often its file has said that."""
        said_of_it = (
            *(str(line.booked_on), str(line.amount.minor), self.statement.asset),
            *(line.reference, line.end_to_end_id or "", line.bank_reference or ""),
            *(line.counterparty or "", line.number or "", str(time)),
        )
        return "=" + hashing.sha256("\x1f".join(said_of_it).encode())[:32]

    def _adopt(self, row: BankLine, line: SaidLine) -> None:
        """Make what a person had typed the bank's own line."""
        if row.statement_id is not None:
            return
        references = (line.reference, line.end_to_end_id, line.bank_reference)
        values = {
            "statement_id": self.statement.id,
            "no": line.no,
            "booked_on": line.booked_on,
            "value_on": line.value_on,
            "reference": line.reference,
            "end_to_end_id": line.end_to_end_id,
            "reference_key": key_of(" ".join(each for each in references if each)),
        }
        self.session.execute(update(BankLine).where(BankLine.id == row.id).values(values))

    def _row(self, key: str, line: SaidLine) -> tuple[dict[str, object], Seen]:
        line_id, statement = ids.new("bln"), self.statement
        other = Counterparty(line.counterparty, line.number)
        references = (line.reference, line.end_to_end_id, line.bank_reference)
        seen = Seen(
            id=line_id,
            booked_on=line.booked_on,
            amount=line.amount,
            reference=line.reference,
            end_to_end_id=line.end_to_end_id,
            reference_key=key_of(" ".join(each for each in references if each)),
            counterparty=line.counterparty,
            livemode=statement.livemode,
        )
        row: dict[str, object] = {
            "id": line_id,
            "account": statement.account,
            "statement_id": statement.id,
            "no": line.no,
            "line_key": key,
            "bank_reference": line.bank_reference,
            "booked_on": line.booked_on,
            "value_on": line.value_on,
            "asset": statement.asset,
            "amount_minor": line.amount.minor,
            "reference": line.reference,
            "end_to_end_id": line.end_to_end_id,
            "reference_key": seen.reference_key,
            "counterparty_sealed": counterparties.seal(self.session, None, line_id, other),
            "match_no": 0,
            "looked_at": statement.imported_at,
            "livemode": statement.livemode,
            "demo": statement.demo,
            "created_at": statement.imported_at,
        }
        return row, seen


def counts(session: Session, statement_ids: Sequence[str]) -> dict[str, Counter[str]]:
    """Count the lines that statements said first, by state. Transaction: caller's, reads only."""
    found: dict[str, Counter[str]] = {each: Counter() for each in statement_ids}
    statement = (
        select(BankLine.statement_id, BankLine.state, func.count())
        .where(BankLine.statement_id.in_(statement_ids))
        .group_by(BankLine.statement_id, BankLine.state)
    )
    for statement_id, state, count in session.execute(statement):
        found[str(statement_id)][state] = int(count)
    return found


def _tell(session: Session, statement: BankStatement, *, actor: Actor, source: str) -> None:
    session.flush()
    said_first = counts(session, [statement.id])[statement.id]
    said_of_it: dict[str, Json] = {
        "statementId": statement.id,
        "lineId": None,
        "matched": said_first["matched"],
        "unmatched": said_first["unmatched"] + said_first["suggested"],
    }
    event = events.row(
        "statement.imported",
        events.about_staff(statement.id, demo=statement.demo),
        source=source,
        status="imported",
        body=said_of_it,
    )
    events.append(session, [event])
    audit.write(
        session,
        "statement.import",
        actor=actor,
        object_kind="bank_statement",
        object_id=statement.id,
        source=source,
        after={
            "account": statement.account,
            "format": statement.format,
            "sha256": statement.file_sha256,
            "from": str(statement.from_on),
            "to": str(statement.to_on),
            "lines": statement.lines,
        },
    )
