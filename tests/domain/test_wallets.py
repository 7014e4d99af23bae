"""A wallet holds what was confirmed and not given back: proved from the books, never more spent than is there."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from core import clock
from core.case_kinds import Verb
from core.errors import Conflict, NotFound
from core.money import Money, asset
from core.states import Role
from domain import database
from domain.actors import Actor
from domain.books import accounts, ledger, reserving, verification, wallets
from domain.cases import case_resolving, case_verbs
from domain.effects import wallet_credit
from domain.effects.kinds import Wanted
from domain.jobs import effects as effect_job
from domain.jobs import worker
from domain.payments.payments import Page
from domain.refunds import refunds
from domain.transitions import Why
from models.cases import ExceptionCase
from models.effects import Effect
from models.inbound import InboundEvent
from models.payments import Payment
from models.people import Merchant
from tests.domain import fake_charges, proofs_of_all
from tests.domain.refunding import agree, ask, assert_proved, cases, one, send_all, told
from tests.domain.tampering import change
from tests.domain.wallets import keep_card, top_up
from tests.domain.world import World, actor


def euros(world: World, minor: int, card: str = "pm_visa") -> Payment:
    return top_up(world.bo, keep_card(world.bo.id, card), minor, code="EUR")


def sums(who: Actor, user_id: str = "usr_bo") -> list[tuple[int, int, int, int]]:
    """Give balance, held, pending and paid of each asset."""
    with database.reading() as session:
        found = wallets.balances(session, user_id, actor=who)
    return [(b.balance.minor, b.held.minor, b.pending.minor, b.paid.minor) for b in found]


def entries(who: Actor, *, page: Page | None = None) -> list[tuple[str, int, bool, int]]:
    with database.reading() as session:
        found, _ = wallets.list_entries(session, "usr_bo", actor=who, page=page or Page())
    return [(each.kind, each.amount.minor, each.is_credit, each.after.minor) for each in found]


def test_only_confirmed_money_is_balance(world: World) -> None:
    assert sums(world.bo) == []
    waits = euros(world, 1_000, fake_charges.ASKED)
    assert sums(world.bo) == [(0, 0, 1_000, 0)]
    world.deliver_and_apply(world.event("payment_intent.processing", waits, status="processing"))
    assert sums(world.bo) == [(0, 0, 0, 1_000)]
    world.deliver_and_apply(world.paid(waits))
    assert sums(world.bo) == [(1_000, 0, 0, 0)]
    top_up(world.bo, keep_card(world.bo.id), 500, code="USD")
    assert sums(world.bo) == [(1_000, 0, 0, 0), (500, 0, 0, 0)]
    assert sums(world.eve, "usr_eve") == []
    assert_proved()


def test_a_refund_takes_out_of_the_wallet_what_it_gives_back(world: World, sue: Actor) -> None:
    payment = euros(world, 2_500)
    refund = ask(payment, 1_000, sue)
    assert sums(world.bo) == [(2_500, 1_000, 0, 0)], "it is held until it is gone"
    send_all()
    assert one(refund).state == "succeeded"
    assert sums(world.bo) == [(1_500, 0, 0, 0)]
    ask(payment, 1_500, sue)
    send_all()
    assert world.read(payment).status == "refunded"
    assert entries(world.bo) == [
        ("refund", 1_500, False, 0),
        ("refund", 1_000, False, 1_500),
        ("wallet_credit", 2_500, True, 2_500),
    ]
    assert (told("wallet.credited"), told("wallet.debited")) == (1, 2)
    assert_proved()


def test_a_refund_that_fails_later_is_put_back(world: World, sue: Actor) -> None:
    payment = euros(world, 2_500)
    refund = ask(payment, 2_500, sue)
    send_all()
    assert sums(world.bo) == [(0, 0, 0, 0)]
    name = str(one(refund).provider_reference)
    world.deliver_and_apply(world.refund_event("refund.failed", name, status="failed"))
    assert sums(world.bo) == [(2_500, 0, 0, 0)]
    assert world.read(payment).status == "completed"
    assert (told("wallet.credited"), told("wallet.debited")) == (2, 1)
    assert "REFUND_FAILED" in cases()
    assert_proved()


def test_what_was_given_back_elsewhere_leaves_the_wallet_too(world: World) -> None:
    payment = euros(world, 2_500)
    name = world.rail.give_back(str(payment.provider_reference), 700)
    world.deliver_and_apply(world.refund_event("refund.created", name))
    assert sums(world.bo) == [(1_800, 0, 0, 0)]
    assert cases() == ["RECON_DIFFERENCE"]
    assert_proved()


def spend(minor: int) -> None:
    """Take money out of Bo's wallet as a purchase will one day."""
    amount, key = Money(minor, asset("EUR")), f"spent:{minor}:{clock.now()}"
    with database.transaction() as session:
        kept = reserving.reserve(
            session,
            accounts.wallet("usr_bo"),
            amount,
            source_key=f"reserved:{key}",
            source="test",
            ties=ledger.Ties(),
        )
        to = accounts.revenue("mrc_house")
        reserving.spend(session, kept.entry_id, to, source_key=key, source="test")


def test_a_refund_never_takes_more_than_the_wallet_holds(world: World, sue: Actor) -> None:
    payment, other = euros(world, 2_000), euros(world, 1_000)
    spend(1_500)
    ask(other, 600, sue)
    with pytest.raises(Conflict) as caught:
        ask(payment, 1_000, sue)
    assert (caught.value.code, caught.value.details) == (
        "WALLET_TOO_LOW",
        {"available": {"amount": "9.00", "currency": "EUR"}},
    )
    assert world.read(payment).refunding_minor == 0
    ask(payment, 900, sue)
    send_all()
    assert sums(world.bo) == [(0, 0, 0, 0)]


def test_sixteen_refunds_at_once_of_two_payments_leave_nothing_owed(
    world: World, sue: Actor
) -> None:
    both = [euros(world, 1_000), euros(world, 1_000)]
    spend(1_300)

    def one_of(number: int) -> None:
        with contextlib.suppress(Conflict):
            ask(both[number % 2], 500, sue)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one_of, range(16)))
    send_all()
    assert sums(world.bo) == [(200, 0, 0, 0)]
    assert told("refund.created") == 1


def test_who_agrees_later_finds_the_wallet_as_it_is_then(
    world: World, fin: Actor, flo: Actor
) -> None:
    payment = euros(world, 90_000)
    refund = ask(payment, 80_000, fin)
    assert refund.state == "pending_approval"
    spend(20_000)
    with pytest.raises(Conflict) as caught:
        agree(refund, flo)
    assert caught.value.code == "WALLET_TOO_LOW"
    send_all()
    assert one(refund).state == "pending_approval"
    assert sums(world.bo)[0][0] == 70_000


def test_a_coupon_and_a_check_of_a_card_are_not_refunded(world: World, sue: Actor) -> None:
    payment = euros(world, 1_000)
    for purpose, received in (("coupon", 1_000), ("card_validation", 0)):
        with database.transaction() as session:
            row = update(Payment).where(Payment.id == payment.id)
            session.execute(row.values(purpose=purpose, received_minor=received))
        with pytest.raises(Conflict) as caught:
            ask(payment, 500, sue)
        assert caught.value.code == "NOT_REFUNDABLE"


def broken(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    raise ZeroDivisionError


def test_money_whose_credit_failed_is_confirmed_and_not_spendable(
    world: World, sue: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = euros(world, 2_500, fake_charges.ASKED)
    world.deliver(world.paid(payment))
    with monkeypatch.context() as patched:
        patched.setattr(wallet_credit, "carry_out", broken)
        for _ in range(3):
            worker.work_until_idle()
            with database.transaction() as session:
                session.execute(update(InboundEvent).values(due_at=clock.now()))
    now = world.read(payment)
    assert (now.status, now.effect_state, sums(world.bo)) == ("completed", "failed", [])
    assert "EFFECT_FAILED" in cases()
    with pytest.raises(Conflict) as caught:
        ask(payment, 2_500, sue)
    assert caught.value.code == "WALLET_TOO_LOW"
    with database.transaction() as session:
        session.execute(update(Effect).values(due_at=clock.now() - timedelta(seconds=1)))
    while effect_job.retry_next():
        pass
    assert sums(world.bo) == [(2_500, 0, 0, 0)]
    assert_proved()


def test_late_money_reaches_the_wallet_only_by_somebodys_decision(world: World, fin: Actor) -> None:
    payment = euros(world, 2_500, fake_charges.ASKED)
    fake_charges.refuse(world.rail.intents[str(payment.provider_reference)])
    world.deliver_and_apply(world.event("payment_intent.payment_failed", payment))
    world.deliver_and_apply(world.paid(payment))
    assert sums(world.bo) == []
    with database.transaction() as session:
        [case] = session.scalars(select(ExceptionCase))
        wanted = case_verbs.Wanted(Verb.CREDIT, "The payer is to have it")
        case_resolving.resolve(session, case.id, wanted, actor=fin, source="test")
    assert sums(world.bo) == [(2_500, 0, 0, 0)]
    assert told("wallet.credited") == 1
    assert_proved()


def test_what_is_spent_of_a_wallet_is_no_fault(world: World) -> None:
    euros(world, 2_500)
    spend(1)
    assert proofs_of_all.problems() == []


def test_a_wallet_that_does_not_add_up_is_named(world: World, engine: Engine) -> None:
    payment = euros(world, 2_500)
    assert_proved()
    less = (
        "update effects set amount_minor = 2499 where payment_id = :id and kind = 'wallet_credit'"
    )
    change(engine, less, id=payment.id)
    bad = {each.name: each.first_bad for each in verification.verify().checks if not each.ok}
    assert bad == {
        "wallet_credits": f"{payment.id} brought 2500, its wallet was due 2499",
        "wallets": "wallet:usr_bo:balance holds 2500 EUR/2, its top-ups say 2499",
    }


def test_pages_of_a_wallet_meet_without_gap(world: World) -> None:
    for minor in (100, 200, 300):
        euros(world, minor)
    with database.reading() as session:
        first, more = wallets.list_entries(session, "usr_bo", actor=world.bo, page=Page(limit=2))
        rest, end = wallets.list_entries(
            session, "usr_bo", actor=world.bo, page=Page(limit=2, before=more)
        )
    assert [each.after.minor for each in first + rest] == [600, 300, 100]
    assert end is None


def test_a_merchant_sees_of_a_wallet_only_what_came_through_it(world: World) -> None:
    mel = actor("usr_mel", Role.MERCHANT, merchant_id="mer_mel")
    with database.transaction() as session:
        said = {"name": "Mel", "slug": "mel", "state": "approved", "kyc": "approved"}
        row = Merchant(id="mer_mel", is_house=False, created_at=clock.now(), **said)
        session.add(row)
    euros(world, 2_500)
    with pytest.raises(NotFound), database.reading() as session:
        wallets.get_owner(session, "usr_bo", actor=mel)
    mels = euros(world, 1_000)
    with database.transaction() as session:
        own = update(Payment).where(Payment.id == mels.id)
        session.execute(own.values(merchant_id="mer_mel"))
    with database.reading() as session:
        assert wallets.get_owner(session, "usr_bo", actor=mel).id == "usr_bo"
        with pytest.raises(NotFound):
            wallets.get_owner(session, "usr_bo", actor=world.eve)
        with pytest.raises(NotFound):
            wallets.get_owner(session, "usr_nobody", actor=world.fin)
    assert sums(mel) == [(1_000, 0, 0, 0)]
    assert sums(world.fin) == sums(world.bo) == [(3_500, 0, 0, 0)]
    assert entries(mel) == [("wallet_credit", 1_000, True, 1_000)]


def test_a_refund_asked_for_twice_under_one_name_is_held_once(world: World, sue: Actor) -> None:
    payment = euros(world, 2_500)
    first = ask(payment, 2_500, sue, reference="same")
    assert ask(payment, 2_500, sue, reference="same").id == first.id
    with database.transaction() as session:
        refunds.cancel(session, first.id, actor=sue, reason="No", source="test")
    assert sums(world.bo) == [(2_500, 0, 0, 0)]
    assert_proved()
