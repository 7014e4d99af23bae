"""Payments on the provider's own page over the wire: each outcome settles, and its events in reverse as well."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.reliability.clients import send, until
from tests.reliability.stage import Stage

CARD = {
    "email": "bo@example.com",
    "method": "card",
    "name": "Bo",
    "cvc": "123",
    "number": "4242 4242 4242 4242",
    "expiry": "12 / 34",
}
# Source: https://docs.stripe.com/payments/sepa-debit/accept-a-payment
DEBIT = {"email": "bo@example.com", "method": "sepa_debit", "name": "Bo"}
PAYS, FAILS = "DE89370400440532013000", "DE62370400440532013001"


def page(stage: Stage) -> dict[str, Any]:
    """Start a payment on the provider's page."""
    answer = stage.buyer.ask(
        "/api/payments/stripe/checkout-session", {"orderId": stage.buyer.order()}
    )
    assert answer.status == 201, answer
    stage.buyer.payments.add(str(answer.json["paymentId"]))
    return answer.json


def pay(made: dict[str, Any], form: dict[str, str]) -> str:
    """Fill the page in, as its payer does. Gives where it leads to."""
    parts = urlsplit(str(made["url"]))
    answer = send(
        f"{parts.scheme}://{parts.netloc}",
        "POST",
        parts.path,
        body=urlencode(form).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status == 303, answer
    return answer.headers["location"]


def tell(stage: Stage, *, backwards: bool) -> None:
    """Deliver what is new, in the order in which it happened or the other way round."""
    fresh = [each for each in stage.provider.events() if each["id"] not in stage.provider.acked]
    for event in reversed(fresh) if backwards else fresh:
        stage.provider.deliver(event)
        stage.bind()
        stage.work_until_idle()


def stands(stage: Stage, made: dict[str, Any]) -> tuple[Any, ...]:
    (row,) = stage.ask(
        "select status, failure_reason, received_minor, reversed_minor from payments where id = :id",
        id=made["paymentId"],
    )
    return row


def comes(stage: Stage, made: dict[str, Any], kind: str) -> None:
    """Wait until the stand-in has something of a kind to tell of this page."""

    def is_there() -> bool:
        return any(
            each["type"] == kind and made["sessionId"] in str(each)
            for each in stage.provider.events()
        )

    until(is_there, what=kind)


@pytest.mark.parametrize("backwards", [False, True])
def test_each_outcome_of_a_page_settles(stage: Stage, backwards: bool) -> None:
    at_once, later, failed, expired, cancelled = (page(stage) for _ in range(5))
    back = pay(at_once, CARD)
    assert urlsplit(back).path.endswith("/return")
    pay(later, DEBIT | {"iban": PAYS})
    pay(failed, DEBIT | {"iban": FAILS})
    said = stage.buyer.ask(f"/api/payments/{cancelled['paymentId']}/cancel", {"reason": "No more"})
    assert (said.status, said.json["status"]) == (200, "cancelled")
    stage.provider.call("POST", f"checkout/sessions/{expired['sessionId']}/expire")
    comes(stage, later, "checkout.session.async_payment_succeeded")
    comes(stage, failed, "checkout.session.async_payment_failed")
    tell(stage, backwards=backwards)
    assert stands(stage, at_once) == ("completed", None, 2_500, 0)
    assert stands(stage, later) == ("completed", None, 2_500, 0)
    assert stands(stage, failed) == ("failed", "declined", 0, 0)
    assert stands(stage, expired) == ("failed", "expired", 0, 0)
    assert stands(stage, cancelled) == ("cancelled", "canceled", 0, 0)
    stage.conclude(about="checkout pages")


def test_lost_word_of_a_failed_debit_is_asked_for(stage: Stage) -> None:
    made = page(stage)
    pay(made, DEBIT | {"iban": FAILS})
    comes(stage, made, "checkout.session.completed")
    tell(stage, backwards=False)
    comes(stage, made, "checkout.session.async_payment_failed")
    stage.provider.skip_new()
    stage.work_until_idle()
    assert stands(stage, made) == ("failed", "declined", 0, 0)
    stage.conclude(about="a lost failure")


def test_debit_that_fails_after_it_was_paid_is_taken_back_by_its_event_or_when_asked(
    stage: Stage,
) -> None:
    told, lost = page(stage), page(stage)
    for made in (told, lost):
        pay(made, DEBIT | {"iban": PAYS})
        comes(stage, made, "checkout.session.async_payment_succeeded")
    tell(stage, backwards=False)
    for made in (told, lost):
        assert stands(stage, made) == ("completed", None, 2_500, 0)
    names = {
        each["metadata"]["payment_id"]: reference
        for reference, each in stage.provider.control("GET", "ledger").items()
    }
    stage.provider.control("POST", "fail_debit", {"intent": names[told["paymentId"]]})
    tell(stage, backwards=False)
    stage.provider.control("POST", "fail_debit", {"intent": names[lost["paymentId"]]})
    stage.provider.skip_new()
    stage.execute(
        "update payments set check_due_at = :past where id = :id",
        past="2020-01-01 00:00:00.000000",
        id=lost["paymentId"],
    )
    stage.work_until_idle()
    for made in (told, lost):
        assert stands(stage, made) == ("failed", "late_failure", 2_500, 2_500)
    kinds = stage.ask("select kind from exception_cases where kind = 'LATE_FAILURE'")
    assert len(kinds) == 2
    stage.conclude(about="late failures")
