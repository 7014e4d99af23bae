"""A statement is imported whole or not at all, a file once, and a line once however many files say it."""

from __future__ import annotations

import threading
from datetime import date

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError

from core.errors import AppError, Conflict, InvalidInput
from domain import database
from domain.actors import Actor
from domain.bank import bank_accounts, counterparties, importing
from domain.bank.csv_maps import CsvMap
from domain.bank.importing import Wanted
from models.audit import AuditRow
from models.events import EventLog
from models.statements import BankAccount, BankLine, BankStatement
from tests.domain import banking
from tests.domain.banking import MAPPING, Row, bring, camt, lines, only, sheet
from tests.domain.world import World


def count(model: type) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


@pytest.mark.parametrize("version", ["02", "08"])
def test_a_camt_file_becomes_its_lines(world: World, fin: Actor, version: str) -> None:
    rows = (
        Row(2_500, "Invoice 7", bank="B1", end_to_end="E2E-1"),
        Row(-300, "Fee", bank="B2", name=None, iban=None),
        Row(900, "not yet", bank="B3", status="PDNG"),
    )
    found = bring(fin, camt(*rows, version=version))
    assert (found.opening_minor, found.closing_minor, found.lines) == (10_000, 12_200, 2)
    fee, paid = lines()
    assert (fee.amount_minor, fee.reference, fee.counterparty_sealed) == (-300, "Fee", None)
    assert (paid.booked_on, paid.end_to_end_id, paid.bank_reference) == (
        banking.DAY,
        "E2E-1",
        "B1",
    )
    assert b"Jane" not in (paid.counterparty_sealed or b"")
    with database.reading() as session:
        shown = counterparties.open_line(session.get_one(BankLine, paid.id))
    assert (shown.name, shown.number) == ("Jane Doe", "GB33BUKB20201555555555")
    assert (shown.masked().name, shown.masked().number) == ("J…", "…5555")


def test_a_csv_file_becomes_its_lines_and_its_mapping_is_kept(world: World, fin: Actor) -> None:
    found = bring(fin, sheet(Row(2_500), Row(-300)), mapping=MAPPING)
    assert (found.opening_minor, found.closing_minor) == (10_000, 12_200)
    assert [row.amount_minor for row in lines()] == [-300, 2_500]
    with database.reading() as session:
        assert bank_accounts.mapping_of(session, "main") == MAPPING
        assert bank_accounts.mapping_of(session, "other") is None


def test_an_import_is_told_and_written_down(world: World, fin: Actor) -> None:
    found = bring(fin, camt(Row(bank="B1")))
    with database.reading() as session:
        told = session.scalars(select(EventLog).where(EventLog.object_id == found.id)).one()
        act = session.scalars(select(AuditRow).where(AuditRow.object_id == found.id)).one()
    assert (told.type, told.audience, told.body["unmatched"]) == ("statement.imported", "staff", 1)
    assert (act.action, act.actor) == ("statement.import", fin.id)


def test_a_file_is_imported_once(world: World, fin: Actor) -> None:
    first = bring(fin, camt(Row(bank="B1")))
    for account in ("main", "second"):
        with pytest.raises(Conflict, match="imported already") as refused:
            bring(fin, camt(Row(bank="B1")), account=account)
        assert refused.value.details == {"link": f"/bank/statements/{first.id}"}
    assert (count(BankStatement), count(BankLine)) == (1, 1)


def test_a_line_that_two_files_say_is_one_line(world: World, fin: Actor) -> None:
    bring(fin, camt(Row(100, bank="B1"), Row(200, bank="B2")))
    later = bring(fin, camt(Row(200, bank="B2"), Row(300, bank="B3"), opening=10_100))
    assert [row.amount_minor for row in lines()] == [100, 200, 300]
    with database.reading() as session:
        assert importing.counts(session, [later.id])[later.id].total() == 1


def test_lines_that_only_look_alike_stay_apart(world: World, fin: Actor) -> None:
    coffee = Row(-350, "Coffee", name="Bar")
    bring(fin, sheet(coffee, coffee, Row(100, bank="B1"), Row(200, bank="B1")), mapping=MAPPING)
    assert [row.amount_minor for row in lines()] == [-350, -350, 100, 200]
    again = sheet(coffee, coffee, coffee, Row(200, bank="B1"), opening=10_300)
    bring(fin, again, mapping=MAPPING)
    assert [row.amount_minor for row in lines()] == [-350, -350, -350, 100, 200]


def test_lines_that_do_not_lead_to_the_balance_are_refused(world: World, fin: Actor) -> None:
    with pytest.raises(InvalidInput) as refused:
        bring(fin, camt(Row(bank="B1"), closing=12_501))
    assert refused.value.code == "BALANCE_MISMATCH"
    assert (refused.value.details["expected"], refused.value.details["found"]) == (
        "125.00",
        "125.01",
    )
    broken = sheet(Row(100), Row(200), Row(300)).replace(b"103.00", b"103.50")
    with pytest.raises(InvalidInput) as refused:
        bring(fin, broken, mapping=MAPPING)
    assert (refused.value.code, refused.value.details["line"]) == ("BALANCE_MISMATCH", 3)
    assert (count(BankStatement), count(BankLine), count(BankAccount)) == (0, 0, 0)


def test_the_newest_line_may_come_first(world: World, fin: Actor) -> None:
    head, *rows = sheet(Row(100), Row(-250), Row(300)).splitlines(keepends=True)
    found = bring(fin, b"".join([head, *reversed(rows)]), mapping=MAPPING)
    assert (found.opening_minor, found.closing_minor) == (10_000, 10_150)


def test_the_statement_of_another_account_is_refused(world: World, fin: Actor) -> None:
    bring(fin, camt(Row(bank="B1")))
    other = camt(Row(bank="B2"), number="GB33BUKB20201555555555")
    with pytest.raises(Conflict, match="ends with 3000, the statement's with 5555"):
        bring(fin, other)
    assert count(BankStatement) == 1


@pytest.mark.parametrize("account", ["", "a:b", "ma\nin", "x" * 41])
def test_an_account_has_a_name_that_the_chart_knows(world: World, fin: Actor, account: str) -> None:
    with pytest.raises(InvalidInput):
        bring(fin, camt(Row()), account=account)


def test_a_card_number_in_a_reference_is_masked(world: World, fin: Actor) -> None:
    bring(fin, camt(Row(reference="paid with 4242 4242 4242 4242 thanks")))
    assert "4242" not in only().reference and "thanks" in only().reference


def test_a_csv_needs_a_mapping(world: World, fin: Actor) -> None:
    with pytest.raises(InvalidInput, match="how this account's CSV reads"):
        importing.check(Wanted("main", "csv", sheet(Row()), None))


def test_a_line_that_a_long_file_says_again_much_later_is_another_line(
    world: World, fin: Actor
) -> None:
    same = Row(200, "Coffee", bank="B1")
    between = [Row(100 + no, f"Tea {no}") for no in range(importing.CHUNK)]
    bring(fin, sheet(same, *between, same), mapping=MAPPING)
    assert count(BankLine) == importing.CHUNK + 2
    bring(fin, sheet(same, *between, same, opening=20_000), mapping=MAPPING)
    assert count(BankLine) == importing.CHUNK + 2


def test_the_same_file_sent_twice_at_once_is_imported_once(world: World, fin: Actor) -> None:
    body = camt(*(Row(100 + no, bank=f"B{no}") for no in range(20)))
    ready, ends = threading.Barrier(4), list[str]()

    def send(account: str) -> None:
        ready.wait()
        try:
            bring(fin, body, account=account)
            ends.append("imported")
        except AppError as error:
            ends.append(error.code)

    # Under two names of accounts as well, where the turns are others.
    threads = [threading.Thread(target=send, args=(name,)) for name in ("a", "a", "b", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["STATEMENT_IMPORTED"] * 3 + ["imported"]
    assert (count(BankStatement), count(BankLine)) == (1, 20)


def test_overlapping_files_at_once_leave_each_line_once(world: World, fin: Actor) -> None:
    files = [
        camt(*(Row(100 + no, bank=f"B{no}") for no in range(first, first + 10)), name=f"S{first}")
        for first in (0, 5, 8)
    ]
    ready = threading.Barrier(len(files))

    def send(body: bytes) -> None:
        ready.wait()
        bring(fin, body)

    threads = [threading.Thread(target=send, args=(body,)) for body in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row.amount_minor for row in lines()] == list(range(100, 118))


def test_a_failure_in_the_middle_leaves_nothing(
    world: World, fin: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = sheet(*(Row(100 + no) for no in range(1_200)))
    chunks = []
    write = importing._Writer.write

    def failing(writer: importing._Writer) -> None:
        chunks.append(len(writer.waiting))
        if len(chunks) == 3:
            raise RuntimeError("the machine is gone")
        write(writer)

    # Nothing outside can be made to fail between two chunks of one transaction.
    monkeypatch.setattr(importing._Writer, "write", failing)
    with pytest.raises(RuntimeError):
        bring(fin, body, mapping=MAPPING)
    assert chunks == [500, 500, 200]
    assert (count(BankStatement), count(BankLine), count(BankAccount)) == (0, 0, 0)
    monkeypatch.setattr(importing._Writer, "write", write)
    assert bring(fin, body, mapping=MAPPING).lines == 1_200
    assert count(BankLine) == 1_200


def test_what_a_bank_said_cannot_be_changed(world: World, fin: Actor) -> None:
    bring(fin, camt(Row(bank="B1")))
    line_id = only().id
    own = BankLine.id == line_id
    for act in (
        update(BankLine).where(own).values(amount_minor=1),
        update(BankLine).where(own).values(reference="x"),
        update(BankLine).where(own).values(booked_on=date(2026, 1, 1)),
        delete(BankLine).where(own),
    ):
        with pytest.raises(DBAPIError, match="never changes"), database.transaction() as session:
            session.execute(act)
    assert (only().amount_minor, only().reference) == (2_500, "Invoice 7")


def test_a_mapping_must_say_day_amount_and_currency(world: World, fin: Actor) -> None:
    with pytest.raises(InvalidInput, match="the currency"):
        bring(fin, sheet(Row()), mapping=CsvMap(columns=MAPPING.columns))


def test_references_full_of_names_are_looked_up_too(world: World, fin: Actor) -> None:
    rows = (
        Row(100 + no, " ".join(f"a{no}_{word}b" for word in range(30)), bank=f"B{no}")
        for no in range(520)
    )
    assert bring(fin, camt(*rows)).lines == 520
    assert {row.state for row in lines()} == {"unmatched"}
