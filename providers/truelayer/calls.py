"""The calls that make, ask for, end and give back payments at TrueLayer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import NoReturn
from urllib.parse import urlencode

from core import bank_references, clock, strictjson
from core.errors import ProviderReference, ProviderRefused, ProviderUnavailable
from core.money import Money
from core.strictjson import Json
from providers.deliveries import UnreadableDelivery
from providers.http import surely
from providers.new_payment import Created, NewPayment
from providers.said import Reading, SaidRefund
from providers.tags import tags_of
from providers.truelayer import reading
from providers.truelayer.accounts import Accounts
from providers.truelayer.api import Api, named
from providers.values import Thing, word

PAYMENTS = "/v3/payments"
# Source: https://docs.truelayer.com/reference/create-payment: the token of a payment's page lives 15 minutes.
PAGE_SECONDS = 15 * 60


def refuse(code: str, message: str) -> NoReturn:
    """Say before any call that something cannot be asked for. Raises: ProviderRefused."""
    raise ProviderRefused(message, provider=ProviderReference(None, code))


def wanted(new: NewPayment, account: str) -> dict[str, Json]:
    """Write what is asked for. Always the same for the same payment: the key is bound to these words.

    Source: https://docs.truelayer.com/reference/create-payment
    """
    if new.payer is None:
        refuse("payer_missing", "TrueLayer asks who pays.")
    user: dict[str, Json] = {"name": new.payer.name}
    if new.payer.email is not None:
        user["email"] = new.payer.email
    beneficiary: dict[str, Json] = {
        "type": "merchant_account",
        "merchant_account_id": account,
    }
    if new.bank_reference is not None:
        beneficiary["reference"] = new.bank_reference
    return {
        "amount_in_minor": new.amount.minor,
        "currency": new.amount.asset.code,
        "payment_method": {
            "type": "bank_transfer",
            "provider_selection": {"type": "user_selected"},
            "beneficiary": beneficiary,
        },
        "user": user,
        "metadata": {**tags_of(new)},
    }


def create_link(api: Api, accounts: Accounts, pages: str, new: NewPayment, *, key: str) -> Created:
    """Create a payment and the address of TrueLayer's page on which its payer chooses their bank."""
    asked = wanted(new, accounts.of_currency(new.amount.asset.code))
    if not new.return_url:
        refuse("return_url_missing", "TrueLayer's page needs an address to come back to.")
    said = surely(lambda: api.post(PAYMENTS, asked, key=key))
    return created(said, pages, new.return_url)


def created(said: Thing, pages: str, return_url: str) -> Created:
    """Read the answer to a creation. Raises: UnreadableDelivery when nobody could pay with it."""
    now = clock.now()
    found = reading.read_payment(said, said_at=now)
    reference, token = found.references[0], word(said.get("resource_token"))
    is_open = any(each.fact.kind == "created" for each in found.facts)
    if is_open and token is None:
        raise UnreadableDelivery("the payment has no token for its page")
    return Created(
        reference=reference,
        client_secret=None,
        hosted_url=page(pages, reference, token, return_url) if token else None,
        expires_at=lapses_at(token) if token else None,
        reading=found,
    )


def page(pages: str, reference: str, token: str, return_url: str) -> str:
    """Build the address of a payment's page; the token is behind the `#`, which no browser sends on.

    Source: https://docs.truelayer.com/docs/hosted-payment-page
    """
    parts = {"payment_id": reference, "resource_token": token, "return_uri": return_url}
    return f"{pages}/payments#{urlencode(parts)}"


def lapses_at(token: str) -> datetime:
    """Say until when a page's token is good: as it says itself, for an answer may be given again later."""
    parts = token.split(".")
    with suppress(binascii.Error, strictjson.Unreadable, ValueError, OverflowError, OSError):
        claims = strictjson.loads_object(
            base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)) if parts[1:] else b""
        )
        until = claims.get("exp")
        if isinstance(until, int) and not isinstance(until, bool):
            return clock.from_unix(until)
    return clock.after(PAGE_SECONDS)


def fetch(api: Api, reference: str) -> Reading:
    """Ask for the present truth of a payment, with what was given back of it once it has settled."""
    subject = api.get(f"{PAYMENTS}/{named(reference)}")
    refunds: tuple[SaidRefund, ...] = ()
    if subject.get("status") == "settled":
        refunds = tuple(_refunds_of(api, reference))
    return reading.read_payment(subject, said_at=clock.now(), refunds=refunds)


def cancel(api: Api, reference: str, *, key: str) -> Reading:
    """End an open payment; TrueLayer takes note of it and ends it a moment later.

    Source: https://docs.truelayer.com/reference/cancel-payment
    """
    path = f"{PAYMENTS}/{named(reference)}/actions/cancel"
    surely(lambda: api.post(path, None, key=key, conflict_is_no=True))
    try:
        return reading.read_payment(api.get(f"{PAYMENTS}/{reference}"), said_at=clock.now())
    except ProviderUnavailable:
        # It was taken; how it ends is told by its event, or when the payment is asked for.
        return Reading(references=(reference,))


def refund(
    api: Api, reference: str, amount: Money, *, key: str, metadata: Mapping[str, str]
) -> Reading:
    """Give money of a payment back to the account it came from.

    Source: https://docs.truelayer.com/reference/create-payment-refund
    """
    path = f"{PAYMENTS}/{named(reference)}/refunds"
    asked: dict[str, Json] = {
        "amount_in_minor": amount.minor,
        "reference": bank_references.make(metadata.get("refund_id", key)),
        "metadata": dict(metadata),
    }
    said = surely(lambda: api.post(path, asked, key=key))
    now = clock.now()
    # The answer names the refund and says no more: it is under way.
    made: Thing = {
        **asked,
        "id": said.get("id"),
        "currency": amount.asset.code,
        "status": "pending",
    }
    return Reading(
        references=(reference,),
        payment_id=metadata.get("payment_id"),
        refunds=(reading.read_refund(made, said_at=now),),
    )


def find_refund(api: Api, reference: str, refund_id: str) -> Reading | None:
    """Look among a payment's refunds for ours, by metadata; the list is the payment's own, so absence counts."""
    for found in _refunds_of(api, reference):
        if found.refund_id == refund_id:
            return Reading(references=(reference,), refunds=(found,))
    return None


def _refunds_of(api: Api, reference: str) -> Iterator[SaidRefund]:
    for one in api.pages(f"{PAYMENTS}/{named(reference)}/refunds", {}):
        yield reading.read_refund(one, said_at=clock.now())
