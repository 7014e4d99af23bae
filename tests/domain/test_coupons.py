"""A coupon becomes credit once: whichever event tells of its invoice first, however often, whoever asks again."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from core.errors import AppError, Conflict, InvalidInput, NotFound
from domain import database
from domain.books import verification
from domain.jobs import watching
from domain.watch import turns
from models.cases import ExceptionCase
from models.effects import Effect
from models.inbound import InboundEvent
from models.payments import Payment
from models.watch import Invariant
from tests.domain import couponing
from tests.domain.couponing import CODE, COUPON, apply, cost, told, wallet
from tests.domain.fake_coupons import coupon
from tests.domain.world import World

EVENTS = ("invoice.created", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded")


def refusal(world: World, text: str) -> AppError:
    with pytest.raises(AppError) as refused:
        couponing.begin(text, world.bo)
    return refused.value


def states() -> dict[str, str]:
    with database.reading() as session:
        rows = session.execute(select(InboundEvent.type, InboundEvent.state))
        return {kind: state for kind, state in rows}  # noqa: C416  # rows are no pairs to dict()


def cases() -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(ExceptionCase.kind)))


def test_a_coupon_credits_its_person_and_costs_us(world: World) -> None:
    couponing.stock(world)
    operation, payment = apply(world)
    assert (operation.state, payment.status, payment.method) == (
        "succeeded",
        "completed",
        "invoice",
    )
    assert (wallet(), cost(), couponing.entries()) == (1_000, 1_000, ["coupon", "wallet_credit"])
    [use] = couponing.uses()
    assert (use.coupon_id, use.code, use.amount_minor) == (COUPON, CODE, 1_000)
    assert use.invoice_reference == payment.provider_reference
    assert world.rail.stripe.made == ["invoice", "item", "read", "finalize"]
    with database.reading() as session:
        assert session.scalars(select(Effect.state)).all() == ["applied"]
    assert verification.verify().ok


def test_a_coupon_breaks_no_rule_of_the_books(world: World) -> None:
    couponing.stock(world)
    apply(world)
    with database.transaction() as session:
        turns.ask_for(session, watching.WORK)
    watching.watch()
    with database.reading() as session:
        standing = {row.name: row.state for row in session.scalars(select(Invariant))}
    assert standing
    assert set(standing.values()) == {"green"}


def test_every_order_of_its_events_credits_once(world: World) -> None:
    for number, order in enumerate(itertools.permutations(EVENTS), start=1):
        world.rail.stripe.coupons_[f"c{number}"] = coupon(f"c{number}")
        payment = couponing.unsettled(world, f"c{number}")
        assert (wallet(), world.read(payment).status) == ((number - 1) * 1_000, "pending")
        invoice = couponing.invoice(world, payment)
        for kind in order:
            body = told(world, kind, invoice)
            world.deliver(body)
            world.deliver(body)
            # The same once more under another event id, as Stripe may send it.
            world.deliver_and_apply(told(world, kind, invoice))
        assert world.read(payment).status == "completed"
        assert (wallet(), cost()) == (number * 1_000, number * 1_000)
    assert couponing.entries() == ["coupon", "wallet_credit"] * number
    assert set(cases()) == {"DUPLICATE_CONFLICT"}
    assert verification.verify().ok


def test_the_answer_after_the_events_credits_nothing_more(world: World) -> None:
    couponing.stock(world)
    _, payment = apply(world)
    invoice = couponing.invoice(world, payment)
    for kind in EVENTS:
        world.deliver_and_apply(told(world, kind, invoice))
    assert (wallet(), couponing.entries()) == (1_000, ["coupon", "wallet_credit"])
    assert cases() == []


def test_what_cannot_be_applied_says_why_and_writes_nothing(world: World) -> None:
    couponing.stock(world)
    shelf = world.rail.stripe
    shelf.coupons_["share"] = coupon("share", None)
    shelf.coupons_["old"] = coupon("old", valid=False)
    shelf.coupons_["shoes"] = coupon("shoes", applies_to={"products": ["prod_1"]})
    shelf.coupons_["odd"] = coupon("odd", currency="zzz")
    shelf.code("OVER", COUPON, active=False)
    shelf.code("SPENT", COUPON, max_redemptions=3, times_redeemed=3)
    shelf.code("LATE", COUPON, expires_at=1)
    shelf.code("LARGE", COUPON, restrictions={"minimum_amount": 5_000})
    shelf.code("ELSE", COUPON, customer="cus_else")
    for text, code in {
        "share": "COUPON_UNSUPPORTED",
        "shoes": "COUPON_UNSUPPORTED",
        "odd": "COUPON_UNSUPPORTED",
        "LARGE": "COUPON_UNSUPPORTED",
        "old": "COUPON_EXPIRED",
        "OVER": "COUPON_EXPIRED",
        "SPENT": "COUPON_EXPIRED",
        "LATE": "COUPON_EXPIRED",
        "ELSE": "COUPON_NOT_FOUND",
        "WELCOME": "COUPON_NOT_FOUND",
        "Welcome": "COUPON_NOT_FOUND",
        "../customers": "COUPON_NOT_FOUND",
        "né\x07": "COUPON_NOT_FOUND",
    }.items():
        error = refusal(world, text)
        assert error.code == code, text
        kind = NotFound if code == "COUPON_NOT_FOUND" else InvalidInput
        assert isinstance(error, kind)
    assert couponing.uses() == []
    with database.reading() as session:
        assert session.scalars(select(Payment.id)).all() == []
    assert world.rail.stripe.made == []


def test_a_code_that_is_over_leaves_the_coupon_of_that_name(world: World) -> None:
    couponing.stock(world)
    world.rail.stripe.code(COUPON, COUPON, active=False)
    assert apply(world, COUPON)[1].status == "completed"
    assert couponing.uses()[0].code is None


def test_a_code_is_read_in_either_case_and_prefers_its_own_customer(world: World) -> None:
    couponing.stock(world)
    world.rail.stripe.coupons_["gold"] = coupon("gold", 5_000)
    apply(world)
    [customer] = world.rail.customers
    world.rail.stripe.code("VIP", COUPON)
    world.rail.stripe.code("VIP", "gold", customer=customer)
    _, payment = apply(world, "vip")
    assert (payment.amount_minor, wallet()) == (5_000, 6_000)


def test_a_coupon_counts_once_per_person_whichever_name_leads_to_it(world: World) -> None:
    couponing.stock(world)
    world.rail.stripe.code("AGAIN10", COUPON)
    _, payment = apply(world)
    for text in (CODE, COUPON, "AGAIN10", CODE.lower()):
        error = refusal(world, text)
        assert isinstance(error, Conflict)
        said = (error.code, error.details)
        assert said == ("COUPON_ALREADY_APPLIED", {"transactionId": payment.id})
    # Used up meanwhile, it is still said that it was applied, not that it is over.
    world.rail.stripe.coupons_[COUPON]["valid"] = False
    assert refusal(world, CODE).code == "COUPON_ALREADY_APPLIED"
    world.rail.stripe.coupons_[COUPON]["valid"] = True
    assert apply(world, CODE, world.eve)[1].status == "completed"
    assert (wallet(), wallet("usr_eve"), cost()) == (1_000, 1_000, 2_000)


def test_sixteen_at_once_make_one_invoice_and_one_credit(world: World) -> None:
    couponing.stock(world)

    def one(_: int) -> str:
        try:
            return apply(world)[1].status
        except AppError as error:
            return error.code

    with ThreadPoolExecutor(16) as pool:
        answers = sorted(pool.map(one, range(16)))
    assert answers.count("completed") == 1
    assert set(answers) <= {"completed", "LOST_RACE", "COUPON_ALREADY_APPLIED"}
    assert len(world.rail.stripe.kept) == 1
    assert (wallet(), cost(), len(couponing.uses())) == (1_000, 1_000, 1)
    assert verification.verify().ok
