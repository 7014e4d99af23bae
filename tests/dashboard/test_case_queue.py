"""Counts are true at ten thousand cases, and a page asks as few questions for fifty rows as for one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import event, insert

from core import clock
from core.states import Case
from domain.actors import system
from domain.cases.case_queries import CaseFilter, count_queue, list_cases
from domain.database import engine, reading, transaction
from domain.payments.payments import Page
from models.cases import ExceptionCase
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, ids_of, text


def fill(count: int, *, owner: str) -> None:
    """Put cases in: of ten, six wait for nobody, one is mine, one is late, two are settled."""
    now = clock.now()
    rows = []
    for number in range(count):
        turn = number % 10
        state = Case.RESOLVED if turn >= 8 else Case.ASSIGNED if turn == 7 else Case.OPEN
        rows.append(
            {
                "id": f"exc_{number:06d}",
                "kind": "UNDERPAID" if number % 2 else "OVERPAID",
                "state": state.value,
                "subject_key": f"sample:{number}",
                "sentence": f"Case {number}.",
                "risk_minor": 100,
                "asset": "EUR/2",
                "team": "finance",
                "owner_id": owner if turn == 7 else None,
                "source": "test",
                "opened_at": now - timedelta(seconds=number),
                "sla_due_at": now + timedelta(hours=-1 if turn == 0 else 8),
                "demo": False,
            }
        )
    with transaction() as session:
        session.execute(insert(ExceptionCase), rows)


@contextmanager
def counted() -> Iterator[list[str]]:
    """Note the statements that are sent meanwhile."""
    sent: list[str] = []

    def note(*args: object) -> None:
        sent.append(str(args[2]))

    event.listen(engine(), "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine(), "before_cursor_execute", note)


def test_counts_are_true_at_ten_thousand_cases(desk: Desk, who: Personas) -> None:
    fill(10_000, owner=who.fin.id)
    page = text(desk.browser(who.fin).page("/exceptions"))
    for words in (
        *("To be settled 8,000", "Mine 1,000", "Nobody’s 7,000", "Overdue 1,000"),
        "At risk, unsettled: 8,000.00 EUR",
    ):
        assert words in page, words
    narrowed = text(desk.browser(who.fin).page("/exceptions?kind=UNDERPAID"))
    assert "To be settled 4,000" in narrowed and "Overdue 0" in narrowed


def test_a_page_of_fifty_asks_no_more_than_a_page_of_one(
    desk: Desk, who: Personas, till: Till
) -> None:
    browser = desk.browser(who.fin)

    def receive() -> None:
        payment = till.payment(who.mel)
        paid = {"status": "succeeded", "amount_received": 3000}
        till.deliver(till.event("payment_intent.succeeded", payment, **paid))
        till.work()

    receive()
    pages = ("/exceptions/rows", "/api/exceptions")
    asked: dict[str, list[int]] = {path: [] for path in pages}
    for more in (0, 9):
        for _ in range(more):
            receive()
        for path in pages:
            with counted() as sent:
                if path.startswith("/api"):
                    assert till.get(path, who.fin).status_code == 200
                else:
                    assert len(ids_of(browser.part(path), "case")) == more + 1
            asked[path].append(len(sent))
    for path, (one, many) in asked.items():
        assert many <= one + 2, (path, one, many)


def test_a_deep_page_is_found_by_its_place(desk: Desk, who: Personas) -> None:
    fill(2_000, owner=who.fin.id)
    seen: list[str] = []
    before = None
    with reading() as session:
        actor = system("test")
        while True:
            rows, before = list_cases(session, CaseFilter(), actor=actor, page=Page(200, before))
            seen += [row.id for row in rows]
            if before is None:
                break
        total = count_queue(session, CaseFilter(), actor=actor).unsettled
    assert len(seen) == len(set(seen)) == 2_000
    assert total == 1_600
