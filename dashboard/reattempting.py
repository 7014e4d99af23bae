"""Starting again from the page of a payment that failed or expired: a new attempt, the old one stays ended."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import AppError, NotFound, ProviderUnknown
from core.money import asset
from core.permissions import Permission
from dashboard import confirming, payment_offers, payments, render, verified, words
from dashboard.confirming import Question
from dashboard.payment_shown import Shown
from dashboard.payment_views import find
from dashboard.shapes import Alert, Input, Link, Option
from domain.actors import Actor
from domain.database import reading, transaction
from domain.payments import operations, reattempting, starting
from models.payments import Payment
from providers import registry
from web import access

routes = Blueprint("desk_reattempting", __name__)
_OWN = "staff all, others their own"


def _ways(payment: Payment) -> dict[str, str]:
    """Name the rails on which it can be started again: its own first, and those whose currency it has."""
    code = asset(payment.asset).code
    found = {payment.rail: words.rail(payment.rail, payment.provider).label}
    for rail in registry.rails():
        other = registry.find_of_rail(rail, livemode=payment.livemode)
        takes = other is not None and (other.currencies is None or code in other.currencies)
        if other is not None and takes and rail not in found:
            found[rail] = words.rail(rail, other.name).label
    return found


def _inputs(payment: Payment, chosen: str) -> list[Input]:
    ways = _ways(payment)
    if len(ways) < 2:
        return []
    options = [Option(name, label, name == chosen) for name, label in ways.items()]
    return [Input("rail", "Pay by", "select", options=options)]


def _question(shown: Shown, chosen: str | None = None) -> Question:
    payment = shown.payment
    ended = "expired" if payment.failure_reason == "expired" else "failed"
    return Question(
        title="Start this payment again",
        lead=f"{payments.purpose(payment)}, which has {ended}.",
        effects=[
            "A new attempt is made of what the order lacks of it now, with a pay link of its own",
            "This one stays ended; money that still comes for it is booked apart",
            "Nobody is written to: send the new link from the new payment's page",
        ],
        action=f"{shown.href}/reattempt",
        label="Start again",
        back=shown.href,
        trail=[Link("Payments", "/payments"), Link(words.short(payment.id), shown.href)],
        asks_reason=False,
        inputs=_inputs(payment, chosen or payment.rail),
    )


@routes.get("/payments/<payment_id>/reattempt")
@access.page(Permission.PAYMENTS_REATTEMPT, note=_OWN)
def ask_reattempt(payment_id: str) -> Response:
    with reading() as session:
        shown = find(session, payment_id)
    if shown.payment.superseded_by_id:
        return render.to(f"/payments/{shown.payment.superseded_by_id}")
    if not (act := payment_offers.reattempt_act(shown)).enabled:
        render.tell(Alert("warn", "This payment cannot be started again", act.reason))
        return render.to(shown.href)
    return confirming.show(_question(shown))


@routes.post("/payments/<payment_id>/reattempt")
@access.page(Permission.PAYMENTS_REATTEMPT, note=_OWN)
def reattempt(payment_id: str) -> Response:
    actor = render.actor()
    verified.assert_kyc(actor)
    with reading() as session:
        shown = find(session, payment_id)
    chosen = render.typed("rail") or None
    if chosen is not None and chosen not in _ways(shown.payment):
        raise NotFound
    try:
        new_id, said = _start(payment_id, actor, rail=chosen)
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", "Nothing was started", refused.message)
        return confirming.show(_question(shown, chosen), problem=problem)
    render.tell(said)
    return render.to(f"/payments/{new_id}")


def _start(payment_id: str, actor: Actor, *, rail: str | None) -> tuple[str, Alert]:
    """Write the new attempt down, ask the provider without a transaction, settle its answer."""
    with transaction() as session:
        begun = reattempting.begin(
            session, payment_id, actor=actor, source=f"user:{actor.id}", rail=rail
        )
        begun = starting.as_it_stands(session, begun)
    new_id = begun.payment.id
    if begun.fence is None:
        return new_id, Alert("info", "It was started again already", "This is the new attempt.")
    outcome = operations.run(begun.operation, begun.payment, begun.fence, actor=actor)
    with transaction() as session:
        operations.settle(session, outcome)
    if isinstance(outcome.answer, ProviderUnknown):
        text = "Paydesk keeps asking until it knows. Do not start another one."
        return new_id, Alert("warn", "The provider's answer was lost", text)
    if isinstance(outcome.answer, AppError):
        # The attempt is there, and says itself what became of it.
        return new_id, Alert("bad", "The provider did not take it", outcome.answer.message)
    return new_id, Alert("good", "A new attempt was started", "Its pay link is ready to be sent.")
