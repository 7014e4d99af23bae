"""How statements and bank lines read on the desk: states, rows, suggestions, what may be done. No routes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from core.permissions import Permission
from dashboard import listing, words
from dashboard.shapes import Act, Fact, Option, State, Tab, View
from domain.actors import Actor
from domain.bank import counterparties, matching
from domain.bank.bank_queries import LineFilter
from domain.bank.counterparties import Counterparty
from domain.bank.matching import Target
from domain.bank.suggesting import Suggestion
from models.statements import BankAccount, BankLine, BankStatement

HERE = "/bank"
LINES, STATEMENTS = f"{HERE}/lines", f"{HERE}/statements"
WHO = "Finance and admins import and match."
STATES: Mapping[str, State] = {
    "unmatched": State("Not matched", "open", "quiet"),
    "suggested": State("Suggested", "half", "info"),
    "matched": State("Matched", "done", "good"),
}
CERTAIN = State("Certain", "done", "good")
KINDS: Mapping[str, str] = {"payment": "Payment", "payout": "Payout", "refund": "Refund"}
_PAGES = {"payment": "/payments", "payout": "/reconciliation/payouts", "refund": "/refunds"}
_READS = {
    "payment": Permission.PAYMENTS_READ,
    "payout": Permission.RECONCILIATION_READ,
    "refund": Permission.REFUNDS_LIST,
}


def places(actor: Actor, current: str) -> list[Tab]:
    """Prepare the links between the pages of the bank desk that a person may open."""
    every = (
        ("Payment not found?", HERE, Permission.BANK_SEARCH),
        ("Lines", LINES, Permission.BANK_LINES),
        ("Statements", STATEMENTS, Permission.BANK_STATEMENTS),
    )
    return [
        Tab(label, href, href == current)
        for label, href, permission in every
        if actor.may(permission)
    ]


def import_act(actor: Actor) -> Act:
    """Offer to import a statement."""
    may = actor.may(Permission.BANK_IMPORT)
    return Act(
        "import",
        "Import a statement",
        f"{HERE}/import",
        may,
        None if may else WHO,
        icon="file",
        tone="primary",
    )


def href_of(target: Target, actor: Actor) -> str | None:
    """Give the page of what a line shows, for whoever may open it."""
    return f"{_PAGES[target.kind]}/{target.id}" if actor.may(_READS[target.kind]) else None


def other_side(line: BankLine, actor: Actor) -> Counterparty:
    """Give the other side of a line as this person may see it."""
    found = counterparties.open_line(line)
    return found if actor.may(Permission.BANK_STATEMENTS) else found.masked()


def state_of(line: BankLine, suggestions: Sequence[Suggestion]) -> str:
    """Say how a line stands; what was found just now counts, not what was when it was last looked at."""
    if line.state == "matched":
        return line.state
    return "suggested" if suggestions else "unmatched"


def line_view(line: BankLine, suggestions: Sequence[Suggestion], actor: Actor) -> View:
    """Prepare a line as a row of the list."""
    target = matching.target_of(line)
    first = suggestions[0] if suggestions else None
    other = other_side(line, actor)
    shows = None
    if target is not None:
        shows = {
            "text": f"{KINDS[target.kind]} {words.short(target.id)}",
            "href": href_of(target, actor),
        }
    return {
        "id": line.id,
        "version": listing.version(line.state, line.match_no, first.id if first else ""),
        "href": f"{LINES}/{line.id}",
        "state": STATES[state_of(line, suggestions)],
        "money": words.money(line.amount_minor, line.asset),
        "reference": line.reference or line.bank_reference or "No reference",
        "other": other.name or other.number,
        "account": line.account,
        "booked": f"{line.booked_on.day} {line.booked_on:%B %Y}",
        "shows": shows,
        "suggested": None if first is None else suggestion_words(first),
        "certain": bool(first and first.is_certain),
        "demo": line.demo,
    }


def suggestion_words(said: Suggestion) -> str:
    """Say what a line may show and why, in a line."""
    return f"{KINDS[said.kind]} {words.short(said.name)}: {said.why}"


def suggestion_view(line: BankLine, said: Suggestion, actor: Actor) -> View:
    """Prepare a suggestion with the act that confirms it."""
    may = actor.may(Permission.BANK_MATCH)
    href = f"{LINES}/{line.id}/match?kind={said.kind}&target={said.id}"
    return {
        "id": said.id,
        "title": f"{KINDS[said.kind]} {words.short(said.name)}",
        "href": href_of(Target(said.kind, said.id), actor),
        "money": words.shown(said.amount),
        "why": words.sentence(said.why),
        "score": said.score,
        "certain": CERTAIN if said.is_certain else None,
        "act": Act(f"match-{said.id}", "Match", href, may, None if may else WHO),
    }


def statement_view(row: BankStatement, counts: Counter[str]) -> View:
    """Prepare a statement as a row of the list."""
    open_lines = counts["unmatched"] + counts["suggested"]
    closing = None
    if row.closing_minor is not None:
        closing = words.money(row.closing_minor, row.asset)
    known = row.lines - counts.total()
    return {
        "id": row.id,
        "version": listing.version(counts["matched"], counts["suggested"], counts["unmatched"]),
        "href": f"{STATEMENTS}/{row.id}",
        "account": row.account,
        "days": days(row),
        "lines": words.counted(row.lines, "line"),
        "known": f"{known} known before" if known else None,
        "state": STATES["unmatched"] if open_lines else STATES["matched"],
        "open": f"{open_lines} to match" if open_lines else "all matched",
        "closing": closing,
        "imported": words.moment(row.imported_at),
        "format": "CAMT.053" if row.format == "camt053" else "CSV",
        "demo": row.demo,
    }


def days(row: BankStatement) -> str:
    """Write the days that a statement covers."""
    begin, end = row.from_on, row.to_on
    last = f"{end.day} {end:%B %Y}"
    return last if begin == end else f"{begin.day} {begin:%B %Y} to {last}"


def line_facts(line: BankLine, who: Mapping[str, str], actor: Actor) -> list[Fact]:
    """List what is known of a line."""
    other = other_side(line, actor)
    facts = [
        Fact("Account", line.account),
        Fact("Booked on", f"{line.booked_on.day} {line.booked_on:%B %Y}"),
    ]
    if line.value_on and line.value_on != line.booked_on:
        facts.append(Fact("Value date", f"{line.value_on.day} {line.value_on:%B %Y}"))
    facts.append(Fact("Reference", line.reference or "None"))
    if line.end_to_end_id:
        facts.append(Fact("End-to-end id", ref=words.ref("end-to-end id", line.end_to_end_id)))
    if line.bank_reference:
        facts.append(Fact("The bank's reference", line.bank_reference))
    if other.name or other.number:
        facts.append(Fact("Other side", other.name or "", note=other.number))
    if line.statement_id and actor.may(Permission.BANK_STATEMENTS):
        label = words.short(line.statement_id)
        facts.append(Fact("Statement", label, href=f"{STATEMENTS}/{line.statement_id}"))
    if line.statement_id is None:
        facts.append(Fact("Statement", "None yet: a person typed this line"))
    target = matching.target_of(line)
    if target is not None:
        text = f"{KINDS[target.kind]} {words.short(target.id)}"
        facts.append(Fact("Shows", text, href=href_of(target, actor)))
        facts.append(Fact("Matched by", who.get(line.matched_by or "", "Somebody")))
        facts.append(Fact("Why", line.note or ""))
        if line.entry_id and actor.may(Permission.JOURNAL_READ):
            label = words.short(line.entry_id)
            facts.append(Fact("Entry", label, href=f"/journal/{line.entry_id}"))
    facts.append(Fact("Line id", ref=words.ref("line id", line.id)))
    return facts


def account_options(rows: Sequence[BankAccount], chosen: str) -> list[Option]:
    """List our accounts as choices."""
    return [Option(row.name, row.name, row.name == chosen) for row in rows]


def exports(wanted: LineFilter) -> list[Act]:
    """Offer the lines of a filter as a file."""
    if wanted.since or wanted.until:
        why = "Clear the days first: a file knows no such filter."
        return [Act("export", "Export", "", enabled=False, reason=why, icon="file")]
    values = {
        "state": ",".join(wanted.state),
        "statementId": wanted.statement_id or "",
        "accountId": ",".join(wanted.account),
        "q": wanted.q or "",
        "format": "csv",
    }
    asked = listing.Asked("/api/bank/lines", {name: each for name, each in values.items() if each})
    return [Act("export-csv", "CSV", asked.href(), text="For spreadsheets")]
