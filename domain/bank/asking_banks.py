"""Asking the providers of bank payments what they list; the last place where a payment may be that we do not know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from core import clock
from core.bank_references import key_of
from core.errors import ProviderRefused, ProviderUnavailable, RailNotConfigured
from core.money import Money, asset
from domain.bank import search
from domain.bank.candidates import BANK_RAIL
from domain.bank.search import PROVIDER, Asked, Found, Result
from domain.reconciliation import said
from providers import registry
from providers.list_seam import Listed, Listing
from providers.seam import Rail

_MOST_PAGES = 5


@dataclass(frozen=True)
class Unasked:
    """A provider that could not be asked, and why."""

    provider: str
    why: str


def widen(asked: Asked, found: Result) -> tuple[Result, list[Unasked]]:
    """Add what providers of bank payments list within the days that were looked at.

    Calls: every configured provider of bank payments, without a transaction. Raises: ProviderUnavailable,
    RailNotConfigured, only where the providers were asked for by name.
    """
    if not asked.wants(PROVIDER):
        return found, []
    is_explicit = PROVIDER in asked.sources
    rails = [rail for rail in registry.every() if rail.rail == BANK_RAIL and rail.is_configured]
    if not rails and is_explicit:
        raise RailNotConfigured(BANK_RAIL)
    known = {(each.provider, each.provider_reference) for each in found.items}
    more, unasked = list[Found](), list[Unasked]()
    for rail in rails:
        try:
            more += _asked(rail, asked, search.window(asked, found.days), known)
        except (ProviderUnavailable, ProviderRefused) as error:
            if is_explicit:
                raise
            unasked.append(Unasked(rail.name, error.message))
    items = search.ranked([*found.items, *more])
    return Result(items, found.days, found.widened), unasked


def _asked(
    rail: Rail,
    asked: Asked,
    span: tuple[datetime, datetime],
    known: set[tuple[str | None, str | None]],
) -> Sequence[Found]:
    found, after = list[Found](), None
    for _ in range(_MOST_PAGES):
        page = rail.list_page(Listing.PAYMENTS, since=span[0], until=span[1], after=after)
        found += [
            each
            for item in page.items
            for each in _read(rail, asked, item)
            if (each.provider, each.provider_reference) not in known
        ]
        after = page.after
        if after is None:
            break
    return found


def _read(rail: Rail, asked: Asked, item: Listed) -> Iterator[Found]:
    made_at = item.made_at or clock.now()
    seen = said.payment(item.name, item.reading, None, made_at=made_at, seen_at=clock.now())
    names = (item.name, *item.reading.references, *item.reading.links.values())
    key = key_of(asked.reference)
    is_named = bool(key) and any(key in key_of(name) for name in names)
    is_amount = seen.amount_minor in asked.minors()
    if not is_named and not is_amount:
        return
    if asked.currency and seen.asset and asset(seen.asset) != asset(asked.currency):
        return
    amount = None
    if seen.amount_minor is not None and seen.asset is not None:
        amount = Money(seen.amount_minor, asset(seen.asset))
    score, why = search.weigh(asked, names, seen.amount_minor)
    yield Found(
        source=PROVIDER,
        payment_id=item.reading.payment_id,
        provider=rail.name,
        provider_reference=item.name,
        bank_reference=None,
        amount=amount,
        status=seen.state,
        at=made_at,
        score=score,
        why=why,
    )
