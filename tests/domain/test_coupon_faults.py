"""Wherever applying a coupon breaks off, it is gone on with: one invoice, one credit, and never a card charged."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from core import clock
from core.errors import ProviderRefused, ProviderUnavailable
from domain import database
from domain.actors import Actor
from domain.books import accounts, ledger, verification
from domain.control import approvals
from domain.jobs import janitor
from domain.payments import asking, marking, operations
from domain.payments.marking import Wanted
from domain.reconciliation import reconciling
from models.cases import ExceptionCase
from models.effects import CouponUse
from models.inbound import InboundEvent
from models.operations import Operation
from models.payments import Payment
from tests.domain import couponing
from tests.domain.couponing import COUPON, apply, cost, told, wallet
from tests.domain.fake_coupons import AFTER, BEFORE, DEAD, STUCK, Died, coupon
from tests.domain.world import World

STEPS = ("invoice", "item", "read", "finalize")


def hurry() -> None:
    """Let what waits to be asked again be due, as if its lease were over."""
    with database.transaction() as session:
        session.execute(update(Operation).values(due_at=clock.now(), lease_until=None))


def age(hours: int) -> None:
    """Let the operation have begun that long ago."""
    with database.transaction() as session:
        began = clock.now() - timedelta(hours=hours)
        session.execute(update(Operation).values(created_at=began, sent_at=began))


def finish(tries: int = 8) -> str:
    """Let the janitor work until the operation has ended. Gives how."""
    for _ in range(tries):
        hurry()
        janitor.finish_operation()
        with database.reading() as session:
            state = session.scalars(select(Operation.state)).one()
        if state not in operations.UNFINISHED:
            return state
    return "unfinished"


def cases() -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(ExceptionCase.kind)))


def payment() -> Payment:
    with database.reading() as session:
        return session.scalars(select(Payment)).one()


def assert_credited_once(world: World) -> None:
    assert payment().status == "completed"
    assert [each["status"] for each in world.rail.stripe.kept.values()] == ["paid"]
    assert (wallet(), cost()) == (1_000, 1_000)
    assert couponing.entries() == ["coupon", "wallet_credit"]
    assert verification.verify().ok


@pytest.mark.parametrize("step", STEPS)
def test_a_process_that_dies_between_two_steps_leaves_no_second_invoice(
    world: World, step: str
) -> None:
    couponing.stock(world)
    world.rail.stripe.script = [(step, DEAD)]
    with pytest.raises(Died):
        apply(world)
    assert finish() == "succeeded"
    assert_credited_once(world)


def test_each_step_whose_answer_is_lost_is_done_once(world: World) -> None:
    for number, (step, fault) in enumerate(
        ((step, fault) for step in STEPS for fault in (BEFORE, AFTER, STUCK)), start=1
    ):
        name = f"c{number}"
        world.rail.stripe.coupons_[name] = coupon(name)
        # Twice, since the first unknown outcome is asked once more at once.
        world.rail.stripe.script = [(step, fault), (step, BEFORE)]
        apply(world, name)
        world.rail.stripe.script = []
        assert wallet() == (number - 1) * 1_000, "nobody is told of what is not known"
        hurry()
        for _ in range(4):
            janitor.finish_operation()
            hurry()
        assert (name, wallet(), cost()) == (name, number * 1_000, number * 1_000)
        assert len(world.rail.stripe.kept) == number
    assert verification.verify().ok


@pytest.mark.parametrize("step", STEPS)
def test_after_the_life_of_its_keys_it_is_found_by_its_metadata(world: World, step: str) -> None:
    couponing.stock(world)
    world.rail.stripe.script = [(step, DEAD)]
    with pytest.raises(Died):
        apply(world)
    age(30)
    # Stripe has forgotten every key: a call under one would be done anew.
    world.rail.stripe.answers.clear()
    assert finish() == "succeeded"
    assert_credited_once(world)


def test_what_was_never_made_fails_after_the_life_of_its_key_and_frees_the_coupon(
    world: World,
) -> None:
    couponing.stock(world)
    world.rail.stripe.script = [("invoice", BEFORE), ("invoice", BEFORE)]
    apply(world)
    age(30)
    assert finish() == "failed"
    assert (payment().status, payment().provider_code) == ("failed", "never_created")
    assert (world.rail.stripe.kept, wallet()) == ({}, 0)
    assert apply(world)[1].status == "completed"


def test_the_provider_away_in_the_middle_is_no_answer_that_nothing_was_done(world: World) -> None:
    couponing.stock(world)
    world.rail.stripe.script = [("read", BEFORE)]
    operation, row = apply(world)
    assert (operation.state, row.sub_state) == ("unknown", "unknown_outcome")
    assert finish() == "succeeded"
    assert_credited_once(world)


def test_what_would_be_due_is_taken_back_and_never_finalized(world: World) -> None:
    couponing.stock(world)
    world.rail.stripe.covers = 999
    operation, row = apply(world)
    assert (operation.state, row.status, row.provider_code) == (
        "failed",
        "failed",
        "coupon_not_covering",
    )
    assert world.rail.stripe.made == ["invoice", "item", "read", "delete"]
    assert (wallet(), world.rail.stripe.kept) == (0, {})
    world.rail.stripe.covers = None
    assert apply(world)[1].status == "completed"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("invoice.voided", "cancelled"),
        ("invoice.deleted", "cancelled"),
        ("invoice.marked_uncollectible", "cancelled"),
        ("invoice.payment_failed", "failed"),
    ],
)
def test_an_end_without_money_frees_the_coupon(world: World, kind: str, status: str) -> None:
    couponing.stock(world)
    row = couponing.unsettled(world)
    first = couponing.invoice(world, row)
    assert world.deliver_and_apply(told(world, kind, first, status="open")).state == "processed"
    assert (world.read(row).status, wallet()) == (status, 0)
    assert [use.open_key for use in couponing.uses()] == [None]
    _, again = apply(world)
    assert (again.status, wallet()) == ("completed", 1_000)
    # Paid after all: what came for the ended one is kept apart, and credited to nobody.
    world.deliver_and_apply(told(world, "invoice.paid", first))
    assert (wallet(), cost()) == (1_000, 2_000)
    assert cases() == ["PAID_LATE"]
    with database.reading() as session:
        unapplied = accounts.unapplied(row.id).address
        assert ledger.balance(session, unapplied, "EUR/2") == -1_000
        assert ledger.balance(session, accounts.clearing("stripe").address, "EUR/2") == 0
    assert verification.verify().ok


def test_trouble_with_an_invoice_is_shown_to_people(world: World) -> None:
    couponing.stock(world)
    row = couponing.unsettled(world)
    invoice = couponing.invoice(world, row)
    world.deliver_and_apply(told(world, "invoice.payment_action_required", invoice))
    assert world.read(row).sub_state == "requires_action"
    for kind in ("invoice.overdue", "invoice.overpaid"):
        world.deliver_and_apply(told(world, kind, invoice))
        world.deliver_and_apply(told(world, kind, invoice))
    assert cases() == ["RECON_DIFFERENCE", "RECON_DIFFERENCE"]
    world.deliver_and_apply(told(world, "invoice.paid", invoice, amount_paid=300))
    assert (world.read(row).status, wallet(), cost()) == ("completed", 1_000, 1_000)
    assert len(cases()) == 3
    assert verification.verify().ok


def test_a_smaller_discount_than_promised_is_credited_as_it_is_with_a_case(world: World) -> None:
    couponing.stock(world)
    row = couponing.unsettled(world)
    invoice = couponing.invoice(world, row)
    less = [{"amount": 700, "discount": "di_1"}]
    world.deliver_and_apply(told(world, "invoice.paid", invoice, total_discount_amounts=less))
    assert (world.read(row).received_minor, wallet(), cost()) == (700, 700, 700)
    assert cases() == ["UNDERPAID"]
    assert verification.verify().ok


def test_invoices_that_nobody_here_asked_for_are_let_pass(world: World) -> None:
    couponing.stock(world)
    _, row = apply(world)
    theirs = couponing.invoice(world, row) | {"id": "in_theirs"}
    for metadata, currency in (({}, "eur"), ({}, "zzz"), ({"payment_id": "pay_elsewhere"}, "eur")):
        for kind in (
            "invoice.created",
            "invoice.paid",
            "invoice.payment_failed",
            "invoice.overdue",
        ):
            body = told(world, kind, theirs, metadata=metadata, currency=currency)
            event = world.deliver_and_apply(body)
            assert event.state == "ignored"
            assert (
                event.verdict
                == "an invoice that no transaction of ours asked for; it credits nothing"
            )
    old = told(world, "invoice.paid", theirs, metadata={}).replace(
        b"2026-10-28.endive", b"2020-01-01"
    )
    assert world.deliver_and_apply(old).state == "ignored"
    # One that carries the id of a payment that has another invoice is a riddle for a person.
    event = world.deliver_and_apply(told(world, "invoice.paid", theirs))
    assert event.state == "unmatched"
    assert (wallet(), cases()) == (1_000, [])


def test_an_invoice_credits_no_payment_but_a_coupon_s(world: World) -> None:
    couponing.stock(world)
    _, spent = apply(world)
    order = world.order()
    world.rail.script = [ProviderUnavailable()]
    _, deposit = world.begin(order)
    assert deposit.provider_reference is None
    forged = couponing.invoice(world, spent) | {"id": "in_forged"}
    body = told(world, "invoice.paid", forged, metadata={"payment_id": deposit.id})
    assert world.deliver_and_apply(body).state == "unmatched"
    assert world.read(deposit).status == "pending"
    # Nor does an intent pay a coupon, whatever its metadata says.
    world.rail.stripe.coupons_["five"] = coupon("five", 500)
    waiting = couponing.unsettled(world, "five")
    paid = {"id": "pi_forged", "object": "payment_intent", "status": "succeeded", "currency": "eur"}
    paid |= {"amount_received": 500, "metadata": {"payment_id": waiting.id}}  # type: ignore[dict-item]
    body = world._signed_body("payment_intent.succeeded", paid, None)
    assert world.deliver_and_apply(body).state == "unmatched"
    assert (world.read(waiting).status, wallet()) == ("pending", 1_000)


def test_an_invoice_in_another_currency_moves_nothing_and_says_so(world: World) -> None:
    couponing.stock(world)
    row = couponing.unsettled(world)
    invoice = couponing.invoice(world, row)
    world.deliver_and_apply(told(world, "invoice.paid", invoice, currency="usd"))
    assert (world.read(row).status, wallet(), cases()) == ("pending", 0, ["RECON_DIFFERENCE"])


def test_events_about_coupons_and_codes_are_noted_with_a_reason(world: World) -> None:
    for kind in (
        "coupon.created",
        "coupon.updated",
        "coupon.deleted",
        "promotion_code.created",
        "promotion_code.updated",
        "customer.discount.created",
        "customer.discount.updated",
        "customer.discount.deleted",
    ):
        event = world.deliver_and_apply(told(world, kind, coupon("ten")))
        assert event.state == "ignored"
        assert event.verdict is not None
        assert event.verdict.startswith(f"{kind}: c")
    with database.reading() as session:
        assert session.scalars(select(InboundEvent.state)).all() == ["ignored"] * 8


def test_what_no_webhook_told_is_found_by_asking(world: World) -> None:
    couponing.stock(world)
    row = couponing.unsettled(world)
    hurry()
    asked = asking.ask(row.id, actor=world.fin, source="test")
    assert (asked.payment.status, wallet()) == ("completed", 1_000)
    assert_credited_once(world)


def test_reconciling_compares_invoices_and_opens_no_false_case(world: World) -> None:
    couponing.stock(world)
    _, settled = apply(world)
    world.rail.stripe.coupons_["five"] = coupon("five", 500)
    missed = couponing.unsettled(world, "five")
    theirs = dict(couponing.invoice(world, settled)) | {"id": "in_theirs", "metadata": {}}
    world.rail.stripe.kept["in_theirs"] = theirs
    since = clock.now() - timedelta(hours=24)
    found = reconciling.reconcile(world.rail, since=since, actor=world.fin)  # type: ignore[arg-type]
    assert (found.compared, found.equal, found.healed) == (2, 1, 1)
    assert (found.missing, found.different, found.failed, found.problems) == (0, 0, 0, [])
    assert (world.read(missed).status, wallet(), cases()) == ("completed", 1_500, [])
    again = reconciling.reconcile(world.rail, since=since, actor=world.fin)  # type: ignore[arg-type]
    assert (again.equal, again.healed, again.different) == (2, 0, 0)
    # An invoice that vanished at the provider is missed, truly.
    del world.rail.stripe.kept[str(settled.provider_reference)]
    with database.transaction() as session:
        old = clock.now() - timedelta(hours=1)
        session.execute(update(Payment).values(created_at=old))
    gone = reconciling.reconcile(world.rail, since=since, actor=world.fin)  # type: ignore[arg-type]
    assert (gone.missing, cases()) == (1, ["RECON_DIFFERENCE"])


def test_the_janitor_compares_a_settled_coupon_once_more(world: World) -> None:
    couponing.stock(world)
    _, row = apply(world)
    with database.transaction() as session:
        session.execute(update(Payment).values(check_due_at=clock.now()))
    assert janitor.check_payment()
    assert (cases(), world.read(row).check_due_at) == ([], None)


def test_an_open_invoice_is_voided_by_cancelling_its_payment(world: World) -> None:
    couponing.stock(world)
    row = couponing.unsettled(world)
    reference = str(couponing.invoice(world, row)["id"])
    world.rail.stripe.kept[reference]["status"] = "open"
    assert world.rail.cancel(reference, key="k").facts[0].fact.kind == "cancelled"
    assert world.rail.stripe.kept[reference]["status"] == "void"
    with pytest.raises(ProviderRefused):
        world.rail.fetch("in_none")


def test_a_use_is_one_row_for_one_invoice(world: World) -> None:
    couponing.stock(world)
    _, row = apply(world)
    world.deliver_and_apply(told(world, "invoice.paid", couponing.invoice(world, row)))
    with database.reading() as session:
        [use] = session.scalars(select(CouponUse).where(CouponUse.coupon_id == COUPON))
        assert use.invoice_reference == world.read(row).provider_reference


def test_a_coupon_vouched_for_by_hand_costs_us_once_the_provider_says_so(
    world: World, fin: Actor, flo: Actor
) -> None:
    couponing.stock(world)
    row = couponing.unsettled(world)
    name = str(couponing.invoice(world, row)["id"])
    with database.transaction() as session:
        wanted = Wanted("completed", name)
        asked = marking.ask(session, row.id, wanted, actor=fin, source="test", note="seen there")
    with database.transaction() as session:
        approvals.agree(session, asked.id, actor=flo, content_hash=asked.content_hash, reason=None)
    suspense = accounts.suspense("stripe").address
    with database.reading() as session:
        assert ledger.balance(session, suspense, "EUR/2") == 1_000
    assert (wallet(), cost()) == (1_000, 0)
    world.deliver_and_apply(told(world, "invoice.paid", couponing.invoice(world, row)))
    with database.reading() as session:
        assert ledger.balance(session, suspense, "EUR/2") == 0
        assert ledger.balance(session, accounts.clearing("stripe").address, "EUR/2") == 0
    assert (wallet(), cost(), cases()) == (1_000, 1_000, ["MARKED"])
    assert verification.verify().ok
