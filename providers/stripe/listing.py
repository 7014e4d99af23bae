"""Stripe's own lists of payment intents, checkout sessions, refunds and disputes, page by page, read into our words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import cast

import stripe

from core import clock
from core.errors import UnmappedProviderValue
from core.strictjson import Json
from providers.seam import Oddity, Reading, UnreadableDelivery
from providers.stripe import disputes, reading, sessions
from providers.stripe.errors import translate
from providers.stripe.things import Thing, thing, word

PAGE = 100
# Their clock and ours may differ a little.
MARGIN_SECONDS = 60
Listing = Callable[[dict[str, object]], stripe.ListObject[stripe.StripeObject]]
Reader = Callable[[Thing], Reading]


def list_payments(api: stripe.StripeClient, *, since: datetime) -> Iterator[Reading]:
    """List payment intents with their latest charge, then checkout sessions, newest first.

    Raises: ProviderUnavailable, ProviderRefused
    Source: https://docs.stripe.com/api/payment_intents/list, https://docs.stripe.com/api/checkout/sessions/list
    """
    window = {"created": {"gte": int(since.timestamp()) - MARGIN_SECONDS}, "limit": PAGE}
    intents = cast(Listing, api.v1.payment_intents.list)
    yield from _pages(intents, window | {"expand": ["data.latest_charge"]}, _intent)
    paid_by = window | {"expand": ["data.payment_intent"]}
    yield from _pages(cast(Listing, api.v1.checkout.sessions.list), paid_by, _session)


def list_refunds(api: stripe.StripeClient, *, since: datetime) -> Iterator[Reading]:
    """List refunds, newest first.

    Raises: ProviderUnavailable, ProviderRefused
    Source: https://docs.stripe.com/api/refunds/list
    """
    window = {"created": {"gte": int(since.timestamp()) - MARGIN_SECONDS}, "limit": PAGE}
    yield from _pages(cast(Listing, api.v1.refunds.list), window, _refund)


def list_disputes(api: stripe.StripeClient, *, since: datetime) -> Iterator[Reading]:
    """List disputes, newest first.

    Raises: ProviderUnavailable, ProviderRefused
    Source: https://docs.stripe.com/api/disputes/list
    """
    window = {"created": {"gte": int(since.timestamp()) - MARGIN_SECONDS}, "limit": PAGE}
    yield from _pages(cast(Listing, api.v1.disputes.list), window, _dispute)


def _pages(listing: Listing, window: Mapping[str, object], reader: Reader) -> Iterator[Reading]:
    after: dict[str, object] = {}
    while True:
        found, has_more = _page(listing, {**window, **after})
        yield from (_read(subject, reader) for subject in found)
        if not has_more or not found:
            return
        after = {"starting_after": found[-1]["id"]}


def _page(listing: Listing, params: dict[str, object]) -> tuple[list[Thing], bool]:
    try:
        answer = listing(params)
    except stripe.StripeError as error:
        translate(error, changes=False)
    return [cast(Thing, item.to_dict()) for item in answer.data], answer.has_more


def _intent(subject: Thing) -> Reading:
    return reading.read_intent(subject, said_at=clock.now())


def _session(subject: Thing) -> Reading:
    return sessions.read_truth(subject, said_at=clock.now())


def _refund(subject: Thing) -> Reading:
    return reading.read_refund(subject, said_at=clock.now())


def _dispute(subject: Thing) -> Reading:
    return disputes.read_dispute(subject, said_at=clock.now())


def _read(subject: Thing, reader: Reader) -> Reading:
    """Read one object; a word that we do not know must not hide the objects after it."""
    try:
        return reader(subject)
    except UnmappedProviderValue as error:
        kind, sentence = "UNMAPPED_VALUE", str(error)
        key = f"{error.provider_name}:{error.field}:{error.value}"
    except UnreadableDelivery as error:
        kind, sentence = "RECON_DIFFERENCE", f"Stripe lists an object that cannot be read: {error}"
        key = f"unreadable:{_name(subject)}"
    known = thing(subject.get("metadata")).get("payment_id")
    return Reading(
        references=(_name(subject),),
        payment_id=word(known),
        oddities=(Oddity(kind, key, sentence),),
    )


def _name(subject: Mapping[str, Json]) -> str:
    return word(subject.get("id")) or "no id"
