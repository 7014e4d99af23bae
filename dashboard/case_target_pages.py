"""The targets of the exception desk: which team looks at a kind, within how many hours, on which clock."""

from __future__ import annotations

from flask import Blueprint, Response

from core.case_kinds import KINDS, LONGEST_TARGET_HOURS, Clock, Team
from core.errors import InvalidInput, NotFound
from core.permissions import Permission
from dashboard import case_words, exceptions, render, words
from dashboard.shapes import Act, Alert, Input, Link, Option, View
from domain import naming
from domain.actors import Actor
from domain.cases import case_targets
from domain.cases.case_targets import Target
from domain.database import reading, transaction
from web import access

routes = Blueprint("desk_exception_targets", __name__)
_CLOCKS = {
    Clock.BUSINESS.value: "Working hours, Monday to Friday nine to five",
    Clock.ALWAYS.value: "Every hour, day and night",
}
_HREF = "/exceptions/targets"


@routes.get("/exceptions/targets")
@access.page(Permission.EXCEPTIONS_READ, note="staff only")
def index() -> Response:
    actor = render.actor()
    if not actor.is_staff:
        raise NotFound
    with reading() as session:
        targets = case_targets.list_targets(session)
        who = [each.set_by for each in targets if each.set_by]
        names = naming.actor_names(session, who, for_staff=True)
    zone = render.settings().business_zone
    view: View = {
        "trail": [Link("Exceptions", exceptions.LIST)],
        "lead": "Which team looks after each kind of case, and by when it should be settled.",
        "note": f"Working hours are Monday to Friday, nine to five, on the clock of {zone}. "
        "A change counts for cases that are opened from then on.",
        "rows": [_row(each, names, actor) for each in targets],
    }
    return render.page("exceptions/targets.html", view, live=False)


def _row(target: Target, names: dict[str, str], actor: Actor) -> View:
    may = actor.may(Permission.EXCEPTIONS_TARGETS)
    reason = None if may else "Finance and admins set targets."
    return {
        "kind": KINDS[target.kind].label,
        "means": KINDS[target.kind].means,
        "team": case_words.TEAMS[target.team.value],
        "within": case_words.target(target),
        "set_by": names.get(target.set_by or ""),
        "set_at": words.moment(target.set_at) if target.set_at else None,
        "change": Act(f"change-{target.kind}", "Change", f"{_HREF}/{target.kind}", may, reason),
    }


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise NotFound
    return kind


def _form(target: Target, typed: dict[str, str], errors: dict[str, str]) -> Response:
    team, clock = typed.get("team", target.team.value), typed.get("clock", target.clock.value)
    teams = [Option(name, label, name == team) for name, label in case_words.TEAMS.items()]
    clocks = [Option(name, label, name == clock) for name, label in _CLOCKS.items()]
    known = KINDS[target.kind]
    view: View = {
        "trail": [Link("Exceptions", exceptions.LIST), Link("Targets", _HREF)],
        "problem": None,
        "act": {
            "title": f"Target for “{known.label}”",
            "lead": known.means,
            "effects": [
                "Counts for cases that are opened from now on; open ones keep their due time",
                "Is written to the audit log with what it was before",
            ],
            "facts": [],
            "action": f"{_HREF}/{target.kind}",
            "inputs": [
                Input("team", "Team", "select", options=teams, error=errors.get("team")),
                Input(
                    *("hours", "Hours"),
                    value=typed.get("hours", str(target.hours)),
                    error=errors.get("hours"),
                    hint=f"Whole hours, from 1 to {LONGEST_TARGET_HOURS}.",
                    required=True,
                    maxlength=4,
                ),
                Input("clock", "Which hours count", "select", options=clocks),
            ],
            "label": "Set target",
            "back": _HREF,
        },
        "reset": _reset(target) if target.set_by else None,
    }
    status = 422 if errors else 200
    return render.page("exceptions/target.html", view, status=status, live=False)


def _reset(target: Target) -> Act:
    href = f"{_HREF}/{target.kind}/reset"
    return Act("reset", "Back to the initial target", href, method="post")


@routes.get("/exceptions/targets/<kind>")
@access.page(Permission.EXCEPTIONS_TARGETS)
def ask(kind: str) -> Response:
    with reading() as session:
        target = case_targets.target_of(session, _known(kind))
    return _form(target, {}, {})


@routes.post("/exceptions/targets/<kind>")
@access.page(Permission.EXCEPTIONS_TARGETS)
def change(kind: str) -> Response:
    actor = render.actor()
    typed = {name: render.typed(name) for name in ("team", "hours", "clock")}
    with reading() as session:
        target = case_targets.target_of(session, _known(kind))
    if errors := _errors(typed):
        return _form(target, typed, errors)
    wanted = Target(kind, Team(typed["team"]), int(typed["hours"]), Clock(typed["clock"]))
    try:
        with transaction() as session:
            case_targets.set_target(session, wanted, actor=actor, source=f"user:{actor.id}")
    except InvalidInput as error:
        return _form(target, typed, {"hours": error.message})
    render.tell(Alert("good", f"“{KINDS[kind].label}” is due within {case_words.target(wanted)}"))
    return render.to(_HREF)


def _errors(typed: dict[str, str]) -> dict[str, str]:
    found = {}
    if typed["team"] not in case_words.TEAMS:
        found["team"] = "Choose a team."
    if typed["clock"] not in _CLOCKS:
        found["hours"] = "Choose which hours count."
    hours = typed["hours"]
    is_number = len(hours) <= 4 and hours.isascii() and hours.isdigit()
    if not (is_number and 1 <= int(hours) <= LONGEST_TARGET_HOURS):
        found["hours"] = f"Whole hours, from 1 to {LONGEST_TARGET_HOURS}."
    return found


@routes.post("/exceptions/targets/<kind>/reset")
@access.page(Permission.EXCEPTIONS_TARGETS)
def reset(kind: str) -> Response:
    actor = render.actor()
    with transaction() as session:
        case_targets.reset_target(session, _known(kind), actor=actor, source=f"user:{actor.id}")
    render.tell(Alert("good", f"“{KINDS[kind].label}” has its initial target again"))
    return render.to(_HREF)
