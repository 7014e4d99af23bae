"""Providers and their rails as the desk says them: how each is, what is late, what was said of it. No routes."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from core.permissions import Permission
from core.strictjson import Json
from dashboard import states, words
from dashboard.shapes import Act, Alert, State, View
from domain import calendar, desk
from domain.actors import Actor
from domain.books import manual
from domain.delays import eta, lateness, notice_queries
from domain.desk import Session
from models.delays import DelayNotice
from providers.seam import Rail

HERE = "/providers"
DEADLINES = f"{HERE}/deadlines"
KINDS: Mapping[str, State] = {
    "delay": State("Late", "half", "warn"),
    "outage": State("Down", "failed", "bad"),
}
OVER = State("Over", "done", "quiet")
UNCONFIGURED = State("Not configured", "dotted", "quiet")
# As much of a text as an address brings along.
_LONGEST_NOTE = 200
WHO_SAYS = "Support, finance, admins and engineers say so."
WHO_EXTENDS = "Support, finance and admins move deadlines."


def place(rail: str, provider: str) -> str:
    """Name what a notice is about: a rail, or one provider of it."""
    name = words.rail_names().get(rail, rail.capitalize())
    return f"{name} payments" + (f" through {words.provider_label(provider)}" if provider else "")


def title(row: DelayNotice) -> str:
    """Say in a few words what a notice says."""
    said = "are late" if row.kind == "delay" else "do not work"
    return f"{place(row.rail, row.provider)} {said}"


def alert(row: DelayNotice, *, for_staff: bool) -> Alert:
    """Prepare what stands above the pages while a notice is open."""
    text = row.text
    if (ahead := notice_queries.eta_at([row])) is not None:
        text = f"{words.sentence(text)} Expected by {words.absolute(ahead)}."
    if not for_staff:
        return Alert("warn", title(row), text)
    return Alert("warn", title(row), text, f"{HERE}/notices/{row.id}", "See the notice")


def state_of(row: DelayNotice) -> State:
    """Show how a notice stands."""
    return KINDS[row.kind] if row.closed_at is None else OVER


def notice_view(row: DelayNotice, names: Mapping[str, str]) -> View:
    """Prepare one row of the list of notices."""
    ahead = notice_queries.eta_at([row]) if row.closed_at is None else None
    return {
        "id": row.id,
        "version": words.plain_mark(row.closed_at or row.opened_at),
        "href": f"{HERE}/notices/{row.id}",
        "title": title(row),
        "state": state_of(row),
        "text": row.text,
        "by": names.get(row.opened_by, row.opened_by),
        "opened": words.moment(row.opened_at),
        "closed": words.moment(row.closed_at) if row.closed_at else None,
        "eta": words.moment(ahead) if ahead else None,
    }


def rail_view(session: Session, rail: Rail, health: Mapping[str, Json] | None) -> View:
    """Prepare one rail: how it is, when its money is final, what is late on it now. health: None: not configured."""
    late = lateness.of(session, rail.rail, rail.name)
    expected = eta.of_rail(session, rail.rail, rail.name, codes=rail.currencies)
    oldest = f", the oldest since {words.absolute(late.oldest)}" if late.oldest else ""
    counts = [
        (late.on_its_way, "payment is on its way", "payments are on their way", oldest),
        (late.unmatched, "event waits for its payment", "events wait for their payments", ""),
        (late.unanswered, "call has no answer", "calls have no answer", ""),
        (late.due, "order is due within a day", "orders are due within a day", ""),
    ]
    return {
        "label": words.rail(rail.rail, rail.name),
        "state": states.HEALTH[str(health["state"])] if health else UNCONFIGURED,
        "text": str(health["text"]) if health else "No key of this provider is set.",
        "eta": expected.text if expected and not expected.is_notice else None,
        "late": [
            f"{desk.capped(number)} {one if number == 1 else many}{more}"
            for number, one, many, more in counts
            if number
        ],
    }


def open_act(actor: Actor) -> Act:
    """Offer to say that a rail is late, or say why not."""
    may = actor.may(Permission.NOTICES_MANAGE)
    href, reason = f"{HERE}/notices/new", None if may else WHO_SAYS
    return Act("notice", "Say that a rail is late", href, may, reason, icon="clock")


def extend_act(actor: Actor, *, rail: str = "", order_id: str = "") -> Act:
    """Offer to move deadlines, of a rail's orders or of one, or say why not."""
    may = actor.may(Permission.DEADLINES_EXTEND)
    query = {"rail": rail, "orders": order_id}
    asked = urlencode({name: value for name, value in query.items() if value})
    href = f"{DEADLINES}/new" + (f"?{asked}" if asked else "")
    label = "Extend the deadline" if order_id else "Extend deadlines"
    reason = None if may else WHO_EXTENDS
    said = "Its deposit is due later; can be undone for a day."
    return Act("extend", label, href, may, reason, icon="calendar", text=said, verb="Extend")


def entry_act(row: DelayNotice, actor: Actor) -> Act:
    """Offer a manual entry for money that is late, with the day by which it is to be reversed."""
    may = actor.may(Permission.JOURNAL_POST)
    due = manual.due_by_policy()
    if (ahead := notice_queries.eta_at([row])) is not None:
        due = max(due, calendar.day_of(ahead))
    asked = {
        "note": f"{title(row)} ({row.id}): {row.text}"[:_LONGEST_NOTE],
        "reversal_due_on": due.isoformat(),
    }
    reason = None if may else "Finance and admins post by hand."
    href = f"/journal/new?{urlencode(asked)}"
    return Act("entry", "Post an entry by hand", href, may, reason, icon="ledger")


def close_act(row: DelayNotice, actor: Actor) -> Act:
    """Offer to take a notice back, or say why not."""
    reason = None
    if row.closed_at is not None:
        reason = "It is over already."
    elif not actor.may(Permission.NOTICES_MANAGE):
        reason = WHO_SAYS
    href = f"{HERE}/notices/{row.id}/close"
    return Act("close", "It is over", href, reason is None, reason, icon="check", tone="primary")
