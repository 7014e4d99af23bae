"""Cases as the desk's tests make and settle them."""

from __future__ import annotations

from sqlalchemy import select

from domain.database import reading
from models.cases import ExceptionCase
from models.ledger import JournalEntry
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, hidden, text


def paid(till: Till, who: Personas, received: int) -> str:
    """Have a payment of 25.00 paid with another sum; gives the case."""
    payment = till.payment(who.mel)
    till.deliver(
        till.event(
            "payment_intent.succeeded", payment, status="succeeded", amount_received=received
        )
    )
    till.work()
    with reading() as session:
        wanted = ExceptionCase.payment_id == payment["paymentId"]
        return session.scalars(select(ExceptionCase.id).where(wanted)).one()


def case(case_id: str) -> ExceptionCase:
    with reading() as session:
        return session.get_one(ExceptionCase, case_id)


def entries(kind: str) -> int:
    with reading() as session:
        return len(list(session.scalars(select(JournalEntry.id).where(JournalEntry.kind == kind))))


def form_of(page: str) -> dict[str, str]:
    """Read the hidden fields of the form that settles."""
    return {
        name: hidden(page, name)
        for name in ("verb", "once", "shown", "back")
        if f'name="{name}"' in page
    }


def settle(browser: Browser, case_id: str, verb: str, **more: str) -> Browser:
    sent = form_of(browser.page(f"/exceptions/{case_id}/resolve?verb={verb}"))
    answer = browser.post(f"/exceptions/{case_id}/resolve", sent | {"reason": "As agreed"} | more)
    assert answer.status_code == 303, text(answer.text)
    return browser
