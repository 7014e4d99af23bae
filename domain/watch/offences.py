"""What a rule of the books finds: the rows that break it, and what has to be held for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.money import Money, asset
from core.strictjson import Json
from models.ledger import JournalEntry, Posting
from models.orders import Order
from models.payments import Payment
from models.people import Merchant
from providers import registry

# More offending rows than this are not read: then the whole house is held.
MOST = 25


@dataclass(frozen=True)
class Offence:
    """One row that breaks a rule. kind, id: what it is; the rest: where money has to be held for it."""

    sentence: str
    kind: str
    id: str
    order_id: str | None = None
    merchant_id: str | None = None
    provider: str | None = None


@dataclass(frozen=True)
class Place:
    """What is to be held, as a freeze names it."""

    scope: str
    scope_id: str


EVERYTHING = Place("all", "")
# since: None reads all there is; else only what was posted after it.
Find: TypeAlias = Callable[[Session, datetime | None], Iterator[Offence]]


@dataclass(frozen=True)
class Rule:
    """One rule. has_recent: whether it can be asked of what is new alone."""

    name: str
    label: str
    means: str
    find: Find
    has_recent: bool = True


def recent_entries(since: datetime) -> Select[str]:
    """Choose the entries that were posted after an instant."""
    return select(JournalEntry.id).where(JournalEntry.posted_at > since)


def recent_addresses(since: datetime) -> Select[str]:
    """Choose the accounts that were posted to after an instant."""
    own = Posting.entry_id.in_(recent_entries(since))
    return select(Posting.address).where(own).distinct()


def recent_payments(since: datetime) -> Select[str | None]:
    """Choose the payments about which something was posted after an instant."""
    told = JournalEntry.posted_at > since, JournalEntry.payment_id.is_not(None)
    return select(JournalEntry.payment_id).where(*told).distinct()


def recent_orders(since: datetime) -> Select[str | None]:
    """Choose the orders about which something was posted after an instant."""
    told = JournalEntry.posted_at > since, JournalEntry.order_id.is_not(None)
    return select(JournalEntry.order_id).where(*told).distinct()


def said(minor: int, unit: str) -> str:
    """Write an amount inside a sentence; a unit that nobody knows stays as it is.

    minor: also as a database sums it, as a decimal.
    """
    try:
        amount = Money(int(minor), asset(unit))
    except ValueError:
        return f"{minor} {unit}"
    return f"{amount.major()} {amount.asset.code}"


def of_payment(payment: Payment, sentence: str) -> Offence:
    """Point an offence at a payment: held for its order, its merchant, or its provider."""
    return Offence(
        sentence,
        "payment",
        payment.id,
        order_id=payment.order_id,
        merchant_id=payment.merchant_id,
        provider=payment.provider,
    )


def place_of(session: Session, offence: Offence) -> Place:
    """Find the narrowest thing that there is to hold for an offence.

    Transaction: caller's, reads only.
    """
    if offence.order_id and session.get(Order, offence.order_id) is not None:
        return Place("order", offence.order_id)
    if offence.merchant_id and session.get(Merchant, offence.merchant_id) is not None:
        return Place("merchant", offence.merchant_id)
    rails = {rail.name: rail.rail for rail in registry.every()}
    if offence.provider in rails:
        return Place("rail", rails[offence.provider])
    return EVERYTHING


def places_of(session: Session, offences: Sequence[Offence]) -> list[Place]:
    """Find what has to be held for some offences; for many it is everything.

    Transaction: caller's, reads only.
    """
    if len(offences) > MOST:
        return [EVERYTHING]
    found = list(dict.fromkeys(place_of(session, each) for each in offences))
    return [EVERYTHING] if EVERYTHING in found else found


def wire(offence: Offence) -> dict[str, Json]:
    """Write an offence as it is stored and answered."""
    return {"kind": offence.kind, "id": offence.id, "text": offence.sentence}
