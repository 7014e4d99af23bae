"""The page of one refund: what is given back to whom, who asked and agreed, its story, taking it back."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import AppError
from core.permissions import Permission
from dashboard import confirming, refund_words, render, words
from dashboard.confirming import Question
from dashboard.refund_words import Around
from dashboard.shapes import Alert, Fact, Link, View
from domain.database import reading, transaction
from domain.desk import Session
from domain.naming import actor_names
from domain.refunds import refund_queries, refund_story, refunds
from models.payments import Payment
from models.refunds import Refund
from web import access

routes = Blueprint("desk_refund", __name__)
_OWN = "staff all, merchants their own"


def _find(session: Session, refund_id: str) -> tuple[Refund, Payment, Around]:
    actor = render.actor()
    row, payment = refund_queries.get_refund(session, refund_id, actor=actor)
    return row, payment, refund_words.around(session, [row], actor=actor)


def _view(refund_id: str) -> View:
    with reading() as session:
        row, payment, near = _find(session, refund_id)
        steps = refund_story.steps_of(session, row)
        actors = [step.actor for step in steps if step.actor]
        names = actor_names(session, actors, for_staff=near.actor.is_staff)
        act = refund_words.cancel_act(row, near)
        return {
            "refund": {
                "id": row.id,
                "short": words.short(row.id),
                "amount": words.money(row.amount_minor, row.asset),
                "state": refund_words.state_of(row, near),
                "ref": words.ref("refund id", row.id),
                "asked": words.moment(row.created_at),
                "demo": row.demo,
            },
            "said": _said(row, near),
            "facts": refund_words.facts(session, row, payment, near),
            "asking": refund_words.asking(row, near),
            "steps": [
                {
                    "state": refund_words.STEPS[step.state],
                    "text": step.text,
                    "reason": step.reason if near.actor.is_staff else None,
                    "actor": words.person(step.actor, names) if step.actor else None,
                    "at": words.moment(step.at),
                }
                for step in steps
            ],
            "acts": [act] if act else [],
            "links": {"body": f"/refunds/{row.id}/body"},
        }


def _said(row: Refund, near: Around) -> Alert | None:
    """Say what the person should know first: that it is held, waits, or failed."""
    held = near.held.get(row.id)
    if held is not None and row.state in ("pending", "pending_approval"):
        said = f"{held.reason}. It goes on by itself when the freeze ends; nothing has failed."
        return Alert("warn", "A freeze holds this refund", said, f"/freezes/{held.id}", "Freeze")
    if row.state == "pending_approval" and near.actor.is_staff and row.approval_id:
        href = f"/approvals/{row.approval_id}"
        return Alert("info", "A second person must agree first", None, href, "Open the approval")
    if row.state == "unknown":
        said = "The provider is asked until it is known; nothing is sent twice."
        return Alert("warn", "Nobody knows yet whether the provider has it", said)
    if row.state == "failed":
        said = f"{words.sentence(refund_words.failure(row))} The amount can be refunded again."
        return Alert("bad", "The payer does not have the money", said)
    return None


@routes.get("/refunds/<refund_id>")
@access.page(Permission.REFUNDS_LIST, note=_OWN)
def show(refund_id: str) -> Response:
    return render.page("refunds/show.html", _view(refund_id))


@routes.get("/refunds/<refund_id>/body")
@access.page(Permission.REFUNDS_LIST, note=_OWN)
def body(refund_id: str) -> Response:
    if not render.wants_fragment():
        return render.to(f"/refunds/{refund_id}")
    return render.part("refunds/_body.html", _view(refund_id))


def _question(row: Refund, near: Around) -> Question:
    href = f"/refunds/{row.id}"
    amount = words.plain(words.money(row.amount_minor, row.asset))
    effects = [
        "The payer does not get this money back",
        f"{amount} of the payment can be refunded again",
    ]
    if row.state == "pending_approval":
        effects.insert(0, "Nobody can agree to it any more")
    return Question(
        title="Take this refund back",
        lead=f"{amount}, not sent yet.",
        effects=effects,
        action=f"{href}/cancel",
        label="Take it back",
        back=href,
        trail=[Link("Refunds", "/refunds"), Link(words.short(row.id), href)],
        facts=[Fact("State", state=refund_words.state_of(row, near))],
        tone="danger",
    )


@routes.get("/refunds/<refund_id>/cancel")
@access.page(Permission.REFUNDS_ASK, note="whoever asked, finance and admins")
def ask_cancel(refund_id: str) -> Response:
    with reading() as session:
        row, _, near = _find(session, refund_id)
    act = refund_words.cancel_act(row, near)
    if act is None or not act.enabled:
        why = act.reason if act else "It is over."
        render.tell(Alert("warn", "This refund cannot be taken back", why))
        return render.to(f"/refunds/{row.id}")
    return confirming.show(_question(row, near))


@routes.post("/refunds/<refund_id>/cancel")
@access.page(Permission.REFUNDS_ASK, note="whoever asked, finance and admins")
def cancel(refund_id: str) -> Response:
    reason, actor = confirming.reason(), render.actor()
    with reading() as session:
        row, _, near = _find(session, refund_id)
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(row, near), reason=reason, error=error)
    try:
        with transaction() as session:
            source = f"user:{actor.id}"
            refunds.cancel(session, refund_id, actor=actor, reason=reason, source=source)
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", "It was not taken back", refused.message)
        return confirming.show(_question(row, near), reason=reason, problem=problem)
    render.tell(Alert("good", "Taken back; nothing was sent"))
    return render.to(f"/refunds/{refund_id}")
