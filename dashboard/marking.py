"""Settling a payment by hand from its page: asked for here, agreed to by another person."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response

from core.errors import AppError
from core.permissions import Permission
from core.redaction import holds_card_number
from core.states import Payment as Status
from dashboard import confirming, guarded, payment_offers, render, words
from dashboard.payment_shown import Shown
from dashboard.payment_views import find
from dashboard.shapes import Alert, Input, Link, Option, View
from domain.database import reading, transaction
from domain.payments import marking
from domain.payments.marking import Wanted
from web import access

routes = Blueprint("desk_marking", __name__)
_CHOICES = {
    Status.COMPLETED.value: "Completed: the money has arrived",
    Status.FAILED.value: "Failed: it will never arrive",
    Status.CANCELLED.value: "Cancelled: it was called off",
}


@dataclass(frozen=True)
class _Form:
    """What was typed, and what is wrong with it by field."""

    status: str = ""
    reference: str = ""
    evidence: str = ""
    reason: str = ""


def _read() -> _Form:
    return _Form(
        *(render.typed(name) for name in ("status", "provider_reference", "evidence", "reason"))
    )


def _errors(form: _Form) -> dict[str, str]:
    found = {}
    if form.status not in _CHOICES:
        found["status"] = "Choose one."
    if not form.reference:
        found["provider_reference"] = "Say under which name the provider or the bank knows it."
    elif len(form.reference) > marking.LONGEST_REFERENCE:
        found["provider_reference"] = f"At most {marking.LONGEST_REFERENCE} characters."
    if len(form.evidence) > marking.LONGEST_EVIDENCE:
        found["evidence"] = f"At most {marking.LONGEST_EVIDENCE} characters."
    for name, text in (("provider_reference", form.reference), ("evidence", form.evidence)):
        if holds_card_number(text):
            found[name] = "This looks like a card number. Card numbers are never kept here."
    if (wrong := confirming.reason_error(form.reason)) is not None:
        found["reason"] = wrong
    return found


def _inputs(form: _Form, errors: dict[str, str]) -> list[Input]:
    choices = [Option("", "Choose", not form.status)]
    choices += [Option(value, text, value == form.status) for value, text in _CHOICES.items()]
    return [
        Input(
            *("status", "Mark as", "select"),
            options=choices,
            required=True,
            error=errors.get("status"),
        ),
        Input(
            *("provider_reference", "Provider reference"),
            value=form.reference,
            hint="The same money is counted once: a reference serves one payment only.",
            error=errors.get("provider_reference"),
            required=True,
            maxlength=marking.LONGEST_REFERENCE,
        ),
        Input(
            *("evidence", "Evidence", "text-area"),
            value=form.evidence,
            hint="Where else it can be seen, such as a line of a bank statement.",
            error=errors.get("evidence"),
            optional=True,
            maxlength=marking.LONGEST_EVIDENCE,
        ),
        confirming.reason_input(form.reason, errors.get("reason")),
    ]


def _effects(amount: str, provider: str) -> list[str]:
    moves = f"when {provider} confirms it, it moves to the provider's account and is booked once"
    late = "money that comes all the same is booked apart"
    return [
        "Nothing happens until a second person agrees",
        f"Completed: {amount} is booked to suspense and counts as paid; {moves}",
        f"Failed or cancelled: nobody can pay with this attempt any more; {late}",
    ]


def _ask(
    shown: Shown,
    form: _Form,
    *,
    errors: dict[str, str] | None = None,
    problem: Alert | None = None,
) -> Response:
    payment = shown.payment
    provider = words.provider_label(payment.provider)
    amount = words.plain(words.money(payment.amount_minor, payment.asset))
    view: View = {
        "trail": [Link("Payments", "/payments"), Link(words.short(payment.id), shown.href)],
        "problem": problem,
        "act": {
            "title": "Settle this payment by hand",
            "lead": f"{amount}, {payment.status} now. {provider} is not told.",
            "effects": _effects(amount, provider),
            "action": f"{shown.href}/reconcile",
            "inputs": _inputs(form, errors or {}),
            "label": "Ask for it",
            "back": shown.href,
        },
    }
    if not errors and problem is None:
        return render.page("acts/confirm.html", view, live=False)
    if render.wants_fragment():
        return render.part("acts/_form.html", view, status=422)
    return render.page("acts/confirm.html", view, status=422, live=False)


@routes.get("/payments/<payment_id>/reconcile")
@access.page(Permission.PAYMENTS_RECONCILE)
def ask_mark(payment_id: str) -> Response:
    with reading() as session:
        shown = find(session, payment_id)
    if not (offer := payment_offers.mark_act(shown)).enabled:
        render.tell(Alert("warn", "This payment cannot be settled by hand", offer.reason))
        return render.to(shown.href)
    return guarded.detour() or _ask(shown, _Form())


@routes.post("/payments/<payment_id>/reconcile")
@access.page(Permission.PAYMENTS_RECONCILE)
def mark(payment_id: str) -> Response:
    form, actor = _read(), render.actor()
    with reading() as session:
        shown = find(session, payment_id)
    if errors := _errors(form):
        return _ask(shown, form, errors=errors)
    wanted = Wanted(form.status, form.reference, form.evidence or None)
    try:
        with transaction() as session:
            source = f"user:{actor.id}"
            asked = marking.ask(
                session, payment_id, wanted, actor=actor, source=source, note=form.reason
            )
    except AppError as refused:
        elsewhere = guarded.detour(f"{shown.href}/reconcile")
        if refused.code == "STEP_UP_REQUIRED" and elsewhere is not None:
            return elsewhere
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", "It was not asked for", refused.message)
        return _ask(shown, form, problem=problem)
    render.tell(guarded.waits(asked))
    return render.to(shown.href)
