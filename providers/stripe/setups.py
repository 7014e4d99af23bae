"""Setup intents: a card that is checked and kept without a charge; and what Stripe tells of kept cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

import stripe

from core import clock
from core.errors import ProviderRefused, UnmappedProviderValue
from core.fold import VALIDATED, Fact
from core.strictjson import Json
from providers.card_seam import SaidCard
from providers.deliveries import UnreadableDelivery
from providers.new_payment import Created, NewPayment
from providers.said import KeyedFact, Reading
from providers.stripe import customers
from providers.stripe.errors import decline_words
from providers.stripe.sdk import asked, done, every, plain
from providers.stripe.things import Thing, reference_of, thing, word

PREFIX = "seti_"
CARD_PREFIXES = ("pm_", "card_")
_EXPAND: Mapping[str, Json] = {"expand": ["payment_method"]}


def create_setup(api: stripe.StripeClient, new: NewPayment, *, key: str) -> Created:
    """Create a setup intent for a card of a customer, to be charged later with or without them.

    Source: https://docs.stripe.com/api/setup_intents/create
    """
    params: dict[str, object] = {
        "customer": new.customer,
        "payment_method_types": ["card"],
        "usage": "off_session",
        "metadata": metadata(new),
    }
    answer = done(lambda: api.v1.setup_intents.create(params, {"idempotency_key": key}))  # type: ignore[arg-type]
    return created_setup(plain(answer))


def metadata(new: NewPayment) -> dict[str, str]:
    """Give the tags by which our transaction is found again."""
    tags = {"payment_id": new.payment_id, "operation_id": new.operation_id}
    tags |= {"type": new.type} if new.type else {}
    return tags | {"demo": "true"} if new.demo else tags


def created_setup(subject: Thing) -> Created:
    """Read a setup intent as the answer to its creation."""
    return Created(
        reference=str(subject["id"]),
        client_secret=word(subject.get("client_secret")),
        hosted_url=None,
        expires_at=None,
        reading=read_setup(subject, said_at=clock.now()),
    )


def fetch_setup(api: stripe.StripeClient, reference: str) -> Reading:
    """Ask for a setup intent with its card. Calls: the provider."""
    answer = asked(lambda: api.v1.setup_intents.retrieve(reference, _EXPAND))  # type: ignore[arg-type]
    return read_setup(plain(answer), said_at=clock.now())


def cancel_setup(api: stripe.StripeClient, reference: str, *, key: str) -> Reading:
    """Cancel a setup intent that nobody completed. Calls: the provider."""
    answer = done(lambda: api.v1.setup_intents.cancel(reference, None, {"idempotency_key": key}))
    return read_setup(plain(answer), said_at=clock.now())


def find_setup(api: stripe.StripeClient, payment_id: str, *, since: datetime) -> Created | None:
    """Look through the newest setup intents for ours, by metadata. Calls: the provider."""
    window: Mapping[str, Json] = {"limit": 100, "created": {"gte": int(since.timestamp()) - 60}}
    for found in every(lambda: api.v1.setup_intents.list(window)):  # type: ignore[arg-type]
        if thing(found.get("metadata")).get("payment_id") == payment_id:
            return created_setup(found)
    return None


def fetch_kept(api: stripe.StripeClient, reference: str) -> Reading:
    """Ask for a kept card; one that is gone is kept for nobody. Calls: the provider."""
    try:
        said = customers.fetch_card(api, reference)
    except ProviderRefused as error:
        if error.provider is None or error.provider.code != "resource_missing":
            raise
        said = SaidCard(reference)
    return Reading(references=(reference,), kept=said)


def read_setup(subject: Thing, *, said_at: datetime, status: str | None = None) -> Reading:
    """Read a setup intent; `status` overrides the snapshot's where the event's type says it.

    Raises: UnreadableDelivery, UnmappedProviderValue
    Source: https://docs.stripe.com/api/setup_intents/object
    """
    reference = word(subject.get("id"))
    found = status or word(subject.get("status"))
    if reference is None or found is None:
        raise UnreadableDelivery("the setup intent has no id or no status")
    fact = _fact(subject, reference, found, said_at)
    card = _card(subject) if fact.fact.kind == VALIDATED else None
    return Reading(
        references=(reference,),
        payment_id=word(thing(subject.get("metadata")).get("payment_id")),
        facts=(fact,),
        card_brand=card.brand if card else None,
        card_last4=card.last4 if card else None,
        card=card,
    )


def _fact(subject: Thing, reference: str, status: str, said_at: datetime) -> KeyedFact:
    base, moment = f"stripe:{reference}", int(said_at.timestamp())
    if status == "succeeded":
        return KeyedFact(f"{base}:{VALIDATED}", Fact(VALIDATED, said_at))
    if status == "canceled":
        reason = word(subject.get("cancellation_reason")) or "canceled"
        return KeyedFact(f"{base}:cancelled", Fact("cancelled", said_at, code=reason))
    if status in ("processing", "requires_action"):
        return KeyedFact(f"{base}:{status}:{moment}", Fact(status, said_at))
    error = thing(subject.get("last_setup_error"))
    if status == "requires_payment_method" and error:
        code, decline = word(error.get("code")), word(error.get("decline_code"))
        attempt = reference_of(subject.get("latest_attempt")) or str(moment)
        words = decline_words(code, decline)
        fact = Fact("attempt_failed", said_at, code=decline or code, message=words)
        return KeyedFact(f"{base}:attempt_failed:{attempt}", fact)
    if status in ("requires_payment_method", "requires_confirmation"):
        return KeyedFact(f"{base}:created", Fact("created", said_at))
    raise UnmappedProviderValue("stripe", "setup_intent.status", status)


def _card(subject: Thing) -> SaidCard | None:
    """Give the card of a setup: all that is known of it when it is written out, else its names."""
    found = thing(subject.get("payment_method"))
    customer = reference_of(subject.get("customer"))
    if found:
        said = customers.read_card(found)
        return replace(said, customer=said.customer or customer)
    reference = word(subject.get("payment_method"))
    return SaidCard(reference, customer) if reference else None


def with_hold(said: Reading, subject: Thing, *, said_at: datetime) -> Reading:
    """Read the end of a hold that proved a card as what it also says: whether there had been a hold.

    Its own event may come later, or never. Where the snapshot does not say how its charge ended, the
    intent has to be asked for. Source: https://docs.stripe.com/payments/place-a-hold-on-a-payment-method
    """
    if thing(subject.get("metadata")).get("type") != "payment_method_validation":
        return said
    charge = thing(subject.get("latest_charge"))
    if not charge:
        why = "a hold has ended; whether it was ever there is asked for"
        return replace(said, facts=(), fetch=why) if subject.get("latest_charge") else said
    held = charge.get("amount")
    if charge.get("status") != "succeeded" or isinstance(held, bool) or not isinstance(held, int):
        return said
    fact = Fact("authorized", said_at, amount_minor=held)
    keyed = KeyedFact(f"stripe:{word(subject.get('id'))}:authorized:{held}", fact)
    return replace(said, facts=(keyed, *said.facts))


def _setup(status: str | None = None) -> Callable[[Thing, datetime], Reading]:
    return lambda subject, said_at: read_setup(subject, said_at=said_at, status=status)


def _failed(subject: Thing, said_at: datetime) -> Reading:
    return read_setup(subject, said_at=said_at, status="requires_payment_method")


def _vault(subject: Thing, _: datetime) -> Reading:
    """Read that something changed of a kept card: what is true of it now is asked for."""
    said = customers.read_card(subject)
    if not said.reference:
        raise UnreadableDelivery("the payment method has no id")
    why = "a kept card has changed; what is true of it now is asked for"
    return Reading(references=(said.reference,), kept=said, fetch=why)


READERS: Mapping[str, Callable[[Thing, datetime], Reading]] = {
    "setup_intent.created": _setup("requires_confirmation"),
    "setup_intent.requires_action": _setup("requires_action"),
    "setup_intent.succeeded": _setup("succeeded"),
    "setup_intent.setup_failed": _failed,
    "setup_intent.canceled": _setup("canceled"),
}
VAULT_READERS: Mapping[str, Callable[[Thing, datetime], Reading]] = {
    "payment_method.attached": _vault,
    "payment_method.detached": _vault,
    "payment_method.updated": _vault,
    "payment_method.automatically_updated": _vault,
}
