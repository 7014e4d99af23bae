"""What followed from a payment is on its page; what failed is tried again by hand; the payer is written to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import select, update

from core import clock
from domain import database
from domain.effects import order_advance
from domain.mail import mails
from domain.mail.mails import Outlet
from models.audit import AuditRow
from models.effects import Effect
from models.inbound import InboundEvent
from models.payments import Payment
from models.proofs import Mail
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk


def broken(*_: object) -> Sequence[dict[str, object]]:
    raise ZeroDivisionError


def paid(
    till: Till,
    who: Personas,
    monkeypatch: pytest.MonkeyPatch | None = None,
    **order: object,
) -> str:
    """Have a payment confirmed; with `monkeypatch` its order cannot be moved on."""
    payment = till.payment(who.mels_key, **order)
    if monkeypatch is None:
        till.settle(payment)
        return str(payment["paymentId"])
    with monkeypatch.context() as patched:
        patched.setattr(order_advance, "carry_out", broken)
        till.settle(payment)
        with database.transaction() as session:
            session.execute(update(InboundEvent).values(due_at=clock.now()))
        till.work()
    return str(payment["paymentId"])


def test_a_failed_effect_is_seen_and_carried_out_by_hand(
    desk: Desk, who: Personas, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = paid(till, who, monkeypatch)
    with database.reading() as session:
        failed = session.scalars(select(Effect).where(Effect.state == "failed")).one()
    href = f"/payments/{payment_id}"
    retry = f"{href}/effects/{failed.id}/retry"
    browser = desk.browser(who.ed)
    page = browser.page(href)
    assert "Failed, will retry" in page
    assert "ZeroDivisionError" in page
    assert "Try again: counted for the order" in browser.page(retry)
    with monkeypatch.context() as patched:
        patched.setattr(order_advance, "carry_out", broken)
        again = browser.post(retry, reason="Mended the order")
        assert again.status_code == 422
        assert "It failed again" in again.text
    assert browser.post(retry, reason="Mended the order").status_code == 303
    assert browser.post(retry, reason="Twice").status_code == 303
    with database.reading() as session:
        assert session.get_one(Effect, failed.id).state == "applied"
        assert session.get_one(Payment, payment_id).effect_state == "applied"
        acts = session.scalars(select(AuditRow.action).where(AuditRow.action == "effect.retry"))
        assert len(list(acts)) == 2
    other = paid(till, who)
    assert (
        desk.browser(who.ed).get(f"/payments/{other}/effects/{failed.id}/retry").status_code == 404
    )
    assert desk.browser(who.ann).get(retry).status_code == 403


def test_support_writes_to_the_payer_once_in_ten_minutes(
    desk: Desk, who: Personas, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mails, "outlet", lambda: Outlet.SMTP)
    payment_id = paid(till, who, buyerId=who.bo.id)
    browser = desk.browser(who.sue)
    href = f"/payments/{payment_id}/write"
    assert "We have received your payment" in browser.page(href)
    for text, word in (("", "Write between"), ("4242 4242 4242 4242", "card number")):
        wrong = browser.post(href, text=text)
        assert wrong.status_code == 422
        assert word in wrong.text
    assert browser.post(href, text="Your table is <b>ready</b>.").status_code == 303
    again = browser.post(href, text="Once more")
    assert again.status_code == 422
    assert "less than ten minutes ago" in again.text
    assert "Once more" in again.text
    with database.reading() as session:
        [mail] = session.scalars(select(Mail).where(Mail.kind == "support"))
        said = mails.opened(mail)
        audited = session.scalars(
            select(AuditRow).where(AuditRow.action == "payment.write_to_payer")
        ).one()
    assert said.to == "bo@people.test"
    assert "Your table is <b>ready</b>." in said.body
    assert f"Payment: {payment_id}" in said.body
    assert "table" not in str((audited.reason, audited.after))


def test_nobody_known_is_not_written_to(desk: Desk, who: Personas, till: Till) -> None:
    payment_id = paid(till, who)
    browser = desk.browser(who.sue)
    assert browser.get(f"/payments/{payment_id}/write").status_code == 303
    assert browser.post(f"/payments/{payment_id}/write", text="Hello there").status_code == 422
