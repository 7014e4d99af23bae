"""The address of a payer's pay page: to copy, and to send to the buyer by mail."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import AppError
from core.permissions import Permission
from core.redaction import holds_card_number
from dashboard import confirming, payment_offers, payments, render, verified, words
from dashboard.confirming import Question
from dashboard.payment_shown import Shown
from dashboard.payment_views import find
from dashboard.shapes import Alert, Fact, Input, Link, Ref
from domain.database import reading, transaction
from domain.desk import Session
from domain.payments import payment_links
from domain.payments.payment_links import Recipient
from web import access

routes = Blueprint("desk_pay_links", __name__)
_OWN = "staff all, merchants their own"


def _question(shown: Shown, to: Recipient, note: str = "", error: str | None = None) -> Question:
    payment = shown.payment
    amount = words.plain(words.money(payment.amount_minor, payment.asset))
    url = f"{shown.public_url}{payment_links.path_of(payment)}"
    facts = [
        Fact("To", f"{to.name}, {to.address}"),
        Fact("Amount", money=words.money(payment.amount_minor, payment.asset)),
        Fact("Pay link", ref=Ref("payment link", url, words.short(payment.public_id))),
    ]
    if payment.expires_at:
        facts.append(Fact("Open until", at=words.moment(payment.expires_at)))
    field = Input(
        *("note", "Add a note", "text-area"),
        value=note,
        error=error,
        hint="The buyer reads it above the link. No card numbers.",
        optional=True,
        maxlength=payment_links.LONGEST_NOTE,
    )
    return Question(
        title="Send the payment link",
        lead=f"{payments.purpose(payment)} of {amount}.",
        effects=[
            f"{to.name} gets a letter that says who asks, for what and how much, with the link",
            "It can be sent once in ten minutes; that you sent it is kept in the audit log",
        ],
        facts=facts,
        action=f"{shown.href}/link",
        label="Send it",
        back=shown.href,
        trail=[Link("Payments", "/payments"), Link(words.short(payment.id), shown.href)],
        asks_reason=False,
        inputs=[field],
    )


def _found(session: Session, payment_id: str) -> tuple[Shown, Recipient | None]:
    shown = find(session, payment_id)
    return shown, payment_links.recipient(session, shown.payment)


@routes.get("/payments/<payment_id>/link")
@access.page(Permission.PAYMENTS_SEND_LINK, note=_OWN)
def ask_link(payment_id: str) -> Response:
    with reading() as session:
        shown, to = _found(session, payment_id)
    act = payment_offers.send_link_act(shown.payment, shown.actor)
    if not act.enabled or to is None:
        render.tell(Alert("warn", "The link cannot be sent", act.reason))
        return render.to(shown.href)
    return confirming.show(_question(shown, to))


@routes.post("/payments/<payment_id>/link")
@access.page(Permission.PAYMENTS_SEND_LINK, note=_OWN)
def link(payment_id: str) -> Response:
    actor, note = render.actor(), render.typed("note")
    verified.assert_kyc(actor)
    with reading() as session:
        shown, to = _found(session, payment_id)
    if to is None:
        render.tell(
            Alert(
                "warn",
                "The link cannot be sent",
                payment_offers.send_link_act(shown.payment, shown.actor).reason,
            )
        )
        return render.to(shown.href)
    if (error := _note_error(note)) is not None:
        return confirming.show(_question(shown, to, note, error), error=error)
    try:
        with transaction() as session:
            payment_links.send(
                session, payment_id, actor=actor, source=f"user:{actor.id}", note=note
            )
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", "The link was not sent", refused.message)
        return confirming.show(_question(shown, to, note), problem=problem)
    render.tell(Alert("good", "The payment link is on its way", f"To {to.name}, {to.address}."))
    return render.to(shown.href)


def _note_error(text: str) -> str | None:
    if len(text) > payment_links.LONGEST_NOTE:
        return f"A note has at most {payment_links.LONGEST_NOTE:,} characters."
    if holds_card_number(text):
        return "This looks like a card number. Card numbers never travel by mail."
    return None
