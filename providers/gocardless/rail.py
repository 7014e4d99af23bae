"""GoCardless behind the seam that every provider has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from config import Settings
from core import clock
from core.money import Money
from providers.book_seam import Booking, SaidPayout
from providers.deliveries import Canary, Delivery, LiveSecret, Sent, Verified
from providers.gocardless import bookings, calls, events, listing, places, secrets, signing, wire
from providers.gocardless.api import Api, problem
from providers.gocardless.places import Places
from providers.gocardless.traits import GoCardlessTraits
from providers.http import Line
from providers.lacking import NoCards, NoCoupons, NoDisputes
from providers.list_seam import Listing, ListPage
from providers.new_payment import Created, NewPayment
from providers.said import Oddity, Reading
from providers.seam import Keys, Rail
from providers.values import parse


@dataclass(frozen=True)
class GoCardlessRail(GoCardlessTraits, NoCards, NoCoupons, NoDisputes):
    """A bank rail: the payer agrees at their own bank, GoCardless collects and pays out to ours."""

    places: Places
    api: Api
    given_secrets: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)

    @property
    def mode(self) -> str:
        """`test` or `live`, by whose address it is."""
        return self.places.mode

    @property
    def is_stand_in(self) -> bool:
        """Whether somebody else answers in GoCardless' place."""
        return self.places.is_stand_in

    @property
    def hosts(self) -> Sequence[str]:
        """Where its pages for payers lie."""
        return (self.places.pages,)

    @property
    def is_configured(self) -> bool:
        """Whether there is an access token."""
        return bool(self.api.keys(secrets.PROVIDER_KEY, False))

    def weakness(self, kind: str, value: str) -> str | None:
        """Say why a value cannot be GoCardless'."""
        is_stand_in = self.is_stand_in
        return secrets.weakness(kind, value, mode=self.mode, is_stand_in=is_stand_in)

    def canary(self, nonce: str, *, secret: LiveSecret, now: int) -> Canary:
        """Sign a probe as GoCardless signs a batch of one event."""
        return signing.canary(nonce, secret=secret, now=now)

    def verify(self, sent: Sent, *, secrets: Sequence[LiveSecret], now: int) -> Verified:  # noqa: ARG002  # the seam's
        """Check `Webhook-Signature`, which knows no time."""
        return signing.verify(sent.body, sent.header(self.signed_by), secrets=secrets)

    def read_deliveries(self, body: bytes) -> Sequence[Delivery]:
        """Read the heads of a batch's events."""
        return wire.read_deliveries(body, mode=self.mode)

    def read_event(self, body: bytes) -> Reading:
        """Read what one event says."""
        return events.read_event(parse(body), now=clock.now())

    def fetch(self, reference: str) -> Reading:
        """Ask for the present truth of a billing request, a payment, or the payment of a refund."""
        return calls.fetch(self.api, reference)

    def create_link(self, new: NewPayment, *, key: str) -> Created:
        """Create a billing request and its page."""
        return calls.create_link(self.api, self.places.pages, new, key=key)

    def find(self, payment_id: str, *, since: datetime, method: str) -> Created | None:  # noqa: ARG002  # the seam's
        """Look for a billing request that carries our id."""
        return calls.find(self.api, payment_id, since=since)

    def list_page(
        self,
        what: Listing,
        *,
        since: datetime,
        until: datetime | None = None,
        after: str | None = None,
    ) -> ListPage:
        """List one page of billing requests with their payments, or of refunds."""
        return listing.list_page(self.api, what, since=since, until=until, after=after)

    def cancel(self, reference: str, *, key: str) -> Reading:
        """End a billing request that nobody has agreed to yet."""
        return calls.cancel(self.api, reference, key=key)

    def refund(
        self, reference: str, amount: Money, *, key: str, metadata: Mapping[str, str]
    ) -> Reading:
        """Give money back to the account that paid."""
        return calls.refund(self.api, reference, amount, key=key, metadata=metadata)

    def find_refund(self, reference: str, refund_id: str) -> Reading | None:
        """Look among a payment's refunds for ours."""
        return calls.find_refund(self.api, reference, refund_id)

    def list_bookings(self, *, since: datetime, until: datetime) -> Iterator[Booking | Oddity]:
        """List the items of what was paid out."""
        return bookings.list_bookings(self.api, since=since, until=until)

    def list_payouts(self, *, since: datetime, until: datetime) -> Iterator[SaidPayout | Oddity]:
        """List payouts to our own bank account."""
        return bookings.list_payouts(self.api, since=since, until=until)

    def bookings_of_payout(self, reference: str) -> Iterator[Booking | Oddity]:
        """List what a payout is made of."""
        return bookings.bookings_of_payout(self.api, reference)


def build(settings: Settings, keys: Keys | None = None) -> Rail:
    """Build the rail. keys: where its secrets come from; None: the environment's.

    Raises: BadSettings
    """
    where = places.of(settings)
    given = {
        secrets.PROVIDER_KEY: settings.given("GOCARDLESS_ACCESS_TOKEN"),
        secrets.WEBHOOK: settings.given("GOCARDLESS_WEBHOOK_SECRET"),
    }
    api = Api(
        line=Line("GoCardless", where.api, problem),
        keys=keys or (lambda kind, _: given.get(kind)),
        rail="bank",
    )
    return GoCardlessRail(
        places=where,
        api=api,
        given_secrets={kind: [value] for kind, value in given.items()},
    )
