"""What followed from a payment's money, on its page; trying again what failed, and writing to the payer."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response

from core.errors import AppError
from core.permissions import Permission
from dashboard import confirming, effect_words, render, words
from dashboard.confirming import Question
from dashboard.payment_shown import Shown
from dashboard.payment_views import find
from dashboard.shapes import Alert, Fact, Input, Link
from domain import audit
from domain.database import reading, transaction
from domain.effects import effect_queries
from domain.effects.effects import FAILED, EffectBroken
from domain.jobs import effects as job
from domain.payments import writing
from domain.transitions import Why
from models.effects import Effect
from web import access

routes = Blueprint("desk_payment_effects", __name__)


def _trail(shown: Shown) -> list[Link]:
    return [Link("Payments", "/payments"), Link(words.short(shown.payment.id), shown.href)]


def _again(shown: Shown, effect: Effect) -> Question:
    what = effect_words.name(effect)
    return Question(
        title=f"Try again: {what.lower()}",
        lead="The money itself is booked. This carries out what should have followed from it, once.",
        effects=[f"{what} is carried out now, or its new error is shown"],
        facts=[
            Fact("Tries so far", text=str(effect.attempts)),
            Fact("Last error", text=effect.last_error or "none"),
        ],
        action=f"{shown.href}/effects/{effect.id}/retry",
        label="Try again",
        back=shown.href,
        trail=_trail(shown),
    )


@routes.get("/payments/<payment_id>/effects/<effect_id>/retry")
@access.page(Permission.EFFECTS_RETRY)
def ask_again(payment_id: str, effect_id: str) -> Response:
    with reading() as session:
        shown = find(session, payment_id)
        effect = effect_queries.get_effect(session, payment_id, effect_id)
    if effect.state != FAILED:
        render.tell(Alert("info", "Nothing is to be tried again: it was carried out"))
        return render.to(shown.href)
    return confirming.show(_again(shown, effect))


@routes.post("/payments/<payment_id>/effects/<effect_id>/retry")
@access.page(Permission.EFFECTS_RETRY)
def again(payment_id: str, effect_id: str) -> Response:
    reason = confirming.reason()
    with reading() as session:
        shown = find(session, payment_id)
        effect = effect_queries.get_effect(session, payment_id, effect_id)
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_again(shown, effect), reason=reason, error=error)
    try:
        done = _carry_out(payment_id, effect_id, reason)
    except EffectBroken as broken:
        problem = Alert("bad", "It failed again", broken.said)
        return confirming.show(_again(shown, effect), reason=reason, problem=problem)
    said = "It was carried out" if done else "Somebody else had carried it out"
    render.tell(Alert("good", said))
    return render.to(shown.href)


def _carry_out(payment_id: str, effect_id: str, reason: str) -> bool:
    actor = render.actor()
    why = Why(actor, f"user:{actor.id}", reason)
    with transaction() as session:
        done = job.again(session, effect_id, payment_id, why=why)
        audit.write(
            session,
            "effect.retry",
            actor=actor,
            object_kind="payment",
            object_id=payment_id,
            source=why.source,
            reason=reason,
            after={"effectId": effect_id, "carriedOut": done},
        )
    return done


def _letter(shown: Shown, *, text: str, error: str | None = None) -> Question:
    return Question(
        title="Write to the customer",
        lead="Your words are sent by mail to the payer, with the payment's number, order and amount.",
        effects=[
            "The payer gets the letter; it leaves within seconds",
            "That it was sent is kept in the audit log, its words are not",
        ],
        action=f"{shown.href}/write",
        label="Send",
        back=shown.href,
        trail=_trail(shown),
        asks_reason=False,
        inputs=[
            Input(
                "text",
                "What you have to say",
                "text-area",
                value=text,
                error=error,
                hint="Suggested by where the payment stands. Change it as you like.",
                required=True,
                maxlength=writing.LONGEST,
                rows=8,
            )
        ],
    )


@routes.get("/payments/<payment_id>/write")
@access.page(Permission.PAYMENTS_WRITE_TO_PAYER)
def ask_to_write(payment_id: str) -> Response:
    with reading() as session:
        shown = find(session, payment_id)
        text = writing.suggestion(session, shown.payment)
    if (reason := writing.why_not(shown.payment)) is not None:
        render.tell(Alert("warn", "The payer cannot be written to", reason))
        return render.to(shown.href)
    return confirming.show(_letter(shown, text=text))


@routes.post("/payments/<payment_id>/write")
@access.page(Permission.PAYMENTS_WRITE_TO_PAYER)
def write(payment_id: str) -> Response:
    actor, text = render.actor(), render.typed("text")
    with reading() as session:
        shown = find(session, payment_id)
    try:
        with transaction() as session:
            writing.write(session, payment_id, text, actor=actor, source=f"user:{actor.id}")
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        if refused.http_status == 400:
            [field] = refused.details["fields"]  # type: ignore[misc]
            said = str(field["message"]) if isinstance(field, Mapping) else refused.message
            return confirming.show(_letter(shown, text=text, error=said), error=said)
        problem = Alert("bad", "Nothing was sent", refused.message)
        return confirming.show(_letter(shown, text=text), problem=problem)
    render.tell(Alert("good", "Your letter is on its way"))
    return render.to(shown.href)
