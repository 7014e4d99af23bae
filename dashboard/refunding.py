"""Refunding a payment from its page: how much and why; what will happen, and who must agree, is said before."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from flask import Blueprint, Response, request

from core import ids, money, rail_words
from core.errors import AppError
from core.money import Money, asset
from core.permissions import Permission
from core.states import Refund as State
from dashboard import confirming, guarded, refund_words, render, words
from dashboard.payment_shown import Shown
from dashboard.payment_views import find
from dashboard.shapes import Alert, Fact, Input, Link, View
from domain.actors import Actor
from domain.control import approvals
from domain.control.thresholds import threshold
from domain.database import reading, transaction
from domain.payments import receipts
from domain.refunds import refunds, wallet_debits
from models.refunds import Refund
from web import access

routes = Blueprint("desk_refunding", __name__)
_ONCE = re.compile(r"desk_[0-9a-z]{20,60}", re.ASCII)


@dataclass(frozen=True)
class _Form:
    """What was typed. once: drawn with the form, so that pressing twice refunds once."""

    amount: str
    reason: str = ""
    once: str = field(default_factory=lambda: ids.new("desk"))


def _blank(shown: Shown) -> _Form:
    return _Form(refund_words.most_of(shown).major())


def _read() -> _Form:
    sent = request.form.get("once", "")
    form = _Form(render.typed("amount"), confirming.reason())
    return _Form(form.amount, form.reason, sent) if _ONCE.fullmatch(sent) else form


def _amount(shown: Shown, text: str) -> tuple[Money | None, str | None]:
    """Read the amount, or say what is wrong with it."""
    of, left = asset(shown.payment.asset), refund_words.left_of(shown)
    try:
        found = money.parse(text.replace(",", "") if of.scale == 0 else text, of)
    except ValueError:
        return None, f"Write an amount such as {left.major()}, without a currency."
    if found.minor <= 0:
        return None, "Refund more than nothing."
    if left < found:
        most = f"At most {words.plain(words.shown(left))} can still be refunded."
        awaited = receipts.awaited(shown.payment, shown.suspended)
        return None, f"{most} {awaited}" if shown.suspended.minor else most
    return found, None


def _inputs(shown: Shown, form: _Form, errors: dict[str, str]) -> list[Input]:
    left, most = refund_words.left_of(shown), refund_words.most_of(shown)
    hint = f"{words.plain(words.shown(left))} can still be refunded."
    if refund_words.is_moved_by_hand(shown):
        hint += " The rest was moved by an entry by hand; reverse it first."
    if most < left:
        hint += f" Up to {words.plain(words.shown(most))} of it you send yourself."
    return [
        confirming.amount_input(left.asset, form.amount, error=errors.get("amount"), hint=hint),
        confirming.reason_input(form.reason, errors.get("reason")),
    ]


def _effects(shown: Shown, actor: Actor) -> list[str]:
    payment = shown.payment
    provider = words.provider_label(payment.provider)
    asked = f"{provider} is asked to give it back to {refunds.destination_of(payment)}"
    is_from_wallet = wallet_debits.is_from_wallet(payment)
    wallet = ["It is taken out of the payer's wallet; no more goes back than the wallet holds"]
    return [
        _who_agrees(shown, actor),
        *(wallet if is_from_wallet else []),
        f"{asked}; {rail_words.of(payment.rail).arrives_short}",
        "It is set aside at once, so that nobody refunds the same money twice",
        "Once it is sent it cannot be called back",
    ]


def _who_agrees(shown: Shown, actor: Actor) -> str:
    """Say from which amount on a second person must agree, and why."""
    of = asset(shown.payment.asset)
    most, alone = threshold(of.code), Money(shown.hold.alone_minor, of)
    is_finance = actor.may(Permission.REFUNDS_REQUEST)
    if most is None and not is_finance:
        return f"Refunds in {of.code} take finance and a second person; pass it to them"
    if most is None:
        said = f"{of.code} has no limit for one person alone"
        return f"A second person must agree within a day: {said}"
    rest = (
        "above, a second person must agree within a day"
        if is_finance
        else "more is for finance, with a second person"
    )
    up_to = words.plain(words.shown(Money(max(0, most.minor - alone.minor), of)))
    if not alone.minor:
        return f"Up to {up_to} you send alone; {rest}"
    before = words.plain(words.shown(alone))
    return f"{before} of this payment went back alone before: up to {up_to} more does; {rest}"


def _ask(
    shown: Shown,
    form: _Form,
    *,
    errors: dict[str, str] | None = None,
    problem: Alert | None = None,
) -> Response:
    payment, actor = shown.payment, render.actor()
    back = payment.refunded_minor + payment.refunding_minor
    facts = [
        Fact("Received", money=words.money(payment.received_minor, payment.asset)),
        Fact("Refunded or asked back", money=words.money(back, payment.asset)),
    ]
    if shown.suspended.minor:
        facts.insert(1, Fact("Of it in suspense", money=words.shown(shown.suspended)))
    view: View = {
        "trail": [Link("Payments", "/payments"), Link(words.short(payment.id), shown.href)],
        "problem": problem,
        "act": {
            "title": "Refund this payment",
            "lead": f"Money goes back to {rail_words.of(payment.rail).paid_source}.",
            "effects": _effects(shown, actor),
            "facts": facts,
            "action": f"{shown.href}/refund",
            "fields": {"once": form.once},
            "inputs": _inputs(shown, form, errors or {}),
            "label": "Refund",
            "tone": "danger",
            "back": shown.href,
        },
    }
    if not errors and problem is None:
        return render.page("acts/confirm.html", view, live=False)
    if render.wants_fragment():
        return render.part("acts/_form.html", view, status=422)
    return render.page("acts/confirm.html", view, status=422, live=False)


@routes.get("/payments/<payment_id>/refund")
@access.page(Permission.REFUNDS_ASK)
def ask_refund(payment_id: str) -> Response:
    with reading() as session:
        shown = find(session, payment_id)
    if (why := refund_words.why_not(shown)) is not None:
        render.tell(Alert("warn", "This payment cannot be refunded", why))
        return render.to(shown.href)
    return guarded.detour() or _ask(shown, _blank(shown))


@routes.post("/payments/<payment_id>/refund")
@access.page(Permission.REFUNDS_ASK)
def refund(payment_id: str) -> Response:
    form, actor = _read(), render.actor()
    with reading() as session:
        shown = find(session, payment_id)
    amount, wrong = _amount(shown, form.amount)
    errors = {"amount": wrong} if wrong else {}
    if (wrong := confirming.reason_error(form.reason)) is not None:
        errors["reason"] = wrong
    # A form that was sent before has left less than it asks for; what it did is shown again.
    if (again := _sent_before(shown, form)) is not None:
        return _done(shown, again)
    if errors or amount is None:
        return _ask(shown, form, errors=errors)
    try:
        with transaction() as session:
            made = refunds.ask(
                session,
                shown.payment,
                amount,
                actor=actor,
                reason=form.reason,
                source=f"user:{actor.id}",
                reference=form.once,
            )
    except AppError as refused:
        elsewhere = guarded.detour(f"{shown.href}/refund")
        if refused.code == "STEP_UP_REQUIRED" and elsewhere is not None:
            return elsewhere
        if refused.http_status == 404:
            raise
        guarded.note(refused)
        problem = Alert("bad", "Nothing was refunded", refused.message)
        return _ask(shown, form, problem=problem)
    return _done(shown, made)


def _sent_before(shown: Shown, form: _Form) -> Refund | None:
    with reading() as session:
        return refunds.find_by_reference(session, shown.payment.id, form.once)


def _done(shown: Shown, made: Refund) -> Response:
    if made.state == State.PENDING_APPROVAL and made.approval_id:
        with reading() as session:
            render.tell(guarded.waits(approvals.get(session, made.approval_id)))
    else:
        amount = words.plain(words.money(made.amount_minor, made.asset))
        href = f"/refunds/{made.id}"
        render.tell(Alert("good", f"{amount} is on its way back", None, href, "Open the refund"))
    return render.to(shown.href)
