"""The hosted pay page: card fields of the provider, the payment's own state, what to do when it has closed."""

from __future__ import annotations

from flask import Blueprint, Response, request

from dashboard import pay_invoice, pay_page, render
from dashboard.pay_page import Shown
from dashboard.shapes import View
from domain.database import reading
from web import access

routes = Blueprint("desk_pay", __name__)
# Says in the address of a state that it is asked for by somebody who came back.
_BACK = "back"
_OPEN = "the id is the secret: it cannot be guessed"


def _find(public_id: str) -> Shown:
    with reading() as session:
        return pay_page.find(session, public_id)


def _view(shown: Shown, state: View, *, is_back: bool = False) -> View:
    page = pay_page.page_view(shown)
    if is_back:
        # What is asked for again speaks to the same person: one who waits, not one who is about to pay.
        page |= {"state_url": f"{page['state_url']}?{_BACK}=yes"}
    return {
        "pay": page,
        "state": state,
        "stripe_js_url": shown.rail.js_url,
    }


@routes.get("/pay/<public_id>")
@access.public(_OPEN, loads_stripe=True)
def show(public_id: str) -> Response:
    if pay_invoice.is_invoice(public_id):
        return pay_invoice.show(public_id)
    shown = _find(public_id)
    state = pay_page.state_view(shown)
    view = _view(shown, state)
    if pay_page.has_form(shown):
        return render.plain("pay/show.html", view)
    if not state["final"]:
        return render.plain("pay/return.html", view)
    status = 200 if state["name"] == "paid" else 410
    return render.plain("pay/closed.html", view, status=status)


@routes.get("/pay/<public_id>/state")
@access.public(_OPEN)
def state(public_id: str) -> Response:
    """Give the state alone; the page asks again until it is final."""
    prepared = pay_page.returned_view if _BACK in request.args else pay_page.state_view
    return render.part("pay/_state.html", {"state": prepared(_find(public_id))})


@routes.get("/pay/<public_id>/return")
@access.public(_OPEN, loads_stripe=True)
def back(public_id: str) -> Response:
    """Show what we know; the provider's parameters in the address are never believed."""
    shown = _find(public_id)
    return render.plain(
        "pay/return.html", _view(shown, pay_page.returned_view(shown), is_back=True)
    )


@routes.post("/pay/<public_id>/return")
@access.public(_OPEN)
def sent(public_id: str) -> Response:
    """Take the form of a browser that ran no script: no card was read, so show where things stand."""
    _find(public_id)
    return render.to(f"/pay/{public_id}")
