"""TrueLayer's payments and refunds as our merchant accounts tell of them, one page a call.

There is no list of payments: what never settled is on no account, and is asked for by its own name.
"""

from __future__ import annotations

from datetime import datetime

from core import clock
from core.errors import UnmappedProviderValue
from providers.deliveries import UnreadableDelivery
from providers.list_seam import Listed, Listing, ListPage
from providers.rows import unread
from providers.said import Reading
from providers.truelayer import reading, transactions
from providers.truelayer.accounts import Accounts
from providers.truelayer.api import Api
from providers.truelayer.transactions import Place
from providers.values import Thing, instant, word

# Of which type the rows are that count.
_KINDS = {Listing.PAYMENTS: transactions.PAYMENT, Listing.REFUNDS: transactions.REFUND}


def list_page(
    api: Api,
    accounts: Accounts,
    what: Listing,
    *,
    since: datetime,
    until: datetime | None = None,
    after: str | None = None,
) -> ListPage:
    """List one page of what settled, or of what was given back; of claims there is no list.

    A page may be empty and yet not the last. Raises: ProviderUnavailable, ProviderRefused.
    """
    wanted = _KINDS.get(what)
    if wanted is None:
        return ListPage(())
    place = Place.read(after)
    items, following = transactions.page(api, accounts, place, since=since, until=until)
    listed = [_listed(one, wanted) for one in items if one.get("type") == wanted]
    return ListPage(listed, following.written() if following else None)


def _listed(one: Thing, wanted: str) -> Listed:
    if wanted == transactions.REFUND:
        name = word(one.get("refund_id"), longest=255) or _own(one)
        return Listed(name, _read(one, name), instant(one.get("created_at")))
    # When a payment was made is not said here, only when it settled.
    name = word(one.get("payment_id"), longest=255) or _own(one)
    return Listed(name, _read(one, name))


def _own(one: Thing) -> str:
    return word(one.get("id"), longest=255) or "no id"


def _read(one: Thing, name: str) -> Reading:
    """Read one row; a word that we do not know must not hide the rows after it."""
    try:
        return _refund(one, name) if one.get("type") == transactions.REFUND else _payment(one, name)
    except (UnmappedProviderValue, UnreadableDelivery) as error:
        oddity = unread(error, label="TrueLayer", what="transaction", name=name)
        return Reading(references=(name,), oddities=(oddity,))


def _payment(one: Thing, name: str) -> Reading:
    return reading.read_payment({**one, "id": name, "metadata": None}, said_at=clock.now())


def _refund(one: Thing, name: str) -> Reading:
    payment = word(one.get("payment_id"), longest=255)
    if payment is None:
        raise UnreadableDelivery("the refund names no payment")
    said = reading.read_refund(one, said_at=clock.now(), reference=name)
    return Reading(references=(payment,), refunds=(said,))
