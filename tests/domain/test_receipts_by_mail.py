"""A payer is sent one receipt for what has arrived and one letter for what goes back; demo payers none."""

from __future__ import annotations

from sqlalchemy import select

from domain import database
from domain.jobs import effects as job
from domain.mail import mails
from models.payments import Payment
from models.proofs import Mail
from tests.domain.world import World


def letters() -> list[tuple[str, str, str]]:
    while job.retry_next():
        pass
    with database.reading() as session:
        rows = session.scalars(select(Mail).order_by(Mail.created_at, Mail.id)).all()
        return [(row.kind, row.subject, mails.opened(row).body) for row in rows]


def test_a_confirmed_payment_is_receipted_once(world: World) -> None:
    payment = world.payment()
    world.deliver_and_apply(world.event("payment_intent.processing", payment, status="processing"))
    assert letters() == []
    world.deliver_and_apply(world.paid(payment))
    world.deliver_and_apply(world.paid(payment))
    [(kind, subject, body)] = letters()
    assert (kind, subject) == ("receipt", "Receipt for 25.00 EUR")
    assert "We have received your payment of 25.00 EUR." in body
    for fact in ("For: Oak table", f"Payment: {payment.id}", f"Order: {payment.order_id}"):
        assert fact in body


def test_money_given_back_is_written_about_once(world: World) -> None:
    payment = world.payment()
    world.deliver_and_apply(world.paid(payment))
    name = world.rail.give_back(str(payment.provider_reference), 1_000)
    for _ in range(2):
        body = world.refund_event("refund.updated", name, status="succeeded")
        world.deliver_and_apply(body)
    said = [(kind, subject) for kind, subject, _ in letters()]
    assert said == [("receipt", "Receipt for 25.00 EUR"), ("refund", "Refund of 10.00 EUR")]
    world.deliver_and_apply(world.refund_event("refund.failed", name, status="failed"))
    assert letters()[-1][:2] == ("refund", "Your refund of 10.00 EUR did not arrive")


def test_a_payer_whom_nobody_knows_is_not_written_to(world: World) -> None:
    payment = world.payment()
    with database.transaction() as session:
        session.get_one(Payment, payment.id).buyer_id = None
    world.deliver_and_apply(world.paid(payment))
    assert letters() == []
