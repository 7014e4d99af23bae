"""How months of the books read on the desk: states, the checklist, what was signed. No routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core import chart
from core.book_states import Period as Word
from core.money import Money, asset
from core.money_out import Act as Guarded
from core.permissions import Permission
from core.strictjson import Json
from dashboard import books, words
from dashboard.shapes import Act, State, View
from domain import calendar
from domain.actors import Actor
from domain.books import balances
from domain.periods.certificates import label_of
from domain.periods.checklist import Carry, Line, carries_of
from domain.periods.late_facts import Difference
from domain.periods.months import Month, Span
from models.cases import ExceptionCase
from models.control import Approval

STATES: Mapping[Word, State] = {
    Word.OPEN: State("Open", "open", "quiet"),
    Word.CLOSING: State("Waits for a signature", "action", "warn", "A second person must agree"),
    Word.CLOSED: State("Closed", "done", "good"),
    Word.REOPENED: State("Reopened", "warn", "warn", "Two people opened it again"),
}
RUNNING = State("Running", "half", "info", "The month is not over")
_GREEN = State("Fine", "done", "good")
RED = State("In the way", "failed", "bad")
_CARRIED = State("Carried forward", "hold", "quiet", "Left open, for a reason that two people sign")


def state(month: Month) -> State:
    """Show where a month stands."""
    is_running = month.state == Word.OPEN and not month.span.is_over
    return RUNNING if is_running else STATES[month.state]


def name(month: str) -> str:
    """Name a month for people."""
    return calendar.name_of(month)


def fiscal(month: str) -> str:
    """Say in which quarter of which fiscal year a month lies."""
    return f"Q{calendar.quarter_of(month)} {calendar.fiscal_year_of(month)}"


def line_view(line: Line, span: Span, *, actor: Actor) -> View:
    """Prepare one item of a checklist as it is now."""
    found = _line(line.item.name, ok=line.ok, count=line.problems.count, carried=len(line.carried))
    href = line.item.href(span)
    # What only time settles leads nowhere: its page is this one.
    shows_link = line.problems.count and href != f"/periods/{span.id}" and may_open(href, actor)
    return found | {"note": line.problems.note, "href": href if shows_link else None}


def signed_lines(said: object) -> list[View]:
    """Prepare a checklist as it was signed."""
    found = []
    for each in said if isinstance(said, list) else []:
        carried = each.get("carriedForward")
        found.append(
            _line(
                str(each["item"]),
                ok=each["ok"] is True,
                count=int(each["count"]),
                carried=len(carried) if isinstance(carried, list) else 0,
            )
        )
    return found


def _line(item: str, *, ok: bool, count: int, carried: int) -> View:
    stands = _GREEN if not count else _CARRIED if ok else RED
    return {
        "id": item,
        "label": label_of(item),
        "state": stands,
        "count": count,
        "carried": carried,
        "note": "",
        "href": None,
    }


# Where a link of the checklist leads, and who may go there.
_PAGES = {
    "exceptions": Permission.EXCEPTIONS_READ,
    "payments": Permission.PAYMENTS_READ,
    "webhooks": Permission.INBOUND_READ,
    "journal": Permission.JOURNAL_READ,
    "ledger": Permission.LEDGER_TOTALS,
    "reconciliation": Permission.RECONCILIATION_RUN,
    "watch": Permission.LEDGER_VERIFICATION,
    "periods": Permission.PERIODS_READ,
}


def may_open(href: str, actor: Actor) -> bool:
    """Tell whether somebody may open a page that the checklist links to."""
    permission = _PAGES.get(href.lstrip("/").split("?")[0].split("/")[0])
    return permission is None or actor.may(permission)


def carried_view(carried: Sequence[Carry], cases: Mapping[str, ExceptionCase]) -> list[View]:
    """Prepare what is carried forward, with the reasons."""
    found: list[View] = []
    for each in carried:
        case = cases.get(each.case_id or "")
        title = case.sentence if case else label_of(each.item or each.case_id or "")
        found.append(
            {
                "title": title,
                "href": f"/exceptions/{each.case_id}" if each.case_id else None,
                "id": words.short(each.case_id) if each.case_id else None,
                "reason": each.reason,
            }
        )
    return found


def carries(said: Sequence[Json]) -> list[Carry]:
    """Read what a closing carried forward."""
    return carries_of([{"carriedForward": list(said)}])


def difference_view(each: Difference) -> View:
    """Prepare one account as it was known and as it is, each on the account's own side."""
    pattern = chart.find(each.address)
    sign = balances.own_side(pattern.kind.value) if pattern else 1
    of = asset(each.asset)

    def shown(minor: int) -> object:
        return words.shown(Money(sign * minor, of))

    return {
        "name": books.account(each.address),
        "address": each.address,
        "then": shown(each.then),
        "now": shown(each.now),
        "change": shown(each.now - each.then),
    }


def signed(row: Approval) -> View | None:
    """Prepare what an approval of a close is about; None for any other approval."""
    if row.kind != Guarded.PERIOD_CLOSE.value:
        return None
    said = row.details.get("checklist")
    return {"lines": signed_lines(said), "carried": carried_view(carries_of(said), {})}


def close_act(month: Month, actor: Actor) -> Act:
    """Offer to ask for a month to be closed, or say why not."""
    reason = None
    if month.state == Word.CLOSED:
        reason = "It is closed."
    elif month.state == Word.CLOSING:
        reason = "It was asked for; somebody else must agree."
    elif not actor.may(Permission.PERIODS_CLOSE):
        reason = "Finance asks for a month to be closed."
    elif not month.span.is_over:
        reason = "The month is not over."
    href = f"/periods/{month.id}/close"
    return Act("close", "Ask to close", href, reason is None, reason, icon="lock", tone="primary")


def reopen_act(month: Month, actor: Actor, *, waits: bool, why_not: str | None) -> Act:
    """Offer to ask for a month to be opened again, or say why not."""
    reason = why_not
    if not actor.may(Permission.PERIODS_REOPEN):
        reason = "Finance and admins ask for a month to be reopened."
    elif waits:
        reason = "It was asked for; somebody else must agree."
    href = f"/periods/{month.id}/reopen"
    return Act("reopen", "Reopen", href, reason is None, reason, icon="undo")
