"""What an invoice of Stripe's says: credit from its discounts, once, whichever of its events tells; others' nothing."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import UnmappedProviderValue
from providers.deliveries import UnreadableDelivery
from providers.said import Reading
from providers.stripe import invoices, reading, sdk

# As Stripe sends it, shortened to what says something; the rest of some ninety fields is null or empty.
INVOICE: dict[str, Any] = {
    "id": "in_1SdK2mLkdIwHu7ix6PgS6g8S",
    "object": "invoice",
    "account_country": "US",
    "amount_due": 0,
    "amount_overpaid": 0,
    "amount_paid": 0,
    "amount_remaining": 0,
    "attempt_count": 0,
    "attempted": True,
    "auto_advance": False,
    "billing_reason": "manual",
    "collection_method": "charge_automatically",
    "created": 1795219200,
    "currency": "eur",
    "customer": "cus_NeZw0zvTyquTfF",
    "discounts": ["di_1SdK2mLkdIwHu7ixWelcome1"],
    "lines": {"object": "list", "data": [], "has_more": False, "url": "/v1/invoices/in_1/lines"},
    "livemode": False,
    "metadata": {"operation_id": "op_1", "payment_id": "pay_1", "type": "coupon"},
    "number": "QVZXJ4KD-0001",
    "parent": None,
    "status": "paid",
    "status_transitions": {"finalized_at": 1795219201, "paid_at": 1795219201},
    "subtotal": 1000,
    "total": 0,
    "total_discount_amounts": [{"amount": 1000, "discount": "di_1SdK2mLkdIwHu7ixWelcome1"}],
}


def read(kind: str, version: str = sdk.API_VERSION, **changes: Any) -> Reading:
    event: dict[str, Any] = {
        "id": "evt_1SdK2mLkdIwHu7ix",
        "object": "event",
        "api_version": version,
        "created": 1795219202,
        "data": {"object": INVOICE | changes},
        "livemode": False,
        "type": kind,
    }
    return reading.read_event(event, api_version=sdk.API_VERSION)


def facts(said: Reading) -> list[tuple[str, str, int | None, str | None]]:
    return [(k.key, k.fact.kind, k.fact.amount_minor, k.fact.code) for k in said.facts]


def test_both_events_of_a_paid_invoice_state_one_fact() -> None:
    name = INVOICE["id"]
    paid, succeeded = read("invoice.paid"), read("invoice.payment_succeeded")
    assert (
        facts(paid) == facts(succeeded) == [(f"stripe:{name}:succeeded", "succeeded", 1000, None)]
    )
    assert (paid.references, paid.payment_id, paid.asset_code) == ((name,), "pay_1", "EUR")
    assert paid.is_invoice
    # The same when it is asked for, or comes as the answer to our own call.
    said_at = paid.facts[0].fact.said_at
    assert facts(invoices.read_invoice(INVOICE, said_at=said_at)) == facts(paid)


@pytest.mark.parametrize(
    ("kind", "fact"),
    [
        ("invoice.created", []),
        ("invoice.updated", []),
        ("invoice.finalized", []),
        ("invoice.voided", [("voided", "cancelled", None, "voided")]),
        ("invoice.deleted", [("voided", "cancelled", None, "voided")]),
        (
            "invoice.marked_uncollectible",
            [("uncollectible", "cancelled", None, "uncollectible")],
        ),
        ("invoice.payment_failed", [("failed", "failed", None, "invoice_payment_failed")]),
        (
            "invoice.payment_action_required",
            [("requires_action:1795219202", "requires_action", None, None)],
        ),
    ],
)
def test_only_payment_states_money_and_ends_state_no_money(kind: str, fact: list[Any]) -> None:
    said = read(kind)
    prefix = f"stripe:{INVOICE['id']}:"
    assert facts(said) == [(prefix + name, *rest) for name, *rest in fact]
    assert said.oddities == ()


def test_money_collected_on_a_coupon_s_invoice_is_odd_and_not_credited() -> None:
    said = read("invoice.paid", amount_paid=250, total_discount_amounts=[{"amount": 750}])
    assert [fact[2] for fact in facts(said)] == [750]
    [odd] = said.oddities
    assert (odd.kind, odd.at_risk and odd.at_risk.minor) == ("RECON_DIFFERENCE", 250)
    for kind in ("invoice.overpaid", "invoice.overdue"):
        assert [odd.kind for odd in read(kind).oddities] == ["RECON_DIFFERENCE"]


def test_an_invoice_without_our_mark_says_nothing_whatever_is_in_it() -> None:
    for kind in invoices.READERS:
        said = read(kind, metadata={"order": "theirs"}, currency="zzz", total_discount_amounts=None)
        assert facts(said) == []
        assert said.unowned == invoices.NOT_OURS


def test_what_cannot_be_read_is_asked_for_and_unknown_words_are_told() -> None:
    said = read("invoice.paid", total_discount_amounts=None)
    assert (said.facts, said.fetch) == ((), "total_discount_amounts or currency is missing")
    old = read("invoice.paid", version="2020-08-27")
    assert (old.facts, old.unowned) == ((), invoices.NOT_OURS)
    assert "2020-08-27" in str(old.fetch)
    with pytest.raises(UnmappedProviderValue):
        read("invoice.paid", currency="zzz")
    at = read("invoice.paid").facts[0].fact.said_at
    with pytest.raises(UnmappedProviderValue):
        invoices.read_invoice(INVOICE | {"status": "disputed"}, said_at=at)
    with pytest.raises(UnreadableDelivery):
        read("invoice.paid", id=None)


def test_a_currency_with_two_decimals_at_stripe_alone_is_read_as_ours() -> None:
    said = read(
        "invoice.paid", currency="isk", total_discount_amounts=[{"amount": 500_00}, {"amount": 0}]
    )
    assert [fact[2] for fact in facts(said)] == [500]


@pytest.mark.parametrize("kind", sorted(invoices.NOTED))
def test_what_changes_no_money_is_ignored_with_a_reason(kind: str) -> None:
    said = read(kind)
    assert said.ignored is not None
    assert said.ignored.startswith(f"{kind}: ")
    assert len(said.ignored) > len(kind) + 20
