"""The months of the books: how each stands, who signed, what keeps the next one from being closed; live."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response

from core.book_states import Period as Word
from core.permissions import Permission
from dashboard import listing, period_words, render, words
from dashboard.listing import Asked
from dashboard.shapes import Tab, View
from domain import calendar, naming
from domain.database import reading
from domain.desk import Session
from domain.periods import checklist, late_facts, months
from domain.periods.months import Month
from web import access

routes = Blueprint("desk_periods", __name__)
NAMES = ("year",)
# More reasons than these are said by their number.
MOST_SAID = 3


def rows_view(asked: Asked) -> View:
    """Prepare the months of a fiscal year, newest first."""
    with reading() as session:
        names = months.ids(session)
        year_of = {name: calendar.fiscal_year_of(name) for name in names}
        years = sorted(set(year_of.values()), reverse=True)
        year = asked.one_of("year", years) or years[0]
        found = months.load(session, [name for name in reversed(names) if year_of[name] == year])
        late = late_facts.counts(session, [month.id for month in found])
        people = {by for month in found if month.standing for by in _signers(month)}
        said = naming.actor_names(session, people, for_staff=True)
        following = next(iter(months.unclosed_before(session, "9999-12")), None)
        rows = [_row(session, month, late, said, following) for month in found]
    return {
        "rows": rows,
        "rows_url": asked.href("/periods/rows"),
        "tabs_items": [
            Tab(each, asked.href(year=each if each != years[0] else None), each == year)
            for each in years
        ],
    }


def _signers(month: Month) -> tuple[str, str]:
    assert month.standing is not None  # the caller has looked
    return month.standing.asked_by, month.standing.agreed_by


def _row(
    session: Session,
    month: Month,
    late: Mapping[str, int],
    names: Mapping[str, str],
    following: str | None,
) -> View:
    stands = month.standing
    reopened = sum(1 for each in month.closings if each.reopened_at is not None)
    count = late.get(month.id, 0)
    return {
        "id": month.id,
        "version": listing.version(month.state.value, f"{len(month.closings)} {count}"),
        "href": f"/periods/{month.id}",
        "title": period_words.name(month.id),
        "fiscal": period_words.fiscal(month.id),
        "state": period_words.state(month),
        "closed": words.moment(stands.closed_at) if stands else None,
        "signers": [names[by] for by in _signers(month)] if stands else [],
        "why": _why_open(session, month, following),
        "late": words.counted(count, "late fact") if count else None,
        "scar": f"reopened {_times(reopened)}" if reopened else None,
    }


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _why_open(session: Session, month: Month, following: str | None) -> str | None:
    """Say what keeps a month from being closed; asked in full only of the one that is next."""
    if month.state in (Word.CLOSED, Word.CLOSING):
        return None
    if not month.span.is_over:
        return "It ends when the month does."
    if following is not None and following < month.id:
        return f"{period_words.name(following)} must be closed first."
    red = checklist.red(checklist.compute(session, month.span))
    if not red:
        return "Nothing keeps it from being closed."
    said = "; ".join(f"{line.item.problem} ({line.problems.count})" for line in red[:MOST_SAID])
    more = len(red) - MOST_SAID
    return f"In the way: {said}" + (f"; and {more} more." if more > 0 else ".")


@routes.get("/periods")
@access.page(Permission.PERIODS_READ)
def index() -> Response:
    asked = listing.read("/periods", NAMES)
    view = rows_view(asked) | {
        "lead": "A month is closed by two people once its checklist is green. What becomes known of it"
        " later is booked in the open month, and says so.",
    }
    return render.page("periods/index.html", view)


@routes.get("/periods/rows")
@access.page(Permission.PERIODS_READ)
def rows() -> Response:
    asked = listing.read("/periods", NAMES)
    return render.fragment("periods/_rows.html", rows_view(asked), page_href=asked.href())
