"""The page of one journal entry: its lines, what it belongs to, its proof, and what it reverses or was reversed by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from flask import Blueprint, Response

from core.money import Asset, Money, asset
from core.permissions import Permission
from dashboard import books, entry_details, journal_words, render, verification_words, words
from dashboard.journal_words import Near
from dashboard.shapes import Act, Fact, Link, View
from domain import calendar, naming
from domain.actors import Actor
from domain.books import book_queries, chains, manual, manual_reversals, verification
from domain.database import reading
from domain.desk import Session
from models.ledger import JournalEntry, Posting
from web import access

routes = Blueprint("desk_journal_entry", __name__)


def account_href(address: str, asset: Asset, actor: Actor) -> str | None:
    """Give the page of an account in one currency, for those who may read accounts on the desk."""
    if not actor.may(Permission.LEDGER_TOTALS):
        return None
    return f"/ledger/accounts/{address}?currency={asset.code}"


def lines(movements: journal_words.Movements, near: Near) -> list[View]:
    """Prepare the lines of an entry as debits and credits, each with its account."""
    found: list[View] = []
    for debit, credit, amount in movements:
        shown = words.shown(amount)
        for side, address in (("debit", debit), ("credit", credit)):
            found.append(
                {
                    "name": books.account(address, near.names),
                    "address": address,
                    "short": books.short_address(address),
                    "href": account_href(address, amount.asset, near.actor),
                    "debit": shown if side == "debit" else None,
                    "credit": shown if side == "credit" else None,
                }
            )
    return found


def _view(entry_id: str) -> View:
    actor = render.actor()
    with reading() as session:
        row = book_queries.get_entry(session, entry_id)
        near = journal_words.near(session, [row], actor)
        stored = book_queries.lines_of(session, [row.id])
        names = _people(session, row)
        totals = _totals(stored)
        proof = _proof(session, row, actor, is_balanced=not any(each["differs"] for each in totals))
        why_not = manual_reversals.why_not(session, row)
    reversed_by = near.reversals.get(row.id)
    sums = journal_words.sums(near.movements[row.id])
    is_linked = proof["place"] is not None
    return {
        "entry": {
            "id": row.id,
            "short": words.short(row.id),
            "title": books.entry_words(row),
            "sums": sums,
            "marks": journal_words.marks(row, reversed_by),
            "ref": words.ref("journal entry", row.id),
            "posted": words.moment(row.posted_at),
            "note": row.note,
            "demo": row.demo,
            "acts": _acts(row, why_not, actor),
        },
        "lines": [_line(each, near) for each in stored],
        "totals": totals,
        "passes": [each["debits"] for each in totals] != sums,
        "is_balanced": proof["is_balanced"],
        "ties": _ties(row, actor, names),
        "dates": _dates(row),
        "reversal": _reversal(row, reversed_by),
        "details": entry_details.facts(row.details, names),
        "late": _later(row),
        "proof": proof,
        "links": {"body": f"/journal/{row.id}/body", "is_linked": is_linked},
    }


def _line(stored: Posting, near: Near) -> View:
    """Prepare a line as it is stored, not as its entry was meant."""
    amount = Money(abs(stored.amount_minor), asset(stored.asset))
    shown, is_debit = words.shown(amount), stored.amount_minor > 0
    return {
        "name": books.account(stored.address, near.names),
        "address": stored.address,
        "short": books.short_address(stored.address),
        "href": account_href(stored.address, amount.asset, near.actor),
        "debit": shown if is_debit else None,
        "credit": None if is_debit else shown,
    }


def _totals(stored: Sequence[Posting]) -> list[View]:
    """Add debits and credits up, each for itself, so that what differs is seen."""
    found: list[View] = []
    for unit in dict.fromkeys(each.asset for each in stored):
        amounts = [each.amount_minor for each in stored if each.asset == unit]
        debits = sum(each for each in amounts if each > 0)
        taken = -sum(each for each in amounts if each < 0)
        found.append(
            {
                "debits": words.money(debits, unit),
                "credits": words.money(taken, unit),
                "differs": debits != taken,
            }
        )
    return found


def _people(session: Session, row: JournalEntry) -> dict[str, str]:
    """Name whoever the entry came from, and the two who agreed to one by hand."""
    said = [
        row.source.rpartition(":")[2],
        *(row.details.get(name) for name in entry_details.PEOPLE),
    ]
    found = naming.actor_names(
        session, [each for each in said if isinstance(each, str)], for_staff=True
    )
    return {name: word for name, word in found.items() if word != name}


def _acts(row: JournalEntry, why_not: str | None, actor: Actor) -> list[Act]:
    """Offer to reverse what people posted; what follows from facts is corrected by facts."""
    if row.kind != manual.KIND:
        return []
    if not actor.may(Permission.JOURNAL_POST):
        why_not = why_not or "Finance and admins reverse entries."
    href = f"/journal/{row.id}/reverse"
    return [Act("reverse", "Reverse", href, why_not is None, why_not, icon="undo", tone="danger")]


def _ties(row: JournalEntry, actor: Actor, names: Mapping[str, str]) -> list[Fact]:
    found = []
    for label, place, name in (
        ("Order", "/orders/", row.order_id),
        ("Invoice", "/invoices/", row.invoice_id),
        ("Payment", "/payments/", row.payment_id),
    ):
        if name:
            ref = words.ref(f"{label.lower()} id", name, href=f"{place}{name}")
            found.append(Fact(label, ref=ref))
    if row.provider:
        found.append(Fact("Provider", words.provider_label(row.provider)))
    if row.provider_reference:
        reference = words.ref("provider reference", row.provider_reference)
        found.append(Fact("Provider reference", ref=reference))
    found.append(journal_words.source(row, actor, names))
    found.append(Fact("Source key", ref=words.ref("source key", row.source_key)))
    return found


def _dates(row: JournalEntry) -> list[Fact]:
    found = [Fact("Took effect", at=words.moment(row.effective_at))]
    found.append(Fact("Posted", at=words.moment(row.posted_at)))
    if row.period:
        found.append(Fact("Booked in", journal_words.month(row.period)))
    if row.late_of:
        month = journal_words.month(row.late_of)
        found.append(Fact("Late of", month, note="closed before this was known"))
    found.append(Fact("Money", "Live" if row.livemode else "Test mode"))
    return found


def _reversal(row: JournalEntry, reversed_by: str | None) -> list[Fact]:
    """Say what the entry reverses or ends, by what it was reversed, and until when it is to be."""
    found = []
    for label, name in (
        ("Reverses", row.reverses_id),
        ("Reversed by", reversed_by),
        ("Ends the reservation", row.resolves_id),
    ):
        if name:
            ref = words.ref("journal entry", name, href=f"/journal/{name}")
            found.append(Fact(label, ref=ref))
    if row.reversal_due_on is not None:
        is_late = reversed_by is None and row.reversal_due_on < calendar.today()
        text = journal_words.on(row.reversal_due_on)
        found.append(Fact("To be reversed by", text, note="overdue" if is_late else None))
    return found


def _later(row: JournalEntry) -> Link | None:
    """Lead from a late fact to the others."""
    if row.late_of is None:
        return None
    return Link("All late facts", "/journal?state=late")


def _proof(session: Session, row: JournalEntry, actor: Actor, *, is_balanced: bool) -> View:
    """Say where the entry stands in the chain, and whether the last verification has read it.

    What is out of balance now is not proved by what was read before.
    """
    link = chains.find_link(session, "journal", row.id)
    report = verification.last_report(session)
    state, text = verification_words.NEVER, "No verification has read it yet."
    at = None
    if not is_balanced:
        state = verification_words.BROKEN
        text = "Debits and credits differ now: a row was changed around the rules of the database."
    elif report is not None:
        ran = datetime.fromisoformat(str(report["at"]))
        at = words.moment(ran)
        if not report.get("ok"):
            state = verification_words.BROKEN
            text = "The last verification found a row that is not as it was written."
        elif ran > row.posted_at:
            state = verification_words.PROVED
            text = "Balanced, and as it was written, by the last verification."
    return {
        "state": state,
        "text": text,
        "at": at,
        "is_balanced": is_balanced,
        "href": verification_words.HREF if actor.may(Permission.LEDGER_VERIFICATION) else None,
        "place": f"{link.seq:,}" if link else None,
        "facts": [
            Fact("Content hash", ref=words.ref("content hash", row.content_hash)),
            Fact("Place in the chain", f"{link.seq:,}" if link else "Linked within seconds"),
            *(
                [
                    Fact("Hash of the link", ref=words.ref("hash", link.hash)),
                    Fact("Hash before it", ref=words.ref("hash before", link.previous_hash)),
                ]
                if link
                else []
            ),
        ],
    }


@routes.get("/journal/<entry_id>")
@access.page(Permission.JOURNAL_READ)
def show(entry_id: str) -> Response:
    return render.page("journal/show.html", _view(entry_id))


@routes.get("/journal/<entry_id>/body")
@access.page(Permission.JOURNAL_READ)
def body(entry_id: str) -> Response:
    if not render.wants_fragment():
        return render.to(f"/journal/{entry_id}")
    return render.part("journal/_body.html", _view(entry_id))
