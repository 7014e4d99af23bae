"""Stripe's vault: customers and the cards that are attached to them; a card's number is never here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import stripe

from core.errors import ProviderRefused
from providers.card_seam import SaidCard
from providers.stripe.sdk import asked, done, every, plain
from providers.stripe.things import Thing, reference_of, thing, word


def create_customer(api: stripe.StripeClient, user_id: str, *, key: str, demo: bool) -> str:
    """Create a customer that carries only our id of the person.

    Source: https://docs.stripe.com/api/customers/create
    """
    metadata = {"user_id": user_id} | ({"demo": "true"} if demo else {})
    answer = done(lambda: api.v1.customers.create({"metadata": metadata}, {"idempotency_key": key}))
    return str(answer.id)


def find_customer(api: stripe.StripeClient, user_id: str, *, since: datetime) -> str | None:
    """Look through the newest customers for ours, by metadata; listing is consistent, search is not.

    Source: https://docs.stripe.com/api/customers/list
    """
    window = {"limit": 100, "created": {"gte": int(since.timestamp()) - 60}}
    for found in every(lambda: api.v1.customers.list(window)):  # type: ignore[arg-type]
        if thing(found.get("metadata")).get("user_id") == user_id:
            return word(found.get("id"))
    return None


def read_card(subject: Thing) -> SaidCard:
    """Read a payment method; a wallet's card or a debit has fewer fields, never other ones.

    Source: https://docs.stripe.com/api/payment_methods/object
    """
    card = thing(subject.get("card"))
    month, year = card.get("exp_month"), card.get("exp_year")
    return SaidCard(
        reference=word(subject.get("id")) or "",
        customer=reference_of(subject.get("customer")),
        brand=word(card.get("brand")),
        last4=word(card.get("last4")),
        exp_month=month if isinstance(month, int) else None,
        exp_year=year if isinstance(year, int) else None,
        is_card=subject.get("type") in (None, "card"),
    )


def fetch_card(api: stripe.StripeClient, reference: str) -> SaidCard:
    """Ask for a payment method. Source: https://docs.stripe.com/api/payment_methods/retrieve"""
    return read_card(plain(asked(lambda: api.v1.payment_methods.retrieve(reference))))


def list_cards(api: stripe.StripeClient, customer: str) -> Sequence[SaidCard]:
    """List a customer's cards. Source: https://docs.stripe.com/api/payment_methods/list"""
    found = every(
        lambda: api.v1.payment_methods.list({"customer": customer, "type": "card", "limit": 100})
    )
    return [read_card(each) for each in found]


def prefer_card(api: stripe.StripeClient, customer: str, reference: str, *, key: str) -> None:
    """Set the card of a customer's invoices.

    Source: https://docs.stripe.com/api/customers/update#update_customer-invoice_settings
    """
    done(
        lambda: api.v1.customers.update(
            customer,
            {"invoice_settings": {"default_payment_method": reference}},
            {"idempotency_key": key},
        )
    )


def forget_card(api: stripe.StripeClient, reference: str, *, key: str) -> None:
    """Detach a payment method; one that is detached or gone already has what was wanted.

    Source: https://docs.stripe.com/api/payment_methods/detach
    """
    try:
        done(
            lambda: api.v1.payment_methods.detach(reference, None, {"idempotency_key": key}),
        )
    except ProviderRefused:
        if fetch_card(api, reference).customer is not None:
            raise
