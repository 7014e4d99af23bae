"""Capturing a hold from its payment's page: how much, and why; what becomes of the rest is said before."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response

from core import money, rail_words
from core.errors import AppError, ProviderUnknown
from core.money import Money, asset
from core.permissions import Permission
from core.states import Payment as Status
from dashboard import confirming, hold_words, render, verified, words
from dashboard.payment_shown import Shown
from dashboard.payment_views import find
from dashboard.shapes import Alert, Fact, Link, View
from domain.actors import Actor
from domain.database import reading, transaction
from domain.payments import capturing, operations
from web import access

routes = Blueprint("desk_capturing", __name__)
_OWN = "staff all, merchants their own"


@dataclass(frozen=True)
class _Form:
    amount: str
    reason: str = ""


def _held(shown: Shown) -> Money:
    return Money(shown.payment.capturable_minor, asset(shown.payment.asset))


def _amount(shown: Shown, text: str) -> tuple[Money | None, str | None]:
    """Read the amount, or say what is wrong with it."""
    held = _held(shown)
    try:
        found = money.parse(text, held.asset)
    except ValueError:
        return None, f"Write an amount such as {held.major()}, without a currency."
    if found.minor <= 0:
        return None, "Capture more than nothing. To give up the hold, cancel the payment."
    if held < found:
        return None, f"At most {words.plain(words.shown(held))} is held."
    return found, None


def _effects(shown: Shown) -> list[str]:
    payment = shown.payment
    held, said = words.plain(words.shown(_held(shown))), rail_words.of(payment.rail)
    effects = [
        f"{words.provider_label(payment.provider)} charges {said.holder} that holds {held}",
        "What you do not capture is let go at once: a hold is captured only once",
        "The money is booked, the order goes on, and buyer, seller and merchant are told",
    ]
    if payment.hold_ends_at:
        ends = words.absolute(payment.hold_ends_at)
        effects.append(f"Without a capture the hold ends on {ends}")
    return effects


def _ask(
    shown: Shown,
    form: _Form,
    *,
    errors: dict[str, str] | None = None,
    problem: Alert | None = None,
) -> Response:
    held, wrong = _held(shown), errors or {}
    said = rail_words.of(shown.payment.rail)
    inputs = [
        confirming.amount_input(
            held.asset,
            form.amount,
            error=wrong.get("amount"),
            hint=f"{words.plain(words.shown(held))} is held.",
        ),
        confirming.reason_input(form.reason, wrong.get("reason")),
    ]
    view: View = {
        "trail": [Link("Payments", "/payments"), Link(words.short(shown.payment.id), shown.href)],
        "problem": problem,
        "act": {
            "title": "Capture this payment",
            "lead": f"Money held on {said.payer_source} is charged. It can be refunded later, not undone.",
            "effects": _effects(shown),
            "facts": [Fact(hold_words.label(shown.payment), money=words.shown(held))],
            "action": f"{shown.href}/capture",
            "inputs": inputs,
            "label": "Capture",
            "back": shown.href,
        },
    }
    if not wrong and problem is None:
        return render.page("acts/confirm.html", view, live=False)
    if render.wants_fragment():
        return render.part("acts/_form.html", view, status=422)
    return render.page("acts/confirm.html", view, status=422, live=False)


@routes.get("/payments/<payment_id>/capture")
@access.page(Permission.PAYMENTS_CAPTURE, note=_OWN)
def ask_capture(payment_id: str) -> Response:
    with reading() as session:
        shown = find(session, payment_id)
    if not (act := hold_words.capture_act(shown)).enabled:
        render.tell(Alert("warn", "This payment cannot be captured", act.reason))
        return render.to(shown.href)
    asked = next((each for each in shown.captures if each.is_under_way), None)
    return _ask(shown, _Form((asked.amount if asked else _held(shown)).major()))


@routes.post("/payments/<payment_id>/capture")
@access.page(Permission.PAYMENTS_CAPTURE, note=_OWN)
def capture(payment_id: str) -> Response:
    form, actor = _Form(render.typed("amount"), confirming.reason()), render.actor()
    verified.assert_kyc(actor)
    with reading() as session:
        shown = find(session, payment_id)
    # A form that was sent before finds the hold gone; what came of it is on the page.
    if not hold_words.is_held(shown.payment):
        render.tell(Alert("info", "Nothing is held any more", _came_of(shown)))
        return render.to(shown.href)
    amount, error = _amount(shown, form.amount)
    wrong = {"amount": error} if error else {}
    if (error := confirming.reason_error(form.reason)) is not None:
        wrong["reason"] = error
    if wrong or amount is None:
        return _ask(shown, form, errors=wrong)
    try:
        said = _capture(payment_id, amount, actor, form.reason)
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", "Nothing was captured", refused.message)
        return _ask(shown, form, problem=problem)
    render.tell(said)
    return render.to(shown.href)


def _came_of(shown: Shown) -> str:
    return f"The payment is {shown.payment.status}.{hold_words.sentence(shown)}"


def _capture(payment_id: str, amount: Money, actor: Actor, reason: str) -> Alert:
    """Write the capture down, ask the provider without a transaction, settle its answer."""
    with transaction() as session:
        payment, operation, fence = capturing.begin(
            session, payment_id, amount, actor=actor, reason=reason
        )
    outcome = operations.run(operation, payment, fence, actor=actor)
    with transaction() as session:
        _, payment = operations.settle(session, outcome)
    said = words.plain(words.shown(amount))
    if isinstance(outcome.answer, ProviderUnknown):
        text = "Paydesk keeps asking until it knows. Do not capture again."
        return Alert("warn", "The provider's answer was lost", text)
    if isinstance(outcome.answer, AppError):
        raise outcome.answer
    if payment.status == Status.COMPLETED:
        return Alert("good", f"{said} was captured")
    return Alert("warn", "The provider says otherwise", f"The payment is {payment.status} now.")
