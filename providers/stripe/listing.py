"""Stripe's own lists of what pays, of refunds and of disputes, one page a call, read into our words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import stripe

from core import clock
from core.errors import UnmappedProviderValue
from core.strictjson import Json
from providers.deliveries import UnreadableDelivery
from providers.list_seam import Listed, Listing, ListPage
from providers.said import Oddity, Reading
from providers.stripe import disputes, invoices, reading, sessions, setups
from providers.stripe.errors import translate
from providers.stripe.things import Thing, thing, word

PAGE = 100
# Their clock and ours may differ a little.
MARGIN_SECONDS = 60
Lister = Callable[[dict[str, object]], stripe.ListObject[stripe.StripeObject]]
Reader = Callable[[Thing], Reading]


@dataclass(frozen=True)
class _Source:
    """One list of Stripe's. expand: what it shall write out in each object."""

    name: str
    lister: Callable[[stripe.StripeClient], object]
    reader: Reader
    expand: Sequence[str] = ()


def _intent(subject: Thing) -> Reading:
    return reading.read_intent(subject, said_at=clock.now())


def _session(subject: Thing) -> Reading:
    return sessions.read_truth(subject, said_at=clock.now())


def _setup(subject: Thing) -> Reading:
    return setups.read_setup(subject, said_at=clock.now())


def _invoice(subject: Thing) -> Reading:
    if word(thing(subject.get("metadata")).get("payment_id")) is None:
        # Not made by us: it may hold words that we need not know.
        return invoices.named(subject)
    return invoices.read_invoice(subject, said_at=clock.now())


def _refund(subject: Thing) -> Reading:
    return reading.read_refund(subject, said_at=clock.now())


def _dispute(subject: Thing) -> Reading:
    return disputes.read_dispute(subject, said_at=clock.now())


# Source: https://docs.stripe.com/api/payment_intents/list, …/checkout/sessions/list, …/setup_intents/list,
# …/invoices/list, …/refunds/list, …/disputes/list: newest first, at most 100 a page.
_SOURCES: Mapping[Listing, Sequence[_Source]] = {
    Listing.PAYMENTS: (
        _Source("intents", lambda a: a.v1.payment_intents.list, _intent, ("data.latest_charge",)),
        _Source(
            "sessions", lambda a: a.v1.checkout.sessions.list, _session, ("data.payment_intent",)
        ),
        _Source("setups", lambda a: a.v1.setup_intents.list, _setup, ("data.payment_method",)),
        _Source("invoices", lambda a: a.v1.invoices.list, _invoice),
    ),
    Listing.REFUNDS: (_Source("refunds", lambda a: a.v1.refunds.list, _refund),),
    Listing.DISPUTES: (_Source("disputes", lambda a: a.v1.disputes.list, _dispute),),
}


def list_page(
    api: stripe.StripeClient,
    what: Listing,
    *,
    since: datetime,
    until: datetime | None = None,
    after: str | None = None,
) -> ListPage:
    """List one page, newest first; payments are intents, then checkout sessions, setups and invoices.

    after: `source:last object`, or `source:` for the beginning of one.
    Raises: ProviderUnavailable, ProviderRefused
    """
    sources = _SOURCES[what]
    name, _, last = (after or "").partition(":")
    place = next((no for no, source in enumerate(sources) if source.name == name), 0)
    source = sources[place]
    created = {"gte": int(since.timestamp()) - MARGIN_SECONDS}
    if until is not None:
        created["lte"] = int(until.timestamp()) + MARGIN_SECONDS
    asked: dict[str, object] = {"created": created, "limit": PAGE}
    asked |= {"expand": list(source.expand)} if source.expand else {}
    asked |= {"starting_after": last} if last else {}
    found, has_more = _page(cast(Lister, source.lister(api)), asked)
    items = [Listed(_name(one), read(one, source.reader), _made_at(one)) for one in found]
    if has_more and found:
        return ListPage(items, f"{source.name}:{_name(found[-1])}")
    following = sources[place + 1 : place + 2]
    return ListPage(items, f"{following[0].name}:" if following else None)


def _page(lister: Lister, asked: dict[str, object]) -> tuple[list[Thing], bool]:
    try:
        answer = lister(asked)
    except stripe.StripeError as error:
        translate(error, changes=False)
    return [cast(Thing, item.to_dict()) for item in answer.data], answer.has_more


def _made_at(subject: Thing) -> datetime | None:
    created = subject.get("created")
    is_time = isinstance(created, int) and not isinstance(created, bool) and 0 < created < 2**33
    return clock.from_unix(cast(int, created)) if is_time else None


def read(subject: Thing, reader: Reader) -> Reading:
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
        is_invoice=_name(subject).startswith("in_"),
    )


def _name(subject: Mapping[str, Json]) -> str:
    return word(subject.get("id")) or "no id"
