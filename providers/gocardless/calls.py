"""The calls that make, ask for, end and give back payments at GoCardless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NoReturn

from core import clock
from core.errors import (
    ProviderReference,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnknown,
)
from core.money import Money
from core.strictjson import Json
from providers.deliveries import UnreadableDelivery
from providers.gocardless import reading
from providers.gocardless.api import (
    EVENTS,
    FLOWS,
    PAYMENTS,
    REFUNDS,
    REQUESTS,
    AlreadyMade,
    Api,
    Service,
)
from providers.http import surely
from providers.new_payment import Created, NewPayment
from providers.said import Reading, SaidRefund
from providers.tags import tag_of, tags_of
from providers.values import Thing, instant, thing, word

# Metadata holds three words of ours, no more.
# Source: https://developer.gocardless.com/api-reference/#billing-requests-billing-requests
MOST_TAGS = 3
LONGEST_DESCRIPTION = 255
# A page of theirs lives seven days; where an answer does not say so, an hour is counted on.
PAGE_SECONDS = 3600
# How often a page is made anew after its address was lost.
_MOST_FLOWS = 20
# Their clock and ours may differ a little.
MARGIN = timedelta(seconds=60)
# What a payment may have been given back of.
_HAD_MONEY = frozenset({"confirmed", "paid_out", "charged_back", "failed"})


def _refuse(code: str, message: str) -> NoReturn:
    raise ProviderRefused(message, provider=ProviderReference(None, code))


def few(tags: Mapping[str, str]) -> dict[str, Json]:
    """Keep as many of our words as metadata holds; the first ones are those that are needed."""
    return dict(list(tags.items())[:MOST_TAGS])


def wanted(new: NewPayment) -> dict[str, Json]:
    """Write what is asked for; our words both for the billing request and for the payment it becomes.

    Source: https://developer.gocardless.com/api-reference/#billing-requests-create-a-billing-request
    """
    tags = few(tags_of(new))
    return {
        "payment_request": {
            "description": (new.description or "Payment")[:LONGEST_DESCRIPTION],
            "amount": new.amount.minor,
            "currency": new.amount.asset.code,
            "metadata": tags,
        },
        "metadata": tags,
    }


def create_link(api: Api, pages: str, new: NewPayment, *, key: str) -> Created:
    """Create a billing request, then the page on which its payer chooses their bank.

    Two calls; called again with the same key it goes on with whatever of them was done.
    """
    if not new.return_url:
        _refuse("return_url_missing", "GoCardless' page needs an address to come back to.")
    request = surely(lambda: _request(api, new, key))
    try:
        found = created(request, now=clock.now())
        if found.is_whole:
            return found
        try:
            flow = _flow(api, found.reference, new.return_url, f"{key}-page")
        except ProviderRefused:
            # The payer may have agreed meanwhile, on a page whose address reached us earlier.
            found = created(api.get(REQUESTS, found.reference), now=clock.now())
            if found.is_whole:
                return found
            raise
    except ProviderUnavailable:
        # The billing request is there: it may not be said that nothing was done.
        raise ProviderUnknown from None
    return _with_page(found, flow, pages)


def _request(api: Api, new: NewPayment, key: str) -> Thing:
    """Create the billing request, or read the one that the key has made."""
    try:
        return api.create(REQUESTS, wanted(new), key=key)
    except AlreadyMade as made:
        found = _made(api, REQUESTS, made)
    if tag_of(found, "payment_id") != new.payment_id:
        raise ProviderUnknown(provider=ProviderReference(None, "idempotent_creation_conflict"))
    return found


def _made(api: Api, service: Service, made: AlreadyMade) -> Thing:
    """Read what a key has made. Raises: ProviderUnknown when it cannot be read now."""
    try:
        return api.get(service, made.reference)
    except (ProviderUnavailable, ProviderRefused):
        raise ProviderUnknown from None


def _flow(api: Api, request: str, return_url: str, key: str) -> Thing:
    """Create a page. One whose address was lost cannot be asked for: another is made, under a key of its own.

    A billing request is paid once, by whichever of its pages.
    """
    asked: dict[str, Json] = {
        "redirect_uri": return_url,
        "exit_uri": return_url,
        "links": {"billing_request": request},
    }
    for number in range(_MOST_FLOWS):
        try:
            own = f"{key}-{number + 1}"
            return surely(lambda own=own: api.create(FLOWS, asked, key=own))  # type: ignore[misc]
        except AlreadyMade:
            continue
    raise ProviderUnknown


def created(request: Thing, *, now: datetime) -> Created:
    """Read a billing request that was made or found; while it can be paid its page is still to be made."""
    found = reading.read_request(request, said_at=now)
    return Created(
        reference=found.references[0],
        client_secret=None,
        hosted_url=None,
        expires_at=None,
        reading=found,
        is_whole=not reading.is_payable(request),
    )


def _with_page(found: Created, flow: Thing, pages: str) -> Created:
    url = word(flow.get("authorisation_url"), longest=2048)
    if url is None or not url.startswith(f"{pages}/"):
        raise UnreadableDelivery("the flow has no address of a page of theirs")
    until = instant(flow.get("expires_at")) or clock.after(PAGE_SECONDS)
    return Created(found.reference, None, url, until, found.reading)


def find(api: Api, payment_id: str, *, since: datetime) -> Created | None:
    """Look for the billing request of a payment among those made since; the list is whole, so absence counts."""
    query = {"created_at[gte]": str(clock.rfc3339(since - MARGIN))}
    for one in api.pages(REQUESTS, query):
        if tag_of(one, "payment_id") == payment_id:
            return created(one, now=clock.now())
    return None


def fetch(api: Api, reference: str) -> Reading:
    """Ask for the present truth of a billing request with its payment, or of what a payment's name leads to."""
    if reference.startswith("RF"):
        return payment_truth(api, _of_refund(api.get(REFUNDS, reference)))
    if reference.startswith("PM"):
        return payment_truth(api, reference)
    return request_truth(api, api.get(REQUESTS, reference))


def _of_refund(refund: Thing) -> str:
    payment = word(thing(refund.get("links")).get("payment"), longest=64)
    if payment is None:
        raise UnreadableDelivery("the refund names no payment")
    return payment


def request_truth(api: Api, subject: Thing, *, asks_refunds: bool = True) -> Reading:
    """Read a billing request with all that it led to. Its events are asked for while it has no payment."""
    payment = reading.payment_of(subject)
    if payment is None:
        name = word(subject.get("id"), longest=64) or ""
        history = _history(api, "billing_request", name)
        return reading.read_request(subject, said_at=clock.now(), history=history)
    truth = payment_truth(api, payment, asks_refunds=asks_refunds)
    return reading.read_request(subject, said_at=clock.now(), payment=truth)


def payment_truth(api: Api, reference: str, *, asks_refunds: bool = True) -> Reading:
    """Read a payment: with its events when it ended, with what was given back of it when it had money."""
    subject = api.get(PAYMENTS, reference)
    status = subject.get("status")
    history = _history(api, "payment", reference) if status in reading.UNSAID else ()
    refunds: Sequence[SaidRefund] = ()
    if asks_refunds and status in _HAD_MONEY:
        refunds = [
            reading.read_refund(one, said_at=clock.now()) for one in refunds_of(api, reference)
        ]
    return reading.read_payment(subject, said_at=clock.now(), history=history, refunds=refunds)


def _history(api: Api, kind: str, reference: str) -> Sequence[Thing]:
    return list(api.pages(EVENTS, {kind: reference}))


def refunds_of(api: Api, payment: str) -> Sequence[Thing]:
    """List what was given back of a payment."""
    return list(api.pages(REFUNDS, {"payment": payment}))


def cancel(api: Api, reference: str, *, key: str) -> Reading:
    """End a billing request that nobody has agreed to yet.

    Source: https://developer.gocardless.com/api-reference/#billing-requests-cancel-a-billing-request
    """
    if reference.startswith("PM"):
        _refuse("cancellation_failed", "The payer has agreed; it cannot be cancelled any more.")
    said = surely(lambda: api.cancel(reference, key=key))
    return reading.read_request(said, said_at=clock.now())


def refund(
    api: Api, reference: str, amount: Money, *, key: str, metadata: Mapping[str, str]
) -> Reading:
    """Give money of a payment back to the account it came from.

    GoCardless wants to hear what will then have been given back in all, so that two who do not know of
    each other cannot both give. Source: https://developer.gocardless.com/api-reference/#core-endpoints-refunds
    """
    payment = _payment_name(api, reference)
    before = api.get(PAYMENTS, payment).get("amount_refunded")
    if isinstance(before, bool) or not isinstance(before, int):
        raise ProviderUnavailable("GoCardless does not say what was given back so far.")
    asked: dict[str, Json] = {
        "amount": amount.minor,
        "total_amount_confirmation": before + amount.minor,
        "metadata": few(metadata),
        "links": {"payment": payment},
    }
    said = surely(lambda: _refund(api, asked, key))
    return _of_one(reference, said, payment_id=metadata.get("payment_id"))


def _refund(api: Api, asked: Mapping[str, Json], key: str) -> Thing:
    try:
        return api.create(REFUNDS, asked, key=key)
    except AlreadyMade as made:
        return _made(api, REFUNDS, made)
    except ProviderRefused as error:
        if error.provider is None or error.provider.code != "total_amount_confirmation_invalid":
            raise
    # Another refund came between, or this one did, whose answer was lost.
    own = tag_of(dict(asked), "refund_id")
    found = next(
        (each for each in _refunds_to(api, asked) if own and tag_of(each, "refund_id") == own), None
    )
    if found is None:
        raise ProviderUnavailable("Another refund of this payment came between.")
    return found


def _refunds_to(api: Api, asked: Mapping[str, Json]) -> Sequence[Thing]:
    return refunds_of(api, word(thing(asked["links"]).get("payment")) or "")


def _payment_name(api: Api, reference: str) -> str:
    if reference.startswith("PM"):
        return reference
    payment = reading.payment_of(api.get(REQUESTS, reference))
    if payment is None:
        _refuse("refund_payment_invalid_state", "Nobody has paid it, so nothing can go back.")
    return payment


def _of_one(reference: str, refund: Thing, *, payment_id: str | None = None) -> Reading:
    said = reading.read_refund(refund, said_at=clock.now())
    return Reading(
        references=(reference,),
        payment_id=payment_id,
        refunds=(said,),
        links={said.reference: reading.REFUND_LINK},
    )


def find_refund(api: Api, reference: str, refund_id: str) -> Reading | None:
    """Look among a payment's refunds for ours, by metadata; the list is the payment's own, so absence counts."""
    for one in refunds_of(api, _payment_name(api, reference)):
        if tag_of(one, "refund_id") == refund_id:
            return _of_one(reference, one)
    return None
