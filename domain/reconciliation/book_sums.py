"""What the books say of many payments, refunds or disputes at once: what their entries moved at the provider."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from core.entry_kinds import RECEIPTS
from core.fold import DISPUTE_REINSTATED, DISPUTE_WITHDRAWN
from domain.books import accounts
from models.ledger import JournalEntry, Posting
from models.payments import Payment

# What arrived, also where it lies in suspense or was a coupon; and what was taken back of it late.
ARRIVED = frozenset({*RECEIPTS, "coupon", "mark_confirmed"})
TAKEN_BACK = frozenset({"late_failure"})
# What people entered to put something right.
BY_HAND = frozenset({"manual"})
REFUNDED = frozenset({"refund"})
DISPUTED = frozenset({DISPUTE_WITHDRAWN, DISPUTE_REINSTATED})


@dataclass
class Booked:
    """What is booked of one thing, in minor units of its own asset, debits positive. entries: the amounts
    of the entries that stand, those that were reversed left out.
    """

    minor: int = 0
    entries: list[int] = field(default_factory=list)
    in_other_asset: bool = False


def of_payments(session: Session, provider: str, payments: Sequence[Payment]) -> dict[str, Booked]:
    """Sum what is booked as received of payments, less what was taken back late; what people entered by
    hand under the provider's name of a payment counts too.

    Transaction: caller's, reads only.
    """
    assets = {row.id: row.asset for row in payments}
    kinds = ARRIVED | TAKEN_BACK
    found = _sum(session, provider, JournalEntry.payment_id, assets, kinds=kinds)
    names = {str(row.provider_reference): row for row in payments if row.provider_reference}
    of_names = {name: row.asset for name, row in names.items()}
    by_hand = _sum(session, provider, JournalEntry.provider_reference, of_names, kinds=BY_HAND)
    for name, booked in by_hand.items():
        found[names[name].id].minor += booked.minor
    return found


def of_references(
    session: Session, provider: str, assets: Mapping[str, str], *, kinds: Collection[str]
) -> dict[str, Booked]:
    """Sum what entries of some kinds moved, by the provider's reference that they carry.

    assets: reference → its asset. Transaction: caller's, reads only.
    """
    wanted = {*kinds, *BY_HAND}
    return _sum(session, provider, JournalEntry.provider_reference, assets, kinds=wanted)


def _sum(
    session: Session,
    provider: str,
    key: InstrumentedAttribute[str | None],
    assets: Mapping[str, str],
    *,
    kinds: Collection[str],
) -> dict[str, Booked]:
    reversed_entry, reversal = aliased(JournalEntry), aliased(JournalEntry)
    kind = func.coalesce(reversed_entry.kind, JournalEntry.kind)
    statement = (
        select(
            key,
            JournalEntry.id,
            JournalEntry.reverses_id,
            reversal.id.label("reversed_by"),
            Posting.asset,
            func.sum(Posting.amount_minor),
        )
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .outerjoin(reversed_entry, reversed_entry.id == JournalEntry.reverses_id)
        .outerjoin(reversal, reversal.reverses_id == JournalEntry.id)
        .where(key.in_(list(assets)), kind.in_(sorted(kinds)), _at_provider(provider))
        .group_by(key, JournalEntry.id, JournalEntry.reverses_id, reversal.id, Posting.asset)
    )
    found: dict[str, Booked] = defaultdict(Booked)
    for said, _, reverses, reversed_by, unit, total in session.execute(statement):
        name, minor = str(said), int(total)
        booked = found[name]
        if unit != assets[name]:
            booked.in_other_asset = booked.in_other_asset or bool(minor)
            continue
        booked.minor += minor
        if minor and not reverses and not reversed_by:
            booked.entries.append(minor)
    return found


def _at_provider(provider: str) -> ColumnElement[bool]:
    places = (
        accounts.clearing(provider),
        accounts.suspense(provider),
        accounts.promotions(provider),
    )
    return Posting.address.in_([place.address for place in places])
