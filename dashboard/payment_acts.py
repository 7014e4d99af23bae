"""What people do with a payment from its page: ask the provider now, cancel, write a note."""

from __future__ import annotations

from flask import Blueprint, Response

from core import rail_words
from core.errors import AppError, ProviderUnknown
from core.permissions import Permission
from core.redaction import holds_card_number
from core.states import Payment as Status
from dashboard import confirming, payment_offers, payment_page, payments, render, verified, words
from dashboard.confirming import Question
from dashboard.payment_shown import Shown
from dashboard.payment_views import find, view_of
from dashboard.shapes import Alert, Fact, Link
from domain.actors import Actor
from domain.database import reading, transaction
from domain.payments import asking, operations, sync_limit
from domain.payments import payments as rules
from web import access

routes = Blueprint("desk_payment_acts", __name__)
_OWN = "staff all, others their own"


def source(actor: Actor) -> str:
    """Name the person as the source of what follows."""
    return f"user:{actor.id}"


@routes.post("/payments/<payment_id>/sync")
@access.page(Permission.PAYMENTS_SYNC, note=_OWN)
def sync(payment_id: str) -> Response:
    actor = render.actor()
    said = _ask(payment_id, actor)
    if not render.wants_fragment():
        render.tell(said)
        return render.to(f"/payments/{payment_id}")
    with reading() as session:
        shown = find(session, payment_id)
    view = {"payment": payment_page.head(shown), "links": payment_page.links(shown)}
    return render.part("payments/_header.html", view | {"said": said})


def _ask(payment_id: str, actor: Actor) -> Alert:
    with reading() as session:
        payment = rules.get_payment(session, payment_id, actor=actor)
    provider = words.provider_label(payment.provider)
    try:
        with transaction() as session:
            sync_limit.claim(session, payment_id, actor=actor, source=source(actor))
        asked = asking.ask(payment_id, actor=actor, source=source(actor))
    except AppError as error:
        if error.http_status in (403, 404):
            raise
        return Alert("warn", f"{provider} could not be asked", error.message)
    title = (
        f"{provider} was asked, and something changed" if asked.changed else f"{provider} was asked"
    )
    return Alert("good" if asked.changed else "info", title, words.sentence(asked.verdict))


@routes.post("/payments/<payment_id>/notes")
@access.page(Permission.PAYMENTS_NOTE)
def note(payment_id: str) -> Response:
    text = render.typed("note")
    actor, error = render.actor(), _note_error(text)
    if error is None:
        with transaction() as session:
            payment = rules.get_payment(session, payment_id, actor=actor)
            rules.add_note(session, payment, text, actor=actor, source=source(actor))
        if not render.wants_fragment():
            return render.to(f"/payments/{payment_id}#notes")
    return _notes(payment_id, text, error)


def _note_error(text: str) -> str | None:
    if not text:
        return "Write something first."
    if len(text) > payment_page.LONGEST_NOTE:
        return f"A note has at most {payment_page.LONGEST_NOTE:,} characters."
    if holds_card_number(text):
        return "This looks like a card number. Card numbers are never kept here."
    return None


def _notes(payment_id: str, text: str, error: str | None) -> Response:
    """Show the notes alone to htmx, else the page with what is wrong."""
    status = 422 if error else 200
    kept = text if error else ""
    with reading() as session:
        shown = find(session, payment_id)
        if not render.wants_fragment():
            view = view_of(session, shown, note=kept, note_error=error)
        else:
            notes, form = payment_page.notes(session, shown, value=kept, error=error)
            view = {"payment": payment_page.head(shown), "notes": notes, "note_form": form}
    if render.wants_fragment():
        return render.part("payments/_notes.html", view, status=status)
    return render.page("payments/show.html", view, status=status)


def _question(shown: Shown) -> Question:
    payment = shown.payment
    provider = words.provider_label(payment.provider)
    reference = words.short(payment.provider_reference or "")
    now = words.plain(words.money(payment.amount_minor, payment.asset))
    effects = [
        f"{provider} is asked to end {reference}",
        "Nobody can pay with this attempt any more; the pay page says so",
        "The order stays open: a new payment may be started for it",
    ]
    if payment.capturable_minor:
        effects.insert(1, f"The amount held {rail_words.of(payment.rail).held_at} is given back")
    return Question(
        title="Cancel this payment",
        lead=f"{payments.purpose(payment)} of {now}. It cannot be undone.",
        effects=effects,
        facts=[
            Fact("Amount", money=words.money(payment.amount_minor, payment.asset)),
            Fact("State", text=payment.status),
        ],
        action=f"{shown.href}/cancel",
        label="Cancel payment",
        tone="danger",
        back=shown.href,
        trail=[Link("Payments", "/payments"), Link(words.short(payment.id), shown.href)],
    )


@routes.get("/payments/<payment_id>/cancel")
@access.page(Permission.PAYMENTS_CANCEL, note=_OWN)
def ask_cancel(payment_id: str) -> Response:
    with reading() as session:
        shown = find(session, payment_id)
    if not (act := payment_offers.cancel_act(shown)).enabled:
        render.tell(Alert("warn", "This payment cannot be cancelled", act.reason))
        return render.to(shown.href)
    return confirming.show(_question(shown))


@routes.post("/payments/<payment_id>/cancel")
@access.page(Permission.PAYMENTS_CANCEL, note=_OWN)
def cancel(payment_id: str) -> Response:
    reason = confirming.reason()
    verified.assert_kyc(render.actor())
    with reading() as session:
        shown = find(session, payment_id)
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(shown), reason=reason, error=error)
    try:
        said = _cancel(payment_id, render.actor(), reason)
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", "The payment was not cancelled", refused.message)
        return confirming.show(_question(shown), reason=reason, problem=problem)
    render.tell(said)
    return render.to(shown.href)


def _cancel(payment_id: str, actor: Actor, reason: str) -> Alert:
    """Write the cancel down, ask the provider without a transaction, settle its answer."""
    with transaction() as session:
        payment, operation, fence = rules.begin_cancel(
            session, payment_id, actor=actor, reason=reason
        )
    if operation is None or fence is None:
        return Alert("info", "The payment was cancelled already")
    outcome = operations.run(operation, payment, fence, actor=actor)
    with transaction() as session:
        _, payment = operations.settle(session, outcome)
    if isinstance(outcome.answer, ProviderUnknown):
        said = "Paydesk keeps asking until it knows. Do not cancel again."
        return Alert("warn", "The provider's answer was lost", said)
    if isinstance(outcome.answer, AppError):
        raise outcome.answer
    if payment.status == Status.CANCELLED:
        return Alert("good", "The payment is cancelled")
    return Alert("warn", "The provider says otherwise", f"The payment is {payment.status} now.")
