"""What an approval of a journal entry shows before somebody agrees: its lines, both days, what it belongs to. No routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from core.money import Money, asset
from core.money_out import Act
from core.permissions import Permission
from core.strictjson import Json
from dashboard import book_names, journal_entry, journal_words, words
from dashboard.journal_words import Near
from dashboard.shapes import Fact, View
from domain.actors import Actor
from domain.desk import Session
from models.control import Approval

KINDS = frozenset({Act.MANUAL_ENTRY.value, Act.ENTRY_REVERSAL.value})
# Details that are told apart from the others.
_TOLD = frozenset(
    "note invoiceId provider providerReference postings effectiveOn reversalDueOn reference entryHash".split()
)


def lines(session: Session, row: Approval, actor: Actor) -> View | None:
    """Prepare the lines that would be posted; None for approvals of anything else."""
    if row.kind not in KINDS:
        return None
    movements = _movements(row.details)
    addresses = {address for flow in movements for address in flow[:2]}
    near = Near(actor, names=book_names.of_accounts(session, addresses, actor))
    return {
        "lines": journal_entry.lines(movements, near),
        "totals": journal_words.totals(movements),
        "is_posted": bool(row.result.get("entryId")),
    }


def _movements(details: Mapping[str, Json]) -> list[tuple[str, str, Money]]:
    listed = details.get("postings")
    found = []
    for each in listed if isinstance(listed, Sequence) else ():
        if isinstance(each, Mapping):
            of = asset(str(each["currency"]))
            minor = int(str(each["amount"]).replace(".", ""))
            found.append((str(each["debit"]), str(each["credit"]), Money(minor, of)))
    return found


def told(row: Approval) -> frozenset[str]:
    """Name the details of an approval that are told here in words of their own."""
    return _TOLD if row.kind in KINDS else frozenset()


def facts(row: Approval, actor: Actor) -> list[Fact]:
    """Say the rest that the hash covers of a journal entry; nothing of anything else."""
    if row.kind not in KINDS:
        return []
    said = row.details
    found = [Fact("Note", str(said.get("note", "")))]
    if (invoice := said.get("invoiceId")) is not None:
        href = f"/invoices/{invoice}" if actor.may(Permission.INVOICES_STATUS) else None
        found.append(Fact("Invoice", ref=words.ref("invoice id", str(invoice), href=href)))
    if (provider := said.get("provider")) is not None:
        found.append(Fact("Provider", words.provider_label(str(provider))))
    reference = str(said.get("providerReference", ""))
    found.append(Fact("Provider reference", ref=words.ref("provider reference", reference)))
    if row.kind == Act.MANUAL_ENTRY:
        found += _days(said)
        if said.get("reference"):
            found.append(Fact("Its asker's reference", str(said["reference"])))
    else:
        found.append(Fact("Takes effect", "The day it is agreed to, in the open month"))
        entry_hash = words.ref("content hash", str(said.get("entryHash", "")))
        found.append(Fact("Hash of the entry", ref=entry_hash))
    return found


def _days(said: Mapping[str, Json]) -> list[Fact]:
    effective, due = said.get("effectiveOn"), said.get("reversalDueOn")
    takes = journal_words.on(date.fromisoformat(str(effective))) if effective else None
    ends = journal_words.on(date.fromisoformat(str(due))) if due else "Nobody said"
    return [
        Fact("Takes effect", takes or "The day it is agreed to"),
        Fact("To be reversed by", ends, note="a case reminds of it"),
    ]


def outcome(row: Approval, actor: Actor) -> list[Fact]:
    """Lead to the entry that was posted."""
    entry = row.result.get("entryId")
    if not isinstance(entry, str):
        return []
    href = f"/journal/{entry}" if actor.may(Permission.JOURNAL_READ) else None
    return [Fact("Entry", ref=words.ref("journal entry", entry, href=href))]
