"""How watching over the books reads: a badge for home and the books, rules and what breaks them. No routes."""

from __future__ import annotations

from urllib.parse import quote

from core.permissions import Permission
from core.strictjson import Json
from dashboard import words
from dashboard.shapes import Link, State, View
from domain.actors import Actor
from domain.desk import Session
from domain.watch import watch_queries
from domain.watch.watch_queries import Standing, Watch

GREEN = State("Holds", "done", "good")
RED = State("Broken", "failed", "bad")
UNASKED = State("Not asked yet", "dotted", "quiet")
STALE = State("Nobody looks", "warn", "warn", "The rules were not asked for a while")
UNSIGNED = State("Not signed", "warn", "warn", "The chains have grown and were not signed")
AGREES = State("Agrees", "done", "good")
DIFFERS = State("Differs", "warn", "warn")


def badge(session: Session, actor: Actor) -> View:
    """Say in one line how the books are watched over, for home and for the pages of the books.

    Transaction: caller's, reads only.
    """
    seen = watch_queries.at_a_glance(session)
    may = actor.may(Permission.LEDGER_VERIFICATION)
    return {
        "name": "Books",
        "state": state_of(seen),
        "text": sentence(seen),
        "seen": words.moment(seen.checked_at) if seen.checked_at else None,
        "href": "/watch" if may else None,
    }


def state_of(seen: Watch) -> State:
    """Show how the rules stand together; a broken one before anything else."""
    if seen.red:
        return RED
    if seen.checked_at is None:
        return UNASKED
    if seen.is_stale:
        return STALE
    return UNSIGNED if seen.is_unsigned else GREEN


def sentence(seen: Watch) -> str:
    """Say what the rules, the last proof and the last signature say, in one sentence each."""
    since = f" since {words.absolute(seen.since)}" if seen.since else ""
    if seen.red:
        rules = (
            f"{words.counted(seen.red, 'rule is', 'rules are')} broken{since}; money out is held."
        )
    elif seen.checked_at is None:
        rules = "No rule was asked yet; a worker does that."
    else:
        rules = f"All rules hold{since}."
    parts = [rules, _proved(seen), _signed(seen)]
    if seen.checked_at is not None:
        parts.append("Rules asked")
    return " ".join(parts)


def _proved(seen: Watch) -> str:
    if seen.verified_at is None:
        return "Nothing was proved row by row yet."
    found = "without a fault" if seen.verified_ok else "and found a fault"
    return f"Proved row by row {words.absolute(seen.verified_at)} {found}."


def _signed(seen: Watch) -> str:
    if seen.signed_at is None:
        return "The chains were not signed yet."
    return f"Chains signed {words.relative(seen.signed_at)}."


def rule_view(found: Standing, actor: Actor) -> View:
    """Prepare one rule: how it stands, since when, what breaks it and what it holds."""
    row = found.row
    state = UNASKED if row is None else RED if found.is_red else GREEN
    return {
        "name": found.rule.name,
        "label": found.rule.label,
        "means": found.rule.means,
        "state": state,
        "since": words.moment(row.since) if row else None,
        "asked": words.moment(row.checked_at) if row else None,
        "took": words.span(row.took_ms / 1000) if row else None,
        "offending": [offending_view(each, actor) for each in (row.offending if row else [])],
        "holds": [_held(each.id, each.scope, each.scope_id) for each in found.freezes],
        "case": f"/exceptions/{row.case_id}" if row and row.case_id and found.is_red else None,
    }


def _held(freeze_id: str, scope: str, scope_id: str) -> Link:
    what = "everything" if scope == "all" else f"{scope} {words.short(scope_id)}"
    return Link(what, f"/freezes/{freeze_id}")


def offending_view(found: Json, actor: Actor) -> View:
    """Prepare a row that breaks a rule, with the page that shows it to this person."""
    said = found if isinstance(found, dict) else {}
    return {
        "text": str(said.get("text", "")),
        "href": href_of(str(said.get("kind")), str(said.get("id")), actor),
    }


_PAGES = {
    "payment": ("/payments/{}", Permission.PAYMENTS_READ),
    "order": ("/orders/{}", Permission.ORDERS_READ),
    "refund": ("/refunds/{}", Permission.REFUNDS_LIST),
    "entry": ("/journal/{}", Permission.JOURNAL_READ),
    "journal": ("/journal/{}", Permission.JOURNAL_READ),
}


def href_of(kind: str, object_id: str, actor: Actor) -> str | None:
    """Find the page of what breaks a rule; an account of an order leads to the order."""
    parts = object_id.split(":")
    if kind == "account" and actor.may(Permission.LEDGER_TOTALS):
        return f"/ledger/accounts/{quote(object_id, safe=':')}"
    if kind == "account" and parts[0] == "order" and len(parts) > 2:
        kind, object_id = "order", parts[1]
    if kind not in _PAGES or not object_id.replace("_", "").isalnum():
        return None
    page, permission = _PAGES[kind]
    return page.format(object_id) if actor.may(permission) else None
