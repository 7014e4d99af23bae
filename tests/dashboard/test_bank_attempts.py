"""Bank payments on the desk: started again on another rail, shown in the words of their rail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from domain import database
from domain.secrets import secrets
from models.payments import Payment
from providers import registry
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, text
from tests.providers.truelayer.desk import Desk as Bank
from tests.providers.truelayer.desk import open_desk


@pytest.fixture
def bank(desk: Desk, till: Till) -> Iterator[Bank]:
    """TrueLayer's desk, and our real rail to it in its place."""
    del till
    with open_desk() as (found, rail):
        registry._built["truelayer"] = rail
        secrets.configure(desk.app.config["PAYDESK"])
        yield found


def declined(till: Till, who: Personas) -> dict[str, Any]:
    payment = till.payment(who.mels_key, buyerId=who.bo.id)
    with database.transaction() as session:
        row = session.get_one(Payment, payment["paymentId"])
        row.status, row.failure_reason, row.open_key = "failed", "declined", None
    return payment


def test_an_attempt_that_failed_by_card_is_started_again_by_bank(
    desk: Desk, who: Personas, till: Till, bank: Bank
) -> None:
    page = f"/payments/{declined(till, who)['paymentId']}"
    browser = desk.browser(who.sue)
    form = browser.page(f"{page}/reattempt")
    assert "Pay by" in text(form)
    assert 'value="bank"' in form
    made = browser.post(f"{page}/reattempt", rail="bank")
    assert made.status_code == 303, text(made.text)
    shown = text(browser.page(made.headers["Location"]))
    assert "Bank" in shown and "TrueLayer" in shown
    assert "3D Secure" not in shown
    assert len(bank.payments) == 1
    with database.reading() as session:
        row = session.get_one(Payment, made.headers["Location"].rpartition("/")[2])
        assert (row.rail, row.method, row.provider) == ("bank", "link", "truelayer")


def test_with_one_rail_alone_nobody_is_asked_which(desk: Desk, who: Personas, till: Till) -> None:
    page = f"/payments/{declined(till, who)['paymentId']}"
    browser = desk.browser(who.sue)
    assert "Pay by" not in text(browser.page(f"{page}/reattempt"))
    assert browser.post(f"{page}/reattempt", rail="bank").status_code == 404
