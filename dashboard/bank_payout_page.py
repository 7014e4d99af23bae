"""The page of one payout: every booking that it is made of, how they add up, its entries and its bank line."""

from __future__ import annotations

from flask import Blueprint, Response

from core.money import Money, asset
from core.permissions import Permission
from dashboard import bank_payout_words, books, journal_words, listing, render, words
from dashboard.bank_payout_words import HERE
from dashboard.listing import Asked
from dashboard.shapes import Fact, Link, State, View
from domain.actors import Actor
from domain.database import reading
from domain.naming import actor_names
from domain.reconciliation import payout_queries
from domain.reconciliation.payout_queries import Contents
from models.ledger import JournalEntry
from models.reconciliation import ProviderBooking, ProviderPayout
from web import access

routes = Blueprint("desk_bank_payout", __name__)
_ADDS_UP = State("Adds up", "equal", "good")
_DIFFERS = State("Does not add up", "warn", "bad")
_NOT_TOLD = State("Not told yet", "dotted", "quiet")


def _view(asked: Asked, payout_id: str) -> View:
    actor, page = render.actor(), listing.page_of(asked)
    may_read_journal = actor.may(Permission.JOURNAL_READ)
    with reading() as session:
        row = payout_queries.get_payout(session, payout_id, livemode=actor.livemode)
        made_of = payout_queries.contents(session, row)
        found = payout_queries.list_bookings(session, row, page=page)
        entries = payout_queries.entries_of(session, row) if may_read_journal else []
        near = journal_words.near(session, entries, actor)
        who = actor_names(session, {row.matched_by} if row.matched_by else set(), for_staff=True)
    shown = found[: page.limit]
    last = shown[-1] if len(found) > page.limit else None
    more = (last.booked_at, last.id) if last else None
    return {
        "payout": {
            "id": row.id,
            "short": bank_payout_words.short(row),
            "title": f"Payout of {words.provider_label(row.provider)} to our bank",
            "amount": words.money(row.amount_minor, row.asset),
            "state": bank_payout_words.state(row),
            "ref": words.ref("payout", row.provider_reference),
            "begun": words.moment(row.created_at),
            "demo": row.demo,
        },
        "acts": [bank_payout_words.act(row, actor)],
        "made_of": _made_of(row, made_of),
        "rows": [_booking(each, actor) for each in shown],
        "page": listing.pages(asked, len(shown), more),
        "entries": [_entry(each, near) for each in entries],
        "reads_journal": may_read_journal,
        "facts": _facts(row, who),
        "body_url": asked.href(f"{HERE}/{row.id}/body"),
    }


def _made_of(row: ProviderPayout, found: Contents) -> View:
    """Say how the bookings of a payout add up, and whether to what was paid out."""
    if not found.count:
        return {"state": _NOT_TOLD, "sums": [], "count": "0", "differs": None}
    whole = Money(row.amount_minor, asset(row.asset))
    # Before the provider has listed them all, what is missing is no difference.
    is_off = row.listed_at is not None and found.net != whole
    differs = words.shown(whole - found.net) if is_off else None
    return {
        "state": _NOT_TOLD if row.listed_at is None else _DIFFERS if differs else _ADDS_UP,
        "count": f"{found.count:,}",
        "sums": [
            ("Moved", words.shown(found.amount)),
            ("Less fees", words.shown(found.fee)),
            ("Together", words.shown(found.net)),
            ("Paid out", words.shown(whole)),
        ],
        "differs": differs,
    }


def _booking(row: ProviderBooking, actor: Actor) -> View:
    links = []
    if row.payment_id and actor.may(Permission.PAYMENTS_READ):
        links.append(Link(words.short(row.payment_id), f"/payments/{row.payment_id}"))
    has_entry = row.fee_entry_id is not None and actor.may(Permission.JOURNAL_READ)
    presented = None
    if row.presented_minor is not None and row.presented_asset is not None:
        presented = words.plain(words.money(row.presented_minor, row.presented_asset))
    return {
        "id": row.id,
        "kind": bank_payout_words.BOOKINGS.get(row.kind, row.word),
        "ref": words.ref("booking", row.provider_reference),
        "rate": f"{presented} at {row.rate}" if presented and row.rate else None,
        "links": links,
        "amount": words.money(row.amount_minor, row.asset),
        "fee": words.money(row.fee_minor, row.asset) if row.fee_minor else None,
        "fee_href": f"/journal/{row.fee_entry_id}" if has_entry else None,
        "net": words.money(row.net_minor, row.asset),
        "at": words.moment(row.booked_at),
    }


def _entry(row: JournalEntry, near: journal_words.Near) -> View:
    return {
        "id": row.id,
        "href": f"/journal/{row.id}",
        "title": books.entry_words(row),
        "short": words.short(row.id),
        "sums": journal_words.sums(near.movements[row.id]),
        "flows": [
            (books.account(debit, near.names), books.account(credit, near.names))
            for debit, credit, _ in near.movements[row.id]
        ],
        "posted": words.moment(row.posted_at),
    }


def _facts(row: ProviderPayout, who: dict[str, str]) -> list[Fact]:
    facts = [
        Fact("Provider", words.provider_label(row.provider)),
        Fact("Begun", at=words.moment(row.created_at)),
    ]
    if row.arrives_at:
        facts.append(Fact("Expected at the bank", at=words.moment(row.arrives_at)))
    if (failure := bank_payout_words.failure(row)) is not None:
        facts.append(Fact("Why it came back", failure))
    if row.matched_at is not None:
        less = bank_payout_words.missing(row)
        facts += [
            Fact("Found as", row.bank_line or "", note=f"on {row.bank_account}"),
            Fact("The line shows", money=words.money(row.matched_minor or 0, row.asset), note=less),
            Fact("Matched", at=words.moment(row.matched_at)),
            Fact("Matched by", who.get(row.matched_by or "", "Somebody")),
        ]
    facts.append(Fact("Money", "Live" if row.livemode else "Test mode"))
    facts.append(Fact("Payout id", ref=words.ref("payout id", row.id)))
    return facts


def _asked(payout_id: str) -> Asked:
    return listing.read(f"{HERE}/{payout_id}", ())


@routes.get(f"{HERE}/<payout_id>")
@access.page(Permission.RECONCILIATION_READ)
def show(payout_id: str) -> Response:
    return render.page("bank_payouts/show.html", _view(_asked(payout_id), payout_id))


@routes.get(f"{HERE}/<payout_id>/body")
@access.page(Permission.RECONCILIATION_READ)
def body(payout_id: str) -> Response:
    asked = _asked(payout_id)
    view = _view(asked, payout_id)
    return render.fragment("bank_payouts/_body.html", view, page_href=asked.href())
