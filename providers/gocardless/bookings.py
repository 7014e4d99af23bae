"""What GoCardless pays out to our bank account, and the items that each payout is made of.

Its balance has no list of its own: an item is on the books when a payout takes it along.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from core.errors import ProviderRefused, UnmappedProviderValue
from core.money import Money
from providers.book_seam import Booking, BookingKind, PayoutStatus, SaidPayout
from providers.deliveries import UnreadableDelivery
from providers.gocardless import listing, reading
from providers.gocardless.api import PAYOUT_ITEMS, PAYOUTS, Api
from providers.gocardless.progress import NAME
from providers.rows import unread
from providers.said import Oddity
from providers.values import Thing, instant, thing, word

# Source: https://developer.gocardless.com/api-reference/#core-endpoints-payouts; a bounced one may be sent again.
_PAYOUTS: Mapping[str, PayoutStatus] = {
    "pending": PayoutStatus.PENDING,
    "paid": PayoutStatus.PAID,
    "bounced": PayoutStatus.FAILED,
}
# Source: https://developer.gocardless.com/api-reference/#core-endpoints-payout-items
_ITEMS: Mapping[str, BookingKind] = {
    "payment_paid_out": BookingKind.ARRIVED,
    "payment_failed": BookingKind.ARRIVED,
    "payment_charged_back": BookingKind.ARRIVED,
    "payment_refunded": BookingKind.REFUND,
    "refund": BookingKind.REFUND,
    "refund_funds_returned": BookingKind.REFUND,
    "gocardless_fee": BookingKind.FEE,
    "app_fee": BookingKind.FEE,
    "revenue_share": BookingKind.FEE,
    "surcharge_fee": BookingKind.FEE,
}
FEES = "fees"
_Read = TypeVar("_Read", Booking, SaidPayout)


def list_payouts(api: Api, *, since: datetime, until: datetime) -> Iterator[SaidPayout | Oddity]:
    """List payouts to our own bank account."""
    for one in api.pages(PAYOUTS, listing.window(since, until)):
        yield _read(one, _payout)


def list_bookings(api: Api, *, since: datetime, until: datetime) -> Iterator[Booking | Oddity]:
    """List the items of what was paid out, and the payouts themselves, newest payout first."""
    for one in api.pages(PAYOUTS, listing.window(since, until)):
        if one.get("status") != "pending":
            yield from _of_payout(api, one)


def bookings_of_payout(api: Api, reference: str) -> Iterator[Booking | Oddity]:
    """List the items of one payout, the payout itself among them."""
    yield from _of_payout(api, api.get(PAYOUTS, reference))


def _name(one: Thing) -> str:
    return word(one.get("id"), longest=255) or "no id"


def _read(one: Thing, reader: Callable[[Thing], _Read]) -> _Read | Oddity:
    try:
        return reader(one)
    except (UnmappedProviderValue, UnreadableDelivery) as error:
        return unread(error, label="GoCardless", what="payout", name=_name(one))


def _payout(one: Thing) -> SaidPayout:
    reference, status = word(one.get("id"), longest=255), word(one.get("status"))
    made_at = instant(one.get("created_at"))
    if reference is None or status is None or made_at is None:
        raise UnreadableDelivery("the payout has no id, no status or no time")
    if status not in _PAYOUTS:
        raise UnmappedProviderValue(NAME, "payout.status", status)
    day = word(one.get("arrival_date"), longest=10)
    return SaidPayout(
        reference=reference,
        status=_PAYOUTS[status],
        amount=reading.money(one),
        created_at=made_at,
        arrives_at=instant(f"{day}T00:00:00Z") if day else None,
        failure=status if status == "bounced" else None,
        is_listable=status != "pending",
    )


def _of_payout(api: Api, one: Thing) -> Iterator[Booking | Oddity]:
    """Read a payout's items; what cannot be read is shown, and hides no other payout."""
    said = _read(one, _payout)
    if isinstance(said, Oddity):
        yield said
        return
    try:
        items = list(api.pages(PAYOUT_ITEMS, {"payout": said.reference}))
    except ProviderRefused as error:
        # They are given for half a year only.
        code = error.provider.code if error.provider else "refused"
        why = f"GoCardless does not give the items of payout {said.reference} ({code})."
        yield Oddity("RECON_DIFFERENCE", f"items:{said.reference}", why, at_risk=said.amount)
        return
    yield _own(said)
    if said.status == PayoutStatus.FAILED:
        yield _own(said, has_come_back=True)
    try:
        yield from _Items(said, items).bookings()
    except UnreadableDelivery as error:
        yield unread(error, label="GoCardless", what="payout", name=said.reference)


def _own(payout: SaidPayout, *, has_come_back: bool = False) -> Booking:
    amount = payout.amount if has_come_back else -payout.amount
    kind = BookingKind.PAYOUT_BACK if has_come_back else BookingKind.PAYOUT
    return Booking(
        reference=f"{payout.reference}:{kind.value}",
        kind=kind,
        word="payout_bounced" if has_come_back else "payout",
        amount=amount,
        fee=Money(0, amount.asset),
        net=amount,
        booked_at=payout.created_at,
        available_at=payout.created_at,
        about=payout.reference,
    )


def exact(item: Thing) -> Decimal:
    """Read an item's amount: minor units, as a text that may have a fraction. Raises: UnreadableDelivery."""
    text = word(item.get("amount"), longest=40)
    try:
        found = Decimal(text or "")
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise UnreadableDelivery("an item's amount is no number")
    return found


@dataclass(frozen=True)
class _Items:
    """The items of one payout: those of payments as they are, its fees as one whole amount."""

    payout: SaidPayout
    items: Sequence[Thing]

    def bookings(self) -> Iterator[Booking | Oddity]:
        """Give them; fees may have fractions, and what is paid out is rounded over all of them."""
        times: Counter[str] = Counter()
        fees, rest = Decimal(0), self.payout.amount.minor
        for item in self.items:
            kind = _ITEMS.get(word(item.get("type")) or "", BookingKind.UNKNOWN)
            if kind == BookingKind.FEE:
                fees += exact(item)
                continue
            booking = self._booking(item, kind, times)
            rest -= booking.amount.minor
            yield booking
        if abs(rest - fees) > 1:
            said = (
                f"The items of GoCardless' payout {self.payout.reference} leave {rest} for its fees,"
                f" which are {fees} (in {self.payout.amount.asset.code}, minor units)."
            )
            yield Oddity("RECON_DIFFERENCE", f"fees:{self.payout.reference}", said)
        if rest:
            yield self._fees(Money(rest, self.payout.amount.asset))

    def _booking(self, item: Thing, kind: BookingKind, times: Counter[str]) -> Booking:
        minor, links = exact(item), thing(item.get("links"))
        own = word(item.get("type"), longest=64)
        if minor != int(minor) or own is None:
            raise UnreadableDelivery("an item of a payment has no type or no whole amount")
        payment = word(links.get("payment"), longest=255)
        about = word(links.get("refund"), longest=255) or payment
        amount = Money(int(minor), self.payout.amount.asset)
        # Items have no names of their own; of several alike the order tells, which stays.
        name = f"{self.payout.reference}:{own}:{about or 'none'}"
        times[name] += 1
        return Booking(
            reference=name if times[name] == 1 else f"{name}:{times[name]}",
            kind=kind,
            word=own,
            amount=amount,
            fee=Money(0, amount.asset),
            net=amount,
            booked_at=self.payout.created_at,
            available_at=self.payout.created_at,
            about=about,
            names=(payment,) if payment else (),
        )

    def _fees(self, amount: Money) -> Booking:
        return Booking(
            reference=f"{self.payout.reference}:{FEES}",
            kind=BookingKind.FEE,
            word=FEES,
            amount=amount,
            fee=Money(0, amount.asset),
            net=amount,
            booked_at=self.payout.created_at,
            available_at=self.payout.created_at,
            about=self.payout.reference,
        )
