"""What an object of a provider says, short enough to be kept and compared; and in words for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from core import rail_words
from core.fold import AWAITING_BANK, AWAITING_PAYER, CHARGE_KINDS, RANK
from core.money import Money, asset
from domain.reconciliation.pages import Seen
from models.payments import Payment
from providers.list_seam import Listed, Listing
from providers.said import Reading

PAYMENT, REFUND, DISPUTE = "payment", "refund", "dispute"
KIND_OF = {Listing.PAYMENTS: PAYMENT, Listing.REFUNDS: REFUND, Listing.DISPUTES: DISPUTE}
ABSENT, UNREADABLE, SILENT, LET_GO = "absent", "unreadable", "nothing", "let_go"
# How far the provider is with a payment, by the farthest fact that it states.
MONEY, HELD, OPEN, ENDED = "money", "held", "open", "ended"
GROUPS = {
    "succeeded": MONEY,
    "authorized": HELD,
    "validated": ENDED,
    "failed": ENDED,
    "cancelled": ENDED,
    "expired": ENDED,
    ABSENT: ABSENT,
    UNREADABLE: UNREADABLE,
}


def group_of(state: str) -> str:
    """Say how far an object is; what is neither money, held nor over is open."""
    return GROUPS.get(state, OPEN)


def payment(
    name: str, reading: Reading, owner: Payment | None, *, made_at: datetime, seen_at: datetime
) -> Seen:
    """Shorten what is said of a payment: its farthest fact, and what has arrived."""
    facts = [each.fact for each in reading.facts if each.fact.kind not in CHARGE_KINDS]
    top = max(facts, key=lambda fact: RANK.get(fact.kind, 0), default=None)
    state = UNREADABLE if reading.oddities and top is None else SILENT
    arrived = (
        top.amount_minor if top is not None and top.kind in ("succeeded", "authorized") else None
    )
    return Seen(
        kind=PAYMENT,
        reference=name,
        state=top.kind if top else state,
        made_at=made_at,
        seen_at=seen_at,
        payment_id=owner.id if owner else None,
        asset=_asset_of(reading, owner),
        amount_minor=arrived,
    )


def _asset_of(reading: Reading, owner: Payment | None) -> str | None:
    """Name the currency; as the payment's own where it is the same, since that carries its scale."""
    if reading.asset_code is None:
        return None
    if owner is not None and asset(owner.asset).code == reading.asset_code:
        return owner.asset
    return reading.asset_code


def refunds(
    reading: Reading, owner: Payment | None, *, made_at: datetime, seen_at: datetime
) -> Iterator[Seen]:
    """Shorten what is said of refunds."""
    for each in reading.refunds:
        yield Seen(
            kind=REFUND,
            reference=each.reference,
            state=each.keyed.fact.kind if each.moved else LET_GO,
            made_at=made_at,
            seen_at=seen_at,
            payment_id=owner.id if owner else None,
            asset=str(each.amount.asset),
            amount_minor=each.amount.minor,
        )


def disputes(reading: Reading, owner: Payment | None, *, seen_at: datetime) -> Iterator[Seen]:
    """Shorten what is said of disputes."""
    for each in reading.disputes:
        yield Seen(
            kind=DISPUTE,
            reference=each.reference,
            state=each.status,
            made_at=each.opened_at,
            seen_at=seen_at,
            payment_id=owner.id if owner else None,
            asset=str(each.amount.asset),
            amount_minor=each.amount.minor,
        )


def seen(what: Listing, item: Listed, owner: Payment | None, *, seen_at: datetime) -> list[Seen]:
    """Shorten one listed object. seen_at: as of when it is so."""
    made_at = item.made_at or (owner.created_at if owner else seen_at)
    if what == Listing.PAYMENTS:
        return [payment(item.name, item.reading, owner, made_at=made_at, seen_at=seen_at)]
    if what == Listing.REFUNDS:
        return list(refunds(item.reading, owner, made_at=made_at, seen_at=seen_at))
    return list(disputes(item.reading, owner, seen_at=seen_at))


_WORDS = {
    "succeeded": "paid",
    "attempt_failed": "declined, still open",
    "created": "open",
    "requires_payment_method": "open",
    "requires_action": "waiting for the payer",
    AWAITING_PAYER: "waiting for the payer",
    AWAITING_BANK: "on its way",
    ABSENT: "unknown",
    SILENT: "open",
    UNREADABLE: "cannot be read",
    LET_GO: "let go",
}


def in_words(state: str, amount: Money | None = None, *, rail: str = "") -> str:
    """Say a state of an object, with its amount, for people. rail: of the payment, where it is one."""
    word = _WORDS.get(state, state.removeprefix("refund_").replace("_", " "))
    if state == "authorized":
        word = f"held {rail_words.of(rail).held_at}"
    return f"{word}, {money(amount)}" if amount is not None else word


def money(amount: Money) -> str:
    """Write an amount with its currency."""
    return f"{amount.major()} {amount.asset.code}"


def amount_of(minor: int | None, unit: str | None) -> Money | None:
    """Read an amount; None where there is none, or where its currency is not one that we know."""
    if minor is None or unit is None:
        return None
    try:
        return Money(minor, asset(unit))
    except ValueError:
        return None
