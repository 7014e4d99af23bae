"""The first way of comparing: the provider's own lists, page by page, matched with ours a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy.orm import Session

from core import clock
from core import recon_kinds as kinds
from domain import database
from domain.reconciliation import differences, matching, news, pages, said
from domain.reconciliation.differences import Found
from domain.reconciliation.matching import Matched
from domain.reconciliation.pages import Page, Seen
from models.reconciliation import ReconciliationRun
from providers import registry
from providers.list_seam import Listing


def read(run: ReconciliationRun, what: Listing) -> Page:
    """Read one page of a list, match it, and apply or offer what it brings that is new.

    Calls: the provider. Raises: ProviderUnavailable, ProviderRefused, Paused. Transaction: opens its own.
    """
    rail = registry.configured(run.provider, livemode=run.livemode)
    asked_at = clock.now()
    listed = rail.list_page(what, since=run.window_from, until=run.window_to, after=run.cursor)
    with database.reading() as session:
        matched = matching.match(session, run, listed.items)
    found = news.take(rail, run, what, matched)
    # What was applied just now has moved by that.
    heard_at = clock.now()
    seen = [
        each
        for item in matched
        if item.payment is not None
        for each in said.seen(
            what,
            item.listed,
            item.payment,
            seen_at=heard_at if item.is_news and run.heals else asked_at,
        )
    ]
    foreign = [each for each in matched if each.payment is None]
    strangers = [_missing_here(run, what, each) for each in foreign if _is_money(what, each)]
    return Page(
        cursor=listed.after,
        done=len(matched),
        counts={"unknown": len(foreign), "orphans": len(strangers)},
        write=partial(_write, seen=seen, matched=matched, found=[*found, *strangers]),
    )


def _write(
    session: Session,
    run: ReconciliationRun,
    *,
    seen: Sequence[Seen],
    matched: Sequence[Matched],
    found: Sequence[Found],
) -> None:
    pages.keep(session, run, seen)
    if not run.heals:
        news.tell_oddities(session, run, matched)
    for each in found:
        differences.record(session, run, each)


def _is_money(what: Listing, each: Matched) -> bool:
    """Tell whether an object that is none of ours took money; what others merely began is theirs."""
    reading = each.listed.reading
    # What an invoice brings is a coupon's: nobody paid it.
    return (
        what == Listing.PAYMENTS
        and not reading.is_invoice
        and any(item.fact.kind == "succeeded" and item.fact.amount_minor for item in reading.facts)
    )


def _missing_here(run: ReconciliationRun, what: Listing, each: Matched) -> Found:
    [seen] = said.seen(what, each.listed, None, seen_at=run.started_at)
    amount = said.amount_of(seen.amount_minor, seen.asset)
    reading = each.listed.reading
    return Found(
        kind=kinds.MISSING_HERE,
        subject=reading.references[0] if reading.references else each.listed.name,
        subject_at=seen.made_at,
        ours="unknown",
        theirs=said.in_words(seen.state, amount),
        at_risk=amount,
        reference=each.listed.name,
    )
