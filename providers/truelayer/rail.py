"""TrueLayer behind the seam that every provider has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from config import Settings
from core import clock
from core.errors import ProviderRefused, ProviderUnavailable
from core.money import Money
from providers.book_seam import Booking, SaidPayout
from providers.deliveries import Canary, Delivery, LiveSecret, Sent, Verified
from providers.http import Line, session
from providers.lacking import NoCards, NoCoupons, NoDisputes
from providers.list_seam import Listing, ListPage
from providers.new_payment import Created, NewPayment
from providers.said import Oddity, Reading
from providers.seam import Keys, Rail
from providers.truelayer import bookings, calls, listing, places, reading, secrets, signing, wire
from providers.truelayer.accounts import Accounts
from providers.truelayer.api import Api, problem
from providers.truelayer.keys import KeySets
from providers.truelayer.places import Places
from providers.truelayer.tokens import Tokens
from providers.truelayer.traits import TrueLayerTraits
from providers.values import parse


@dataclass(frozen=True)
class TrueLayerRail(TrueLayerTraits, NoCards, NoCoupons, NoDisputes):
    """A bank rail: the payer agrees at their own bank, the money settles into our merchant account."""

    places: Places
    api: Api
    accounts: Accounts
    key_sets: KeySets
    client_id: str
    given_secrets: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)

    @property
    def mode(self) -> str:
        """`test` or `live`, by whose address it is."""
        return self.places.mode

    @property
    def is_stand_in(self) -> bool:
        """Whether somebody else answers in TrueLayer's place."""
        return self.places.is_stand_in

    @property
    def hosts(self) -> Sequence[str]:
        """Where its pages for payers lie."""
        return (self.places.pages,)

    @property
    def is_configured(self) -> bool:
        """Whether there are a client, its secret and a key to sign with."""
        held = self.api.keys
        kinds = (secrets.PROVIDER_KEY, secrets.SIGNING_KEY)
        return bool(self.client_id) and all(held(kind, False) for kind in kinds)

    def weakness(self, kind: str, value: str) -> str | None:
        """Say why a value cannot be TrueLayer's."""
        return secrets.weakness(kind, value)

    def canary(self, nonce: str, *, secret: LiveSecret, now: int) -> Canary:  # noqa: ARG002  # the seam's
        """Refuse: TrueLayer signs with a key that nobody else has."""
        raise ProviderRefused("TrueLayer signs its events with its own key; none can be made here.")

    def verify(self, sent: Sent, *, secrets: Sequence[LiveSecret], now: int) -> Verified:  # noqa: ARG002  # the seam's
        """Check `Tl-Signature` against TrueLayer's published keys; may ask for them, once a minute."""
        return signing.verify(
            sent, jkus=self.places.jkus, find_key=self.key_sets.find, mode=self.mode, now=now
        )

    def read_deliveries(self, body: bytes) -> Sequence[Delivery]:
        """Read an event's head."""
        return wire.read_deliveries(body, mode=self.mode)

    def read_event(self, body: bytes) -> Reading:
        """Read what an event says."""
        return reading.read_event(parse(body), now=clock.now())

    def fetch(self, reference: str) -> Reading:
        """Ask for the present truth of a payment."""
        return calls.fetch(self.api, reference)

    def create_link(self, new: NewPayment, *, key: str) -> Created:
        """Create a payment and the address of its page."""
        return calls.create_link(self.api, self.accounts, self.places.pages, new, key=key)

    def find(self, payment_id: str, *, since: datetime, method: str) -> Created | None:  # noqa: ARG002  # the seam's
        """Say that it cannot be looked for: TrueLayer finds a payment by its own name only.

        So absence is never concluded. Within the key's life the same call is made again and tells; after
        that nobody holds the token by which it could be paid, its events name us, and a person decides.
        Raises: ProviderUnavailable
        """
        raise ProviderUnavailable("TrueLayer cannot be asked for a payment by our own name of it.")

    def list_page(
        self,
        what: Listing,
        *,
        since: datetime,
        until: datetime | None = None,
        after: str | None = None,
    ) -> ListPage:
        """List one page of what settled or was given back."""
        return listing.list_page(
            self.api, self.accounts, what, since=since, until=until, after=after
        )

    def cancel(self, reference: str, *, key: str) -> Reading:
        """End an open payment."""
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
        """List what moved our merchant accounts."""
        return bookings.list_bookings(self.api, self.accounts, since=since, until=until)

    def list_payouts(self, *, since: datetime, until: datetime) -> Iterator[SaidPayout | Oddity]:
        """List payouts to our own bank account."""
        return bookings.list_payouts(self.api, self.accounts, since=since, until=until)

    def bookings_of_payout(self, reference: str) -> Iterator[Booking | Oddity]:  # noqa: ARG002  # the seam's
        """List none: TrueLayer does not say of what a payout is made."""
        return iter(())


def _load_keys(address: str) -> bytes:
    """Ask for a set of keys: no redirect is followed, and no more is read than one can be."""
    with session() as own:
        line = Line("TrueLayer", address, problem, session=own)
        answer = line.send("GET", "", headers={"Accept": "application/json"}, changes=False)
    if answer.status != 200:
        raise ProviderUnavailable("TrueLayer's keys cannot be had.")
    return answer.body


def build(settings: Settings, keys: Keys | None = None) -> Rail:
    """Build the rail. keys: where its secrets come from; None: the environment's.

    Raises: BadSettings
    """
    where = places.of(settings)
    kid = settings.given("TRUELAYER_SIGNING_KID")
    secret = settings.given("TRUELAYER_CLIENT_SECRET")
    given = {
        secrets.PROVIDER_KEY: secret,
        secrets.SIGNING_KEY: secrets.written(settings.given("TRUELAYER_SIGNING_KEY"), kid),
    }
    client_id = settings.given("TRUELAYER_CLIENT_ID")
    api = Api(
        line=Line("TrueLayer", where.api, problem),
        tokens=Tokens(Line("TrueLayer", where.auth, problem), client_id),
        keys=keys or (lambda kind, _: given.get(kind)),
        rail="bank",
    )
    return TrueLayerRail(
        places=where,
        api=api,
        accounts=Accounts(api, settings.given("TRUELAYER_MERCHANT_ACCOUNT_ID")),
        key_sets=KeySets(where.jkus, _load_keys),
        client_id=client_id,
        given_secrets={kind: [value] for kind, value in given.items()},
    )
