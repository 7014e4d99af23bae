"""Books of the version before this one are carried over: every rule, comparison and proof holds at once, and goes on to."""

from __future__ import annotations

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import select

import config
from core.errors import AppError
from core.fold import MARKED_COMPLETED
from domain import database
from domain.jobs import janitor, worker
from models.invoices import Invoice
from models.ledger import JournalEntry
from models.orders import Order
from models.payments import Payment, PaymentFact
from models.refunds import Refund
from tests.domain import disputing, holds, mirror, proofs_of_all, refunding, stories
from tests.domain import world as worlds
from tests.domain.stories import Players
from tests.domain.world import World
from tests.migrations import older_books

# What older code called by other words, or could not know of.
KINDS = {
    *("deposit", "marked_deposit", "mark_confirmed", "late_receipt", "late_failure", "refund"),
    *("dispute_withdrawn", "dispute_reinstated", "dispute_fee", "dispute_lost", "wallet_credit"),
    *("case_credit", "write_off", "reversal"),
}
STATES = {
    *(("deposit", state) for state in ("pending", "processing", "completed", "refunded")),
    *(("deposit", state) for state in ("failed", "cancelled")),
    *(("top_up", state) for state in ("processing", "completed", "failed")),
    *(("balance", "completed"), ("coupon", "completed")),
    *(("card_setup", "completed"), ("card_validation", "completed")),
}


@pytest.fixture
def world(app: Flask, environ: dict[str, str]) -> World:
    """The older books, carried over, and a rail that holds what they say."""
    more = {
        "STRIPE_SECRET_KEY": "sk_test_world",
        "STRIPE_WEBHOOK_SECRET": worlds.WEBHOOK_SECRET,
    }
    with app.app_context():
        flask_migrate.downgrade(revision=older_books.REVISION)
        older_books.load()
        flask_migrate.upgrade()
    made = worlds.stage(config.load(environ | more))
    mirror.reflect(made)
    return made


def payments(*statuses: str) -> list[Payment]:
    """Give the older payments of an order that stand so."""
    with database.reading() as session:
        own = (Payment.status.in_(statuses), Payment.order_id.is_not(None))
        return list(session.scalars(select(Payment).where(*own).order_by(Payment.id)))


def test_all_of_it_is_there_and_holds_at_once(world: World) -> None:
    del world
    with database.reading() as session:
        assert set(session.scalars(select(JournalEntry.kind))) >= KINDS
        found = session.execute(select(Payment.purpose, Payment.status).distinct())
        assert {(purpose, status) for purpose, status in found} >= STATES
        unnamed = select(Payment.id).where(
            Payment.order_id.is_not(None), Payment.invoice_id.is_(None)
        )
        assert session.scalars(unnamed).all() == []
        assert set(session.scalars(select(Invoice.order_id))) == set(
            session.scalars(select(Order.id))
        )
    assert proofs_of_all.problems() == []


def test_older_payments_go_on_as_newer_ones_do(world: World) -> None:
    on = stories.players(world)
    _ends_of_what_is_open(on)
    _words_about_older_refunds(on)
    _what_was_marked_is_told(on)
    for place, payment in enumerate(payments("completed")):
        _something_happens(on, place, payment)
    refunding.send_all()
    while janitor.finish_operation():
        pass
    worker.work_until_idle()
    assert proofs_of_all.problems() == []


def _ends_of_what_is_open(on: Players) -> None:
    for payment in payments("pending"):
        if payment.provider_reference in on.world.rail.intents:
            on.hear(on.world.paid(payment))
    for payment in payments("processing"):
        holds.capture(payment, 2_000, on.fin)


def _words_about_older_refunds(on: Players) -> None:
    with database.reading() as session:
        rows = session.scalars(select(Refund).where(Refund.state == "succeeded")).all()
    for refund in rows[:4]:
        payment = on.world.read(Payment(id=refund.payment_id))
        name = str(refund.provider_reference)
        on.world.rail.refunds[name] = {
            "id": name,
            "object": "refund",
            "status": "failed",
            "amount": refund.amount_minor,
            "currency": payment.asset.split("/")[0].lower(),
            "payment_intent": payment.provider_reference,
            "metadata": {"refund_id": refund.id},
        }
        on.hear(on.world.refund_event("refund.failed", name, status="failed"))


def _what_was_marked_is_told(on: Players) -> None:
    with database.reading() as session:
        marked = set(
            session.scalars(
                select(PaymentFact.payment_id).where(PaymentFact.kind == MARKED_COMPLETED)
            )
        )
    for payment in payments("completed"):
        if payment.id in marked and payment.provider_reference in on.world.rail.intents:
            on.hear(on.world.paid(payment, payment.received_minor + 100))


def _something_happens(on: Players, place: int, payment: Payment) -> None:
    """Do one thing or another to an older payment that was paid; what is refused there is refused."""
    if place % 3 == 0:
        try:
            refunding.ask(payment, 300, on.fin)
        except AppError:
            return
    elif place % 3 == 1 and payment.received_minor == 2_500:
        disputing.apply(payment, disputing.lost(payment))
    elif payment.provider_reference in on.world.rail.intents:
        on.hear(on.world.paid(payment, payment.received_minor + 50))


def test_every_story_may_be_played_on_in_older_books(world: World) -> None:
    on = stories.players(world)
    for story in stories.STORIES.values():
        story(on)
    assert proofs_of_all.problems() == []
