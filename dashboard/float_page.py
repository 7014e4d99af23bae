"""What each rail holds for the house and how long money takes on it; as of when it was read."""

from __future__ import annotations

from flask import Blueprint, Response

from core import clock
from core.permissions import Permission
from dashboard import ledger_words, render, words
from dashboard.shapes import Empty, View
from domain.books import floats
from domain.books.floats import Float
from domain.database import reading
from web import access

routes = Blueprint("desk_float", __name__)


def _row(found: Float) -> View:
    provider, unit = found.provider, str(found.held.asset)
    return {
        "rail": words.rail(found.rail, provider),
        "mode": "Live" if found.livemode else "Test mode",
        "sums": [
            {
                "label": label,
                "money": words.shown(sum_),
                "href": ledger_words.href_of(address, unit) if sum_.minor else None,
            }
            for label, sum_, address in (
                ("Held there", found.held, f"provider:{provider}:clearing"),
                ("On its way", found.in_transit, f"transit:{provider}"),
                ("In suspense", found.in_suspense, f"suspense:manual:{provider}"),
            )
        ],
        "settled": _hours(found.settlement_hours),
        "available": _hours(found.available_hours),
        "oldest": words.moment(found.oldest_unsettled_at) if found.oldest_unsettled_at else None,
    }


def _hours(number: int | None) -> str:
    if number is None:
        return "not told yet"
    return words.span(number * 3600) if number else "under an hour"


@routes.get("/ledger/float")
@access.page(Permission.LEDGER_TOTALS)
def index() -> Response:
    with reading() as session:
        rows = [_row(each) for each in floats.list_floats(session)]
    view: View = {
        "rows": rows,
        "drawn": words.moment(clock.now()),
        "empty_note": Empty("No rail holds anything", "Money that comes in appears here.", "bank"),
    }
    return render.page("ledger/float.html", view, live=False)
