"""Inbound events on the desk: the list, one event, replay in two clicks, setting aside."""

from __future__ import annotations

import re

import pytest

from domain import database
from models.inbound import InboundAttempt, InboundEvent
from models.ledger import JournalEntry
from models.payments import Payment
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, hidden, ids_of, rows, text


def settled(who: Personas, till: Till) -> str:
    """Settle a payment; gives the inbound event that did it."""
    till.settle(till.payment(who.bo))
    return newest()


def waiting(who: Personas, till: Till) -> tuple[str, str]:
    """Receive an event that no worker has applied; gives it with its payment."""
    payment = till.payment(who.bo)
    till.deliver(
        till.event("payment_intent.succeeded", payment, status="succeeded", amount_received=2500)
    )
    return newest(), payment["paymentId"]


def newest() -> str:
    with database.reading() as session:
        row = session.query(InboundEvent).order_by(InboundEvent.id.desc()).first()
        assert row is not None
        return row.id


def counts() -> tuple[int, int]:
    """Count attempts and journal entries."""
    with database.reading() as session:
        return session.query(InboundAttempt).count(), session.query(JournalEntry).count()


def preview(browser: Browser, inbound_id: str) -> dict[str, str]:
    """Open a preview; gives what its form sends along."""
    page = browser.page(f"/webhooks/{inbound_id}/preview")
    return {name: hidden(page, name) for name in ("preview_hash", "idempotency_key")}


def test_list_shows_what_became_of_each_event(desk: Desk, who: Personas, till: Till) -> None:
    inbound = settled(who, till)
    body = till.rail.intents
    assert body
    browser = desk.browser(who.ed)
    (row,) = rows(browser.page("/webhooks"))
    for word in ("Processed", "payment_intent.succeeded", "Stripe", "pay_…", "v1", "Replay"):
        assert word in row
    assert ids_of(browser.page("/webhooks?state=dead"), "webhook") == []
    assert ids_of(browser.page("/webhooks?state=processed&provider=stripe"), "webhook") == [inbound]
    part = browser.part("/webhooks/rows")
    assert "sse:webhooks" in part
    assert browser.get("/webhooks/rows").location == "/webhooks"
    assert "Replay</a>" not in desk.browser(who.ann).page("/webhooks")


def test_event_page_shows_proof_effects_and_a_redacted_payload(
    desk: Desk, who: Personas, till: Till
) -> None:
    inbound = settled(who, till)
    browser = desk.browser(who.sue)
    page = browser.page(f"/webhooks/{inbound}")
    said = text(page)
    for words in (
        *("Processed", "HMAC-SHA256, Stripe v1", "Secret version v1", "Paydesk (worker)"),
        *("Payment moved from Pending to Confirmed", "Order moved from Awaiting deposit"),
        *("Posted: deposit received", "Event payment.succeeded told", "sent this event once"),
        *("client_secret redacted", "amount_received"),
    ):
        assert words in said, words
    assert "_secret_x" not in page
    for part in ("header", "story", "facts"):
        alone = browser.part(f"/webhooks/{inbound}/{part}")
        assert f"sse:webhook-{inbound}" in alone
        assert browser.get(f"/webhooks/{inbound}/{part}").location == f"/webhooks/{inbound}"
    assert desk.browser(who.fin).get("/webhooks/inb_nothing").status_code == 404


def test_preview_of_an_applied_event_says_why_nothing_would_happen(
    desk: Desk, who: Personas, till: Till
) -> None:
    inbound = settled(who, till)
    before = counts()
    said = text(desk.browser(who.sue).page(f"/webhooks/{inbound}/preview"))
    assert "This replay would change nothing" in said
    assert "Already applied by this very event at" in said
    assert "Replay with no effect" in said
    assert counts() == before


def test_replay_of_an_applied_event_adds_an_attempt_and_nothing_else(
    desk: Desk, who: Personas, till: Till
) -> None:
    inbound = settled(who, till)
    attempts, entries = counts()
    browser = desk.browser(who.sue)
    form = preview(browser, inbound) | {"reason": "The buyer asked twice"}
    answer = browser.post(f"/webhooks/{inbound}/replay", form)
    assert (answer.status_code, answer.location) == (303, f"/webhooks/{inbound}/replayed/2")
    assert counts() == (attempts + 1, entries)
    said = text(browser.page(answer.location))
    assert "Replayed, nothing changed" in said
    assert "The buyer asked twice" in said
    assert "Who Sue" in said
    # A second press of the same button is the same act.
    again = browser.post(f"/webhooks/{inbound}/replay", form)
    assert again.location == answer.location
    assert counts() == (attempts + 1, entries)
    story = text(browser.part(f"/webhooks/{inbound}/story"))
    assert "“The buyer asked twice”" in story


def test_preview_shows_what_replay_then_does(desk: Desk, who: Personas, till: Till) -> None:
    inbound, payment = waiting(who, till)
    browser = desk.browser(who.fin)
    page = browser.page(f"/webhooks/{inbound}/preview")
    said = text(page)
    for words in (
        *("This replay would apply the event", "status before: pending after: completed"),
        *(
            "received before: 0.00 EUR after: 25.00 EUR",
            "Deposit received",
            "provider:stripe:clearing",
        ),
        *("Event payment.succeeded is told", "Event order.deposit_paid is told"),
    ):
        assert words in said, words
    with database.reading() as session:
        assert session.get_one(Payment, payment).status == "pending"
    form = preview(browser, inbound) | {"reason": "The worker was down"}
    done = text(browser.page(browser.post(f"/webhooks/{inbound}/replay", form).location))
    for words in ("Applied as attempt 1", "pending after: completed", "Deposit received"):
        assert words in done, words
    with database.reading() as session:
        assert session.get_one(Payment, payment).status == "completed"
    till.work()
    assert counts() == (1, 1)


def test_stale_preview_is_shown_anew_and_changes_nothing(
    desk: Desk, who: Personas, till: Till
) -> None:
    inbound, _ = waiting(who, till)
    browser = desk.browser(who.fin)
    form = preview(browser, inbound) | {"reason": "The worker was down"}
    till.work()
    before = counts()
    answer = browser.post(f"/webhooks/{inbound}/replay", form)
    assert answer.status_code == 422
    said = text(answer.text)
    assert "The outcome is not the one you saw" in said
    assert "This replay would change nothing" in said
    assert "The worker was down" in said
    assert counts() == before
    part = browser.post(f"/webhooks/{inbound}/replay", form, htmx=True)
    assert part.status_code == 422
    assert "<html" not in part.text
    assert "The outcome is not the one you saw" in part.text


@pytest.mark.parametrize("htmx", [False, True])
def test_replay_asks_why(desk: Desk, who: Personas, till: Till, htmx: bool) -> None:
    inbound = settled(who, till)
    before = counts()
    browser = desk.browser(who.sue)
    form = preview(browser, inbound)
    answer = browser.post(f"/webhooks/{inbound}/replay", form, htmx=htmx, reason="")
    assert answer.status_code == 422
    assert "Say why in a few words." in answer.text
    assert hidden(answer.text, "idempotency_key") == form["idempotency_key"]
    assert counts() == before
    done = browser.post(f"/webhooks/{inbound}/replay", form, htmx=htmx, reason="Asked twice")
    target = done.headers.get("HX-Redirect") if htmx else done.location
    assert target == f"/webhooks/{inbound}/replayed/2"


def test_reader_may_not_replay(desk: Desk, who: Personas, till: Till) -> None:
    inbound = settled(who, till)
    before = counts()
    browser = desk.browser(who.ann)
    assert "Your role reads events only." in text(browser.page(f"/webhooks/{inbound}"))
    assert browser.get(f"/webhooks/{inbound}/preview").status_code == 403
    assert browser.post(f"/webhooks/{inbound}/replay", reason="because").status_code == 403
    assert browser.post(f"/webhooks/{inbound}/ignore", reason="because").status_code == 403
    assert counts() == before


def test_unreadable_event_is_shown_and_not_replayed(desk: Desk, who: Personas, till: Till) -> None:
    assert till.deliver(b'{"id": "evt_1", "type": ').status_code == 200
    inbound = newest()
    browser = desk.browser(who.ed)
    said = text(browser.page(f"/webhooks/{inbound}"))
    assert "Quarantined" in said
    assert "no JSON document" in said
    page = browser.page(f"/webhooks/{inbound}/preview")
    assert "This replay is not safe" in page
    assert 'aria-disabled="true"' in page
    answer = browser.post(f"/webhooks/{inbound}/replay", reason="Try it anyway")
    assert answer.status_code == 422
    assert "The event was not replayed" in answer.text


def test_event_is_set_aside_with_a_reason(desk: Desk, who: Personas, till: Till) -> None:
    inbound, _ = waiting(who, till)
    browser, path = desk.browser(who.ed), f"/webhooks/{inbound}/ignore"
    assert "The worker tries it no more" in text(browser.page(path))
    assert browser.post(path, reason="").status_code == 422
    answer = browser.post(path, reason="Not ours")
    assert (answer.status_code, answer.location) == (303, f"/webhooks/{inbound}")
    page = text(browser.page(f"/webhooks/{inbound}"))
    assert "The event is set aside" in page
    assert "Ignored" in page
    till.work()
    assert counts()[1] == 0
    assert desk.browser(who.sue).get(path).status_code == 403


def test_applied_event_is_not_set_aside(desk: Desk, who: Personas, till: Till) -> None:
    inbound = settled(who, till)
    browser = desk.browser(who.ed)
    answer = browser.post(f"/webhooks/{inbound}/ignore", reason="Not ours")
    assert answer.status_code == 422
    assert "The event was not set aside" in answer.text


def test_deep_and_large_documents_stay_readable(desk: Desk, who: Personas, till: Till) -> None:
    deep = '{"a":' * 28 + "1" + "}" * 28
    wide = ",".join(f'"k{no}":"{no}"' for no in range(6000))
    payment = till.payment(who.bo)
    body = till.event("payment_intent.created", payment).decode()
    body = f'{{"deep":{deep},"wide":{{{wide}}},{body[1:]}'
    assert till.deliver(body.encode()).status_code == 200
    page = desk.browser(who.ed).page(f"/webhooks/{newest()}")
    assert len(re.findall(r"more values? not shown", page)) == 3
