"""A document is printed once, from what was issued, and is the same bytes for ever; what fails, people see."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

import config
from core.errors import Conflict, IllegalTransition, LostRace, NotFound
from core.vault import CannotOpen
from domain import database
from domain.actors import Actor, system
from domain.invoices import document_views, documents, papers
from domain.invoices.document_views import Damaged, NotPrinted, Paper
from domain.invoices.paper_kinds import Kind
from domain.jobs import printing
from domain.jobs import secrets as duties
from domain.secrets import keyring, reencryption
from domain.transitions import Why, move
from models.audit import AuditRow
from models.events import EventLog
from models.invoices import Document, Invoice
from printing.contents import Bill
from printing.printers import NotInstalled, PrinterDied, Unprintable
from tests.domain import invoicing, refunding
from tests.domain import papers as sheets
from tests.domain.papers import FakePress
from tests.domain.world import World

WHY = Why(system("test"), "test")


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePress]:
    with sheets.faked(monkeypatch) as made:
        yield made


@pytest.fixture
def real_press() -> Iterator[None]:
    yield
    printing.close()


def test_an_invoice_is_printed_by_a_process_of_its_own(world: World, real_press: None) -> None:
    order = sheets.billed(world)
    waiting = sheets.read(world, order)
    assert isinstance(waiting, NotPrinted) and waiting.retry_after == 2
    assert sheets.print_all() == 1
    body = sheets.body_of(world, order)
    assert body.startswith(b"%PDF-1.7")
    with database.transaction() as session:
        xml = document_views.get_xml(session, order.id, actor=world.bo, source="test")
    assert isinstance(xml, Paper) and b"urn:cen.eu:en16931:2017" in xml.body
    row = sheets.row_of(order)
    assert row.sealed_pdf is not None and b"%PDF" not in row.sealed_pdf
    assert (row.state, row.attempts, row.fence, row.due_at) == ("printed", 1, 1, None)
    assert row.pdf_bytes == len(body)


def test_a_document_shows_what_was_issued_whatever_is_paid_since(
    world: World, press: FakePress
) -> None:
    order = sheets.billed(world, deposit=2_500)
    sheets.print_all()
    first = sheets.body_of(world, order)
    with database.reading() as session:
        deposit = sheets.invoice_of(order)
        said = papers.content_of(session, "invoice", deposit.id)
    world.deliver_and_apply(world.paid(world.begin(order)[1]))
    invoicing.work()
    assert next(row.status for row in invoicing.of_order(order)) == "confirmed"
    with database.reading() as session:
        later = papers.content_of(session, "invoice", deposit.id)
    assert isinstance(said, Bill) and isinstance(later, Bill)
    assert said.pay_url is not None and said.due_minor == 2_500
    assert later.pay_url is None and later.due_minor == 0, "what is paid asks for no money"
    assert replace(later, pay_url=said.pay_url, prepaid_minor=0) == said
    assert sheets.print_all() >= 1, "the final invoice has a document of its own"
    final = press.bills[-1]
    assert [each.of.number for each in final.deducted] == [said.number]  # type: ignore[union-attr]
    assert sheets.body_of(world, order) != first
    with database.transaction() as session:
        old = document_views.get_pdf(session, deposit.id, actor=world.bo, source="test")
    assert isinstance(old, Paper) and old.body == first
    assert len({row.object_id for row in sheets.rows()}) == len(sheets.rows()) == 2


def test_a_credit_note_has_a_document_and_names_its_invoice(
    world: World, press: FakePress, fin: Actor
) -> None:
    order = sheets.billed(world)
    payment = world.begin(order)[1]
    world.deliver_and_apply(world.paid(payment))
    refunding.ask(payment, 2_500, fin)
    refunding.send_all()
    invoicing.work()
    (note,) = invoicing.notes()
    sheets.print_all()
    bill = press.bills[-1]
    assert bill.document == "credit_note" and bill.total_minor == 2_500
    assert bill.of is not None and bill.of.number == sheets.invoice_of(order).number
    with database.transaction() as session:
        paper = document_views.get_credit_note_pdf(session, note.id, actor=world.bo, source="test")
    assert isinstance(paper, Paper) and paper.name == f"credit-note-{note.number}.pdf"
    with database.transaction() as session, pytest.raises(NotFound):
        document_views.get_credit_note_pdf(session, note.id, actor=world.eve, source="test")


def test_workers_that_print_at_once_print_each_document_once(
    world: World, press: FakePress
) -> None:
    orders = [sheets.billed(world) for _ in range(6)]
    together = threading.Barrier(4)

    def work() -> int:
        together.wait()
        return sheets.print_all()

    with ThreadPoolExecutor(4) as pool:
        tried = sum(pool.map(lambda _: work(), range(4)))
    assert tried == len(press.printed) == len(orders)
    assert {row.fence for row in sheets.rows()} == {1}


def test_a_printer_that_dies_is_tried_again_later_each_time(world: World, press: FakePress) -> None:
    order = sheets.billed(world)
    press.failures = [PrinterDied("the printer was killed"), PrinterDied("took too long")]
    waits = []
    for _ in range(2):
        assert sheets.print_all() == 1 and sheets.print_all() == 0, "not before it is due"
        row = sheets.row_of(order)
        assert row.state == "waiting" and row.due_at is not None
        waits.append(row.due_at)
        sheets.hurry()
    assert waits[0] < waits[1]
    assert sheets.print_all() == 1
    row = sheets.row_of(order)
    assert (row.state, row.attempts, row.last_error) == ("printed", 3, None)
    assert not sheets.cases()


def test_what_never_prints_is_given_up_and_people_see_it_once(
    world: World, press: FakePress
) -> None:
    order = sheets.billed(world)
    press.failures = [PrinterDied("the printer was killed")] * 20
    for _ in range(documents.MOST_TRIES):
        assert sheets.print_all() == 1
        sheets.hurry()
    row = sheets.row_of(order)
    assert (row.state, row.attempts, row.due_at) == ("dead", documents.MOST_TRIES, None)
    assert sheets.print_all() == 0
    (case,) = sheets.cases()
    assert row.object_id in case.sentence and "the printer was killed" in case.sentence
    assert case.team == "engineering"
    waiting = sheets.read(world, order)
    assert isinstance(waiting, NotPrinted) and waiting.retry_after == 300

    press.failures = []
    with database.transaction() as session:
        assert documents.print_again(session, row.id, why=WHY)
        assert not documents.print_again(session, row.id, why=WHY), "it waits already"
    assert sheets.print_all() == 1
    assert sheets.body_of(world, order)


def test_a_content_that_is_refused_is_not_tried_again(world: World, press: FakePress) -> None:
    order = sheets.billed(world)
    press.failures = [Unprintable("the content was refused: NotValid")]
    assert sheets.print_all() == 1
    assert sheets.row_of(order).state == "dead" and len(sheets.cases()) == 1
    other = sheets.invoice_of(sheets.billed(world))
    with database.transaction() as session:
        session.get_one(Invoice, other.id).sealed = b"v1.k1." + bytes(40)
    assert sheets.print_all() == 1
    assert [row.state for row in sheets.rows()] == ["dead", "waiting"]
    assert "key" in str(sheets.rows()[1].last_error)


def test_a_missing_library_is_waited_for_and_costs_no_try(world: World, press: FakePress) -> None:
    order = sheets.billed(world)
    press.failures = [NotInstalled("apt-get install libpango")] * (documents.MOST_TRIES + 2)
    for _ in range(documents.MOST_TRIES + 2):
        assert sheets.print_all() == 1
        sheets.hurry()
    row = sheets.row_of(order)
    assert (row.state, row.attempts) == ("waiting", 0)
    assert row.last_error == "apt-get install libpango"
    assert sheets.print_all() == 1 and sheets.body_of(world, order)


def test_whoever_lost_their_lease_keeps_nothing(world: World, press: FakePress) -> None:
    order = sheets.billed(world)
    with database.transaction() as session:
        slow = documents.claim(session)
    assert slow is not None
    assert not printing.print_next(), "the lease holds"
    sheets.hurry()
    assert sheets.print_all() == 1
    body = sheets.body_of(world, order)
    for act in (
        lambda session: documents.keep(session, slow, pdf=b"%PDF old", xml=b"", why=WHY),
        lambda session: documents.note_failure(session, slow, documents.Failure("x"), why=WHY),
    ):
        with pytest.raises(LostRace), database.transaction() as session:
            act(session)
    assert sheets.body_of(world, order) == body


def test_one_that_loses_its_lease_while_it_prints_gives_way(world: World, press: FakePress) -> None:
    order = sheets.billed(world)

    def meanwhile() -> None:
        press.meanwhile = lambda: None
        sheets.hurry()
        assert printing.print_next()

    press.meanwhile = meanwhile
    assert printing.print_next()
    assert len(press.printed) == 2
    row = sheets.row_of(order)
    assert (row.state, row.fence, row.attempts) == ("printed", 2, 1)


def test_a_printed_document_is_never_printed_again(world: World, press: FakePress) -> None:
    order = sheets.billed(world)
    sheets.print_all()
    body, row = sheets.body_of(world, order), sheets.row_of(order)
    with database.transaction() as session:
        documents.ask_for(session, Kind.INVOICE, row.object_id)
        assert not documents.print_again(session, row.id, why=WHY)
        with pytest.raises(IllegalTransition):
            move(session, "document", session.get_one(Document, row.id), to="waiting", why=WHY)
    sheets.hurry()
    assert sheets.print_all() == 0 and sheets.body_of(world, order) == body


def test_an_invoice_from_before_there_were_documents_is_printed_when_it_is_asked_for(
    world: World, press: FakePress
) -> None:
    order = sheets.billed(world)
    with database.transaction() as session:
        session.delete(session.get_one(Document, sheets.row_of(order).id))
    assert sheets.print_all() == 0
    for _ in range(2):
        assert isinstance(sheets.read(world, order), NotPrinted)
    assert len(sheets.rows()) == 1
    assert sheets.print_all() == 1 and sheets.body_of(world, order)


def test_no_document_is_queued_by_an_act_that_is_undone(world: World, press: FakePress) -> None:
    def act() -> None:
        with database.transaction() as session:
            documents.queue(session, "invoice", "inv_undone")
            raise RuntimeError("undone")

    with pytest.raises(RuntimeError, match="undone"):
        act()
    assert not sheets.rows()


def test_each_reading_is_noted_without_whom_it_names(world: World, press: FakePress) -> None:
    order = sheets.billed(world)
    sheets.read(world, order)
    sheets.print_all()
    for _ in range(3):
        sheets.read(world, order)
    with database.transaction() as session, pytest.raises(NotFound):
        document_views.get_pdf(session, order.id, actor=world.eve, source="test")
    with database.reading() as session:
        views = document_views.list_views(session, order.id, actor=world.fin, limit=50)
        noted = session.query(AuditRow).filter(AuditRow.action == "invoice.view").all()
        told = session.query(EventLog).filter(EventLog.type == "invoice.viewed").all()
    assert len(views) == len(noted) == len(told) == 3, "what was not shown is no view"
    assert {(view.actor, view.role, view.part) for view in views} == {("usr_bo", "buyer", "pdf")}
    assert {row.audience for row in told} == {"staff"}
    for said in (*(str(row.after) for row in noted), *(str(row.body) for row in told)):
        assert "Acme" not in said and "@" not in said


def test_bytes_that_somebody_changed_are_never_handed_over(world: World, press: FakePress) -> None:
    order, other = sheets.billed(world), sheets.billed(world)
    sheets.print_all()
    row = sheets.row_of(order)
    with database.transaction() as session:
        session.get_one(Document, row.id).sealed_pdf = sheets.row_of(other).sealed_pdf
    with pytest.raises(CannotOpen):
        sheets.read(world, order)
    forged = keyring.vault().seal(
        b"%PDF forged", purpose="document", place=documents.place(row.id, "pdf")
    )
    with database.transaction() as session:
        session.get_one(Document, row.id).sealed_pdf = forged
    with pytest.raises(Damaged):
        sheets.read(world, order)


def test_what_has_no_xml_says_so(
    world: World, press: FakePress, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = sheets.billed(world)
    sheets.print_all()
    with database.transaction() as session:
        session.get_one(Document, sheets.row_of(order).id).sealed_xml = None
    with database.transaction() as session, pytest.raises(Conflict) as refused:
        document_views.get_xml(session, order.id, actor=world.bo, source="test")
    assert refused.value.code == "INVOICE_HAS_NO_XML"
    assert "missing" not in refused.value.details, "it lacks nothing"


def test_documents_are_the_same_bytes_after_they_are_sealed_with_a_new_master_key(
    world: World, environ: dict[str, str], press: FakePress
) -> None:
    old = keyring.vault()
    order = sheets.billed(world)
    sheets.print_all()
    body, before = sheets.body_of(world, order), sheets.row_of(order)
    kid = old.kid
    try:
        new = f"new:{base64.b64encode(b'n' * 32).decode()}"
        settings = config.load(environ)
        first = ",".join(
            f"{each.kid}:{base64.b64encode(each.key).decode()}" for each in settings.master_keys
        )
        keyring.configure(config.load(environ | {"MASTER_KEYS": f"{new},{first}"}))
        duties.look_after()
        with database.reading() as session:
            found = reencryption.standing(session)
        with database.transaction() as session:
            reencryption.start(session, found, why=WHY)
        while duties.seal_anew():
            pass
        keyring.configure(config.load(environ | {"MASTER_KEYS": new}))
        after = sheets.row_of(order)
        assert before.sealed_pdf is not None and after.sealed_pdf is not None
        # What the buyer's key sealed stays as it is; that key was sealed anew.
        assert after.sealed_pdf == before.sealed_pdf and after.sealed_xml == before.sealed_xml
        assert after.sealed_pdf.startswith(b"p1.") and kid != "new"
        assert after.pdf_sha256 == before.pdf_sha256
        assert sheets.body_of(world, order) == body
    finally:
        keyring.configure(world.settings)
