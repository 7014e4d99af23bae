"""GoCardless' billing requests with their payments, and its refunds, one page of the list at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from core import clock
from core.errors import UnmappedProviderValue
from providers.deliveries import UnreadableDelivery
from providers.gocardless import calls, reading
from providers.gocardless.api import REFUNDS, REQUESTS, Api
from providers.list_seam import Listed, Listing, ListPage
from providers.rows import unread
from providers.said import Reading
from providers.values import Thing, instant, thing, word

# Each billing request that was agreed to has its payment asked for: a page is no longer than can be waited for.
PAGE_OF_REQUESTS = 20


def window(since: datetime, until: datetime | None) -> dict[str, str]:
    """Write a window, both ends included."""
    query = {"created_at[gte]": str(clock.rfc3339(since - calls.MARGIN))}
    if until is not None:
        query["created_at[lte]"] = str(clock.rfc3339(until + calls.MARGIN))
    return query


def list_page(
    api: Api,
    what: Listing,
    *,
    since: datetime,
    until: datetime | None = None,
    after: str | None = None,
) -> ListPage:
    """List one page; of claims there is no list. Raises: ProviderUnavailable, ProviderRefused.

    A billing request does not say how its payment stands, so those that have one are asked for too.
    """
    query = window(since, until)
    if what == Listing.PAYMENTS:
        query["limit"] = str(PAGE_OF_REQUESTS)
        items, following = api.page(REQUESTS, query, after=after)
        return ListPage([_listed(one, lambda one: _request(api, one)) for one in items], following)
    if what == Listing.REFUNDS:
        items, following = api.page(REFUNDS, query, after=after)
        return ListPage([_listed(one, _refund) for one in items], following)
    return ListPage(())


def _listed(one: Thing, read: Callable[[Thing], Reading]) -> Listed:
    """Read one row; what cannot be read must not hide the rows after it."""
    name = word(one.get("id"), longest=255) or "no id"
    try:
        said = read(one)
    except (UnmappedProviderValue, UnreadableDelivery) as error:
        oddity = unread(error, label="GoCardless", what="payment or refund", name=name)
        said = Reading(references=(name,), oddities=(oddity,))
    return Listed(name, said, instant(one.get("created_at")))


def _request(api: Api, one: Thing) -> Reading:
    return calls.request_truth(api, one, asks_refunds=False)


def _refund(one: Thing) -> Reading:
    payment = word(thing(one.get("links")).get("payment"), longest=255)
    if payment is None:
        raise UnreadableDelivery("the refund names no payment")
    said = reading.read_refund(one, said_at=clock.now())
    return Reading(
        references=(payment,), refunds=(said,), links={said.reference: reading.REFUND_LINK}
    )
