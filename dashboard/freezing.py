"""Freezing money out and asking for it to be let go: what would be held is shown before."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request

from core.errors import AppError, InvalidInput, NotFound, invalid
from core.money_out import Act as Guarded
from core.permissions import Permission
from dashboard import confirming, guarded, holding, listing, render, words
from dashboard.confirming import Question
from dashboard.freezes import forecast_view, lift_act, title_of
from dashboard.payment_acts import source
from dashboard.shapes import Alert, Fact, Input, Link, Option, View
from domain.actors import Actor
from domain.control import approvals, freeze_queries, freezes, held, lifting
from domain.control.freezes import Wanted
from domain.control.held import Place
from domain.database import reading, transaction
from domain.desk import Session
from domain.people import people
from domain.transitions import Why
from models.control import Approval, Freeze
from web import access

routes = Blueprint("desk_freezing", __name__)
LONGEST_TARGET = 200
_TRAIL = [Link("Freezes", "/freezes")]


@dataclass(frozen=True)
class Typed:
    """What stands in the form. hold: a scope, or `rail:` and a rail's name."""

    hold: str = "all"
    target: str = ""
    until: str = ""
    reason: str = ""


def _choices() -> dict[str, str]:
    rails = {
        f"rail:{name}": f"All of {label.lower()}" for name, label in words.rail_names().items()
    }
    return {"all": "Everything"} | rails | {"merchant": "One merchant", "order": "One order"}


def _place(session: Session, typed: Typed) -> Place:
    """Read what is meant; a merchant also by their name.

    Raises: InvalidInput for the field that is wrong
    """
    scope, _, scope_id = typed.hold.partition(":")
    if typed.hold not in _choices():
        raise invalid("hold", "Choose what to hold.")
    if scope in ("merchant", "order"):
        if not typed.target:
            raise invalid("target", f"Name the {scope} to hold.")
        scope_id = typed.target
    if scope == "merchant":
        merchant = people.find_merchant(session, typed.target)
        scope_id = merchant.id if merchant is not None else typed.target
    try:
        freezes.assert_scope(session, scope, scope_id)
    except NotFound as error:
        raise invalid("target", error.message) from error
    return Place(scope, scope_id)


def _preview(typed: Typed) -> View:
    """Show what holding it would hold, or what is still missing to say so."""
    with reading() as session:
        try:
            place = _place(session, typed)
        except InvalidInput as error:
            return {"preview": None, "preview_note": error.message}
        found = held.forecast(session, place)
        known = freeze_queries.find_active(session, place.scope, place.scope_id)
    note = "Held already. Freezing it again can only make it last longer." if known else None
    return {"preview": forecast_view(found), "preview_note": note}


def _typed() -> Typed:
    return Typed(
        hold=render.typed("hold"),
        target=render.typed("target")[:LONGEST_TARGET],
        until=holding.chosen(),
        reason=confirming.reason(),
    )


def _asked() -> Typed:
    """Read what a link to the form names, such as an order."""
    hold = listing.asked_text("hold") or "all"
    return Typed(hold=hold, target=listing.asked_text("target"))


def _inputs(typed: Typed, errors: dict[str, str]) -> list[Input]:
    options = [Option(value, label, value == typed.hold) for value, label in _choices().items()]
    return [
        Input("hold", "What to hold", "select", error=errors.get("hold"), options=options),
        Input(
            "target",
            "Which merchant or order",
            value=typed.target,
            error=errors.get("target"),
            hint="A merchant's name or id, or an order's id. Leave it empty for everything or a rail.",
            maxlength=LONGEST_TARGET,
            autocomplete="off",
        ),
        holding.span_input(
            typed.until, endless="Until two people lift it", error=errors.get("until")
        ),
        confirming.reason_input(typed.reason, errors.get("reason")),
    ]


def _form(typed: Typed, errors: dict[str, str] | None = None, *, status: int = 200) -> Response:
    view: View = {
        "trail": _TRAIL,
        "inputs": _inputs(typed, errors or {}),
        "action": "/freezes",
        "preview_url": "/freezes/preview",
    }
    return render.page("freezes/new.html", view | _preview(typed), status=status, live=False)


@routes.get("/freezes/new")
@access.page(Permission.FREEZES_ENGAGE)
def ask() -> Response:
    return _form(_asked())


@routes.get("/freezes/preview")
@access.page(Permission.FREEZES_ENGAGE)
def preview() -> Response:
    return render.fragment("freezes/_preview.html", _preview(_asked()), page_href="/freezes/new")


@routes.post("/freezes")
@access.page(Permission.FREEZES_ENGAGE)
def engage() -> Response:
    typed, actor = _typed(), render.actor()
    if "preview" in request.form:
        return _form(typed)
    if (error := confirming.reason_error(typed.reason)) is not None:
        return _form(typed, {"reason": error}, status=422)
    try:
        row, said = _engage(typed, actor)
    except InvalidInput as refused:
        return _form(typed, _by_field(refused), status=422)
    render.tell(said)
    return render.to(f"/freezes/{row.id}")


def _by_field(error: InvalidInput) -> dict[str, str]:
    names = {"scopeId": "target", "scope": "hold"}
    found = error.details.get("fields")
    rows = found if isinstance(found, list) else []
    return {names.get(str(row["field"]), str(row["field"])): str(row["message"]) for row in rows}


def _engage(typed: Typed, actor: Actor) -> tuple[Freeze, Alert]:
    why = Why(actor, source(actor), typed.reason)
    with transaction() as session:
        place = _place(session, typed)
        wanted = Wanted(place.scope, place.scope_id, typed.reason, holding.ends_at(typed.until))
        row, is_new = freezes.engage(session, wanted, why=why)
        title = title_of(freeze_queries.place_of(session, row))
    until = f"until {words.absolute(row.until)}" if row.until else "until two people lift it"
    if is_new:
        return row, Alert("good", f"Frozen: {title}", f"It holds {until}, in every process.")
    return row, Alert("info", f"Held already: {title}", f"It holds {until}.")


def _question(row: Freeze, place: str) -> Question:
    return Question(
        title="Lift this freeze",
        lead=f"{title_of(place)} is held since {words.absolute(row.engaged_at)}: {row.reason}",
        effects=[
            "A second person, of finance or an admin, is asked to agree",
            "Until they do, everything stays held",
            "Then what waits may go on; each act is still agreed to by itself",
        ],
        facts=[Fact("Holds", title_of(place)), Fact("Why", row.reason)],
        action=f"/freezes/{row.id}/lift",
        label="Ask for it to be lifted",
        back=f"/freezes/{row.id}",
        trail=[*_TRAIL, Link(words.short(row.id), f"/freezes/{row.id}")],
    )


def _find(freeze_id: str) -> tuple[Freeze, str, Approval | None]:
    with reading() as session:
        row = freeze_queries.get_freeze(session, freeze_id)
        asked = approvals.find_open(session, Guarded.FREEZE_LIFT, row.id)
        return row, freeze_queries.place_of(session, row), asked


@routes.get("/freezes/<freeze_id>/lift")
@access.page(Permission.FREEZES_LIFT)
def ask_lift(freeze_id: str) -> Response:
    row, place, asked = _find(freeze_id)
    if not (act := lift_act(row, asked, render.actor())).enabled:
        render.tell(Alert("warn", "This freeze cannot be lifted", act.reason))
        return render.to(f"/freezes/{row.id}")
    return guarded.detour() or confirming.show(_question(row, place))


@routes.post("/freezes/<freeze_id>/lift")
@access.page(Permission.FREEZES_LIFT)
def lift(freeze_id: str) -> Response:
    reason, actor = confirming.reason(), render.actor()
    row, place, _ = _find(freeze_id)
    if (away := guarded.detour(f"/freezes/{row.id}/lift")) is not None:
        return away
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(row, place), reason=reason, error=error)
    try:
        with transaction() as session:
            asked = lifting.ask(session, row.id, actor=actor, source=source(actor), reason=reason)
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        guarded.note(refused)
        problem = Alert("bad", "It was not asked for", refused.message)
        return confirming.show(_question(row, place), reason=reason, problem=problem)
    render.tell(guarded.waits(asked))
    return render.to(f"/freezes/{row.id}")
