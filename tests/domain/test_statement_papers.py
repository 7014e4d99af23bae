"""A statement's document says what the books say up to its last line, once, to whoever may read the account."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from core import clock
from core.errors import Conflict, NotFound
from core.states import Role
from domain import database
from domain.actors import Actor, system
from domain.books import book_queries, statements
from domain.invoices import documents, statement_papers, statement_views
from domain.invoices.document_views import NotPrinted, Paper
from domain.invoices.statement_papers import Asked, Span
from domain.secrets import owners
from domain.transitions import Why
from models.audit import AuditRow
from models.ledger import LedgerAccount
from printing.contents import Statement
from printing.printers import Unprintable
from tests.domain import booking, papers
from tests.domain.papers import FakePress
from tests.domain.world import World, actor

CLEARING = booking.CLEARING
ALWAYS = Span(None, None)


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePress]:
    with papers.faked(monkeypatch) as made:
        yield made


def ask(address: str, who: Actor, span: Span = ALWAYS) -> Asked:
    with database.transaction() as session:
        row = book_queries.get_accounts(session, address, actor=who)[0]
        return statement_views.ask(session, row, span, actor=who, source="test")


def get(address: str, statement_id: str, who: Actor) -> Paper | NotPrinted:
    with database.transaction() as session:
        return statement_views.get_pdf(session, address, statement_id, actor=who, source="test")


def printed(press: FakePress) -> Statement:
    papers.print_all()
    content = press.printed[-1]
    assert isinstance(content, Statement)
    return content


def closing(address: str, span: Span = ALWAYS) -> int:
    with database.reading() as session:
        row = session.get_one(LedgerAccount, (address, "EUR/2"))
        found = statements.of_accounts(session, [row], since=span.since, until=span.until)
        return found[address, "EUR/2"].closing.minor


def audited(action: str) -> list[AuditRow]:
    with database.reading() as session:
        return list(session.scalars(select(AuditRow).where(AuditRow.action == action)))


def test_it_says_what_the_books_say_with_fees_and_references(
    world: World, press: FakePress
) -> None:
    payment = booking.paid(world)
    booking.take(booking.arrival(payment, fee=103))
    asked = ask(CLEARING, world.fin)
    content = printed(press)
    assert (content.opening_minor, content.closing_minor) == (0, closing(CLEARING)) == (0, 2_397)
    assert [line.balance_minor for line in content.lines] == [2_500, 2_397]
    assert (content.debits_minor, content.credits_minor) == (2_500, 103)
    assert [(each.label, each.credit_minor) for each in content.subtotals] == [("Fees", 103)]
    assert content.lines[0].reference.split("\n")[0] == payment.id
    assert content.lines[1].description.startswith("Fee of the provider\nTook effect 21 Sep 2026")
    assert (content.label, content.holder.name, content.prepared_by) == (
        *("Stripe clearing", "House"),
        "House",
    )
    assert not content.credit_grows and asked.lines == 2

    middle = clock.now()
    booking.paid(world, 700)
    ask(CLEARING, world.fin, Span(middle, None))
    later = printed(press)
    assert (later.opening_minor, later.closing_minor) == (2_397, 3_097)
    assert [line.debit_minor for line in later.lines] == [700]
    before = ask(CLEARING, world.fin, Span(None, middle))
    assert before.id != asked.id, "its days are others, though its lines are the same"
    assert printed(press).lines == content.lines


def test_who_asks_twice_or_at_once_is_given_the_same_one_without_what_came_since(
    world: World, press: FakePress
) -> None:
    booking.paid(world)
    together = Barrier(4)

    def one(_: int) -> str:
        together.wait()
        return ask(CLEARING, world.fin).id

    with ThreadPoolExecutor(4) as pool:
        (statement_id,) = set(pool.map(one, range(4)))
    booking.paid(world, 900)
    assert papers.print_all() > 0
    (content,) = [each for each in press.printed if isinstance(each, Statement)]
    assert (content.closing_minor, len(content.lines)) == (2_500, 1)
    first = get(CLEARING, statement_id, world.fin)
    assert isinstance(first, Paper) and first == get(CLEARING, statement_id, world.fin)
    newer = ask(CLEARING, world.fin)
    assert newer.id != statement_id and printed(press).closing_minor == 3_400
    viewed = audited("statement.view")
    assert [row.after["sha256"] for row in viewed] == [first.sha256] * 2
    assert {(row.actor, row.object_id) for row in viewed} == {(world.fin.id, statement_id)}
    assert {row.object_id for row in audited("statement.ask")} == {statement_id, newer.id}


def test_only_who_may_read_the_account_reads_its_statement(world: World, press: FakePress) -> None:
    booking.paid(world)
    with database.reading() as session:
        own = LedgerAccount.merchant_id.is_not(None)
        hold = session.scalars(select(LedgerAccount).where(own)).first()
    assert hold is not None and hold.merchant_id is not None
    mine, other = ask(hold.address, world.fin).id, ask(CLEARING, world.fin).id
    waiting = get(hold.address, mine, world.fin)
    assert isinstance(waiting, NotPrinted)
    papers.print_all()
    mel = actor("usr_mel", Role.MERCHANT, merchant_id=hold.merchant_id)
    eve = actor("usr_eve2", Role.MERCHANT, merchant_id="mer_other")
    assert isinstance(get(hold.address, mine, mel), Paper)
    for address, statement_id, who in (
        (hold.address, mine, eve),
        (CLEARING, other, mel),
        (hold.address, other, mel),
        (hold.address, other, world.fin),
        (hold.address, "stm_none", world.fin),
    ):
        with pytest.raises(NotFound):
            get(address, statement_id, who)


def test_no_person_is_in_it_so_no_persons_key_seals_it(world: World, press: FakePress) -> None:
    order = papers.billed(world)
    world.deliver_and_apply(world.paid(world.begin(order)[1]))
    for address in (f"order:{order.id}:escrow_hold", f"buyer:{world.bo.id}:funds"):
        asked = ask(address, world.fin)
        said = str(printed(press))
        assert "Acme" not in said and "@" not in said and "Oak table" not in said
        assert world.bo.id in said or order.id in said
        with database.reading() as session:
            assert owners.of_document(session, "statement", asked.id) is None
            found = statement_papers.find(session, asked.id)
            assert found is not None and owners.of_documents(session, [found.id]) == {}


def test_too_many_lines_and_days_that_are_none_are_refused(
    world: World, press: FakePress, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        booking.paid(world)
    monkeypatch.setattr(statement_papers, "MOST_LINES", 2)
    now = clock.now()
    for span, said in (
        (ALWAYS, "More than 2 lines"),
        (Span(now, now - timedelta(days=1)), "before the first"),
        (Span(now + timedelta(days=1), None), "still to come"),
    ):
        with pytest.raises(Conflict, match=said):
            ask(CLEARING, world.fin, span)
    monkeypatch.setattr(statement_papers, "MOST_LINES", 3)
    ask(CLEARING, world.fin)
    assert len(printed(press).lines) == 3
    empty = ask(CLEARING, world.fin, Span(clock.now(), None))
    assert empty.last is None and printed(press).opening_minor == closing(CLEARING)


def test_one_that_was_given_up_is_printed_again_when_asked(world: World, press: FakePress) -> None:
    booking.paid(world)
    papers.print_all()
    asked = ask(CLEARING, world.fin)
    press.failures = [Unprintable("refused")]
    papers.print_all()
    with database.transaction() as session:
        (dead,) = documents.given_up(session)
        assert documents.print_again(session, dead, why=Why(system("test"), "test", "mended"))
    assert printed(press).closing_minor == 2_500
    assert isinstance(get(CLEARING, asked.id, world.fin), Paper)
