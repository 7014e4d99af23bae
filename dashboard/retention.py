"""What is kept and for how long: what is due, what was dropped, who asks to be erased; and legal holds."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, request

from core import clock
from core.errors import AppError
from core.permissions import Permission
from dashboard import confirming, guarded, render, user_forms, users, words
from dashboard.shapes import Act, Alert, Input, Link, Option, View
from dashboard.user_forms import Form, Wrong
from domain import naming
from domain.actors import Actor
from domain.database import reading, transaction
from domain.desk import Session
from domain.people import erasure, legal_holds, retention, retention_runs
from domain.people.retention import Standing
from models.people import User
from models.personal import LegalHold, RetentionRun
from web import access

routes = Blueprint("desk_retention", __name__)
HERE = "/retention"
# Source: GDPR article 12(3): without undue delay, and within one month.
ANSWER_WITHIN = timedelta(days=30)
_KINDS = {"user": "A person", "payment": "A payment"}


def _rule_view(each: Standing, last: RetentionRun | None) -> View:
    rule = each.rule
    return {
        "id": rule.name,
        "name": rule.label,
        "keeps": rule.keeps(retention.terms()),
        "why": rule.why,
        "setting": rule.setting,
        "due": f"{each.due:,}",
        "on_hold": f"{each.on_hold:,}" if each.on_hold else None,
        "dropped": f"{last.dropped:,}" if last else None,
        "at": words.moment(last.finished_at or last.started_at) if last else None,
        "is_running": last is not None and last.finished_at is None,
    }


def _hold_view(row: LegalHold, names: dict[str, str], actor: Actor) -> View:
    reason = users.why_not(actor)
    page = f"/users/{row.object_id}" if row.object_kind == "user" else f"/payments/{row.object_id}"
    return {
        "id": row.id,
        "what": _KINDS[row.object_kind],
        "ref": words.ref("id", row.object_id, href=page),
        "reason": row.reason,
        "by": words.person(row.placed_by, names),
        "at": words.moment(row.placed_at),
        "lift": Act(row.id, "Lift", f"{HERE}/holds/{row.id}/lift", reason is None, reason),
    }


def _asking_view(user: User) -> View:
    asked = user.erasure_asked_at or clock.now()
    return {
        "id": user.id,
        "href": f"/users/{user.id}",
        "name": user.name or user.id,
        "asked": words.moment(asked),
        "answer_by": words.moment(asked + ANSWER_WITHIN),
    }


def _view(session: Session, actor: Actor) -> View:
    last, holds = retention_runs.list_last(session), legal_holds.list_open(session)
    names = naming.actor_names(session, [row.placed_by for row in holds], for_staff=True)
    reason = users.why_not(actor)
    return {
        "rules": [
            _rule_view(each, last.get(each.rule.name)) for each in retention.standing(session)
        ],
        "holds": [_hold_view(row, names, actor) for row in holds],
        "holds_count": legal_holds.count_open(session),
        "place": Act("hold", "Place a hold", f"{HERE}/hold", reason is None, reason, icon="lock"),
        "asking": [_asking_view(user) for user in erasure.list_asking(session)],
        "erased": f"{retention.erased_count(session):,}",
    }


@routes.get("/retention")
@access.page(Permission.USERS_ADMINISTER)
def index() -> Response:
    with reading() as session:
        view = _view(session, render.actor())
    return render.page("retention/index.html", view, live=False)


def _trail() -> list[Link]:
    return [Link("Retention", HERE)]


def _hold_form(errors: dict[str, str]) -> Form:
    kind = render.typed("kind") or request.args.get("kind", "user")
    object_id = render.typed("object") or render.storable(request.args.get("object", ""))
    options = [Option(value, label, value == kind) for value, label in _KINDS.items()]
    return Form(
        title="Place a legal hold",
        lead="For as long as a court, an authority or a claim asks for it.",
        effects=[
            "Nothing of theirs is dropped when its time has come",
            "The person cannot be erased, nor the parties of the payment",
        ],
        action=f"{HERE}/hold",
        label="Place the hold",
        back=HERE,
        trail=_trail(),
        inputs=[
            Input("kind", "On", "select", value=kind, required=True, options=options),
            Input(
                "object",
                "Its id",
                value=object_id,
                error=errors.get("object"),
                hint="usr_… or pay_…",
                required=True,
                maxlength=64,
                autocomplete="off",
            ),
        ],
    )


@routes.get("/retention/hold")
@access.page(Permission.USERS_APPROVE)
def ask_hold() -> Response:
    return guarded.detour() or user_forms.show(_hold_form({}))


@routes.post("/retention/hold")
@access.page(Permission.USERS_APPROVE)
def hold() -> Response:
    kind, object_id = render.typed("kind"), render.typed("object")
    reason, actor, errors = confirming.reason(), render.actor(), {}
    if (error := confirming.reason_error(reason)) is not None:
        errors["reason"] = error
    if kind not in _KINDS or not object_id:
        errors["object"] = "Write the whole id."
    if errors:
        return user_forms.show(_hold_form(errors), Wrong(errors))
    if (leads := guarded.detour(HERE)) is not None:
        return leads
    try:
        with transaction() as session:
            legal_holds.place(
                session, kind, object_id, actor=actor, source=f"user:{actor.id}", reason=reason
            )
    except AppError as refused:
        if refused.http_status == 404:
            errors["object"] = "There is none with this id."
            return user_forms.show(_hold_form(errors), Wrong(errors))
        return user_forms.show(_hold_form({}), user_forms.refused(refused, "Nothing was held"))
    render.tell(Alert("good", "The hold stands. Nothing of it is dropped or erased"))
    return render.to(HERE)


def _lift_form(hold_id: str) -> Form:
    with reading() as session:
        row = legal_holds.get_open(session, hold_id)
    return Form(
        title="Lift this hold",
        lead=f"{_KINDS[row.object_kind]}, {row.object_id}. Held because: {row.reason}",
        effects=["What has had its time is dropped in the night that follows"],
        action=f"{HERE}/holds/{hold_id}/lift",
        label="Lift the hold",
        back=HERE,
        trail=_trail(),
    )


@routes.get("/retention/holds/<hold_id>/lift")
@access.page(Permission.USERS_APPROVE)
def ask_lift(hold_id: str) -> Response:
    return guarded.detour() or user_forms.show(_lift_form(hold_id))


@routes.post("/retention/holds/<hold_id>/lift")
@access.page(Permission.USERS_APPROVE)
def lift(hold_id: str) -> Response:
    reason, actor = confirming.reason(), render.actor()
    if (error := confirming.reason_error(reason)) is not None:
        return user_forms.show(_lift_form(hold_id), Wrong({"reason": error}))
    if (leads := guarded.detour(HERE)) is not None:
        return leads
    with transaction() as session:
        legal_holds.lift(session, hold_id, actor=actor, source=f"user:{actor.id}", reason=reason)
    render.tell(Alert("good", "The hold is lifted"))
    return render.to(HERE)
