"""Coupons, promotion codes and invoices at the stand-in: what Stripe answers, tells and refuses, in the SDK's hands."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import Start, connect
from tests.sandbox.receiver import Receiver
from tests.sandbox.standin import Client, StandIn, body_of
from tests.sandbox.test_resources import needed

COUPON: dict[str, Any] = {"id": "ten", "amount_off": 1000, "currency": "eur", "name": "Ten off"}


def draft(client: Client, **discount: str) -> Any:
    customer = client.v1.customers.create({"email": "bo@example.com"})
    return client.v1.invoices.create(
        {"customer": customer.id, "currency": "eur", "discounts": [discount],
         "auto_advance": False, "metadata": {"payment_id": "pay_1"}}
    )  # fmt: skip


def fill(client: Client, invoice: Any, amount: int = 1000) -> Any:
    client.v1.invoice_items.create(
        {"customer": invoice.customer, "invoice": invoice.id, "amount": amount, "currency": "eur"}
    )
    return client.v1.invoices.retrieve(invoice.id)


def test_a_coupon_pays_an_invoice_of_its_amount_at_once(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    client.v1.coupons.create(COUPON)
    invoice = draft(client, coupon="ten")
    assert (invoice.status, invoice.total, invoice.metadata.payment_id) == ("draft", 0, "pay_1")
    filled = fill(client, invoice)
    assert (filled.subtotal, filled.total, filled.amount_due) == (1000, 0, 0)
    assert [off.amount for off in filled.total_discount_amounts] == [1000]
    paid = client.v1.invoices.finalize_invoice(invoice.id, {"auto_advance": False})
    assert (paid.status, paid.amount_paid, bool(paid.number)) == ("paid", 0, True)
    for kind in ("invoice.finalized", "invoice.paid", "invoice.payment_succeeded"):
        told = receiver.wait_for(kind)["data"]["object"]
        assert (told["id"], told["metadata"]) == (invoice.id, {"payment_id": "pay_1"})
    assert client.v1.coupons.retrieve("ten").times_redeemed == 1
    truth = standin.control("GET", "invoices")[invoice.id]
    assert (truth["status"], truth["amount_paid"]) == ("paid", 0)
    with pytest.raises(stripe.InvalidRequestError, match="already finalized"):
        client.v1.invoices.finalize_invoice(invoice.id)


def test_what_a_coupon_does_not_cover_stays_due_until_a_card_pays(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    client.v1.coupons.create(COUPON)
    invoice = fill(client, draft(client, coupon="ten"), 2500)
    assert (invoice.subtotal, invoice.total) == (2500, 1500)
    opened = client.v1.invoices.finalize_invoice(invoice.id)
    assert (opened.status, opened.amount_due) == ("open", 1500)
    with pytest.raises(stripe.CardError):
        client.v1.invoices.pay(invoice.id, {"payment_method": "pm_card_chargeDeclined"})
    assert receiver.wait_for("invoice.payment_failed")["data"]["object"]["id"] == invoice.id
    paid = client.v1.invoices.pay(invoice.id, {"payment_method": "pm_card_visa"})
    assert (paid.status, paid.amount_paid) == ("paid", 1500)
    [charged] = [each for each in standin.control("GET", "ledger").values() if each["captures"]]
    assert charged["amount_received"] == 1500


def test_open_invoices_are_voided_or_given_up_and_drafts_deleted(
    client: Client, receiver: Receiver
) -> None:
    client.v1.coupons.create(COUPON)
    voided, lost, gone = (fill(client, draft(client, coupon="ten"), 2500) for _ in range(3))
    for each in (voided, lost):
        client.v1.invoices.finalize_invoice(each.id)
    assert client.v1.invoices.void_invoice(voided.id).status == "void"
    assert client.v1.invoices.mark_uncollectible(lost.id).status == "uncollectible"
    assert client.v1.invoices.delete(gone.id).deleted is True
    for kind in ("invoice.voided", "invoice.marked_uncollectible", "invoice.deleted"):
        receiver.wait_for(kind)
    listed = client.v1.invoices.list({"status": "void"})
    assert [each.id for each in listed.data] == [voided.id]
    with pytest.raises(stripe.InvalidRequestError, match="only delete draft"):
        client.v1.invoices.delete(lost.id)


def test_codes_lead_to_coupons_within_their_limits(client: Client, standin: StandIn) -> None:
    client.v1.coupons.create({**COUPON, "applies_to": {"products": ["prod_1"]}})
    customer = client.v1.customers.create({})
    of = {"type": "coupon", "coupon": "ten"}
    soon = int(standin.control("GET", "health")["now"]) + 100
    code = client.v1.promotion_codes.create({"promotion": of, "code": "TEN", "expires_at": soon})
    client.v1.promotion_codes.create({"promotion": of, "code": "TEN", "customer": customer.id})
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        client.v1.promotion_codes.create({"promotion": of, "code": "ten"})
    found = client.v1.promotion_codes.list(
        {"code": "ten", "expand": ["data.promotion.coupon.applies_to"]}
    )
    assert [each.customer for each in found.data] == [customer.id, None]
    assert found.data[0].promotion.coupon.applies_to.products == ["prod_1"]
    assert "applies_to" not in client.v1.coupons.retrieve("ten").to_dict()
    standin.control("POST", "clock", {"advance_seconds": 200})
    assert client.v1.promotion_codes.retrieve(code.id).active is False
    with pytest.raises(stripe.InvalidRequestError) as refused:
        draft(client, promotion_code=code.id)
    assert refused.value.code == "coupon_expired"


def test_the_last_use_of_a_coupon_is_had_by_one(client: Client) -> None:
    client.v1.coupons.create({**COUPON, "max_redemptions": 1})
    first, second = (fill(client, draft(client, coupon="ten")) for _ in range(2))
    client.v1.invoices.finalize_invoice(first.id)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.invoices.finalize_invoice(second.id)
    assert refused.value.code == "coupon_expired"
    assert client.v1.coupons.retrieve("ten").valid is False
    assert client.v1.invoices.retrieve(second.id).status == "draft"


def test_wrong_coupons_and_items_are_refused(client: Client) -> None:
    client.v1.coupons.create({"id": "share", "percent_off": 20})
    for wanted in (
        {},
        {"percent_off": 20, "amount_off": 1, "currency": "eur"},
        COUPON | {"id": "share"},
    ):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.coupons.create(wanted)
    invoice = draft(client, coupon="share")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.invoice_items.create(
            {"customer": invoice.customer, "invoice": invoice.id, "amount": 100, "currency": "usd"}
        )
    assert "cannot combine currencies" in str(body_of(refused).message)
    with pytest.raises(stripe.InvalidRequestError, match="Nothing to invoice"):
        client.v1.invoices.finalize_invoice(invoice.id)
    assert fill(client, invoice).total == 800


def test_objects_carry_every_field_the_sdk_counts_on(client: Client) -> None:
    client.v1.coupons.create(COUPON)
    of = {"type": "coupon", "coupon": "ten"}
    invoice = fill(client, draft(client, coupon="ten"))
    for kind, found in (
        (stripe.Coupon, client.v1.coupons.retrieve("ten")),
        (stripe.PromotionCode, client.v1.promotion_codes.create({"promotion": of})),
        (stripe.Invoice, invoice),
        (stripe.InvoiceLineItem, invoice.lines.data[0]),
        (stripe.InvoiceItem, client.v1.invoice_items.list({"invoice": invoice.id}).data[0]),
    ):
        assert needed(kind) - set(found.to_dict()) == set(), kind
        assert not any(name.startswith("_") for name in found.to_dict())


def test_a_sandbox_begins_with_a_few_coupons_once(start: Start, tmp_path: Any) -> None:
    state = str(tmp_path / "stripe.db")
    # Nobody listens there yet, as when everything is started together.
    told = ("--webhook-url", "http://127.0.0.1:9", "--webhook-secret", "whsec_none")
    for _ in range(2):
        running = start("--coupons", "--state", state, *told)
        found = connect(running.url).v1.promotion_codes.list()
        worth = {each.code: each.active for each in found.data}
        assert worth == {"WELCOME10": True, "SUMMER15": False, "SHARE20": True}
        running.process.terminate()
        assert running.process.wait(timeout=10) == 0
