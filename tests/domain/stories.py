"""Stories of money: every way in which it comes, is held, goes back, is disputed or is taken back, played as it happens.

Each story takes the world as the others left it, so that all of them may be played in one database and in
any order. They use nothing that came with the books: what they leave in a database is what older code left there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import select

from core import clock
from core.case_kinds import Verb
from core.errors import AppError
from core.states import Role
from domain import database
from domain.actors import Actor
from domain.jobs import worker
from domain.payments import operations
from models.cases import ExceptionCase
from models.payments import Payment
from tests.domain import (
    asking,
    cast,
    checking,
    couponing,
    desk_people,
    disputing,
    fake_charges,
    holds,
    lives,
    refunding,
    wallets,
)
from tests.domain.fake_coupons import coupon
from tests.domain.world import World


@dataclass
class Players:
    """The world and the staff of finance that acts in it."""

    world: World
    fin: Actor
    flo: Actor

    def hear(self, body: bytes) -> None:
        """Have an event delivered, known already or not, and all that waits applied."""
        self.world.deliver(body)
        worker.work_until_idle()

    def decide(self, payment: Payment, kind: str, verb: Verb) -> None:
        """Settle the payment's case of a kind, with a second person where it takes one."""
        with database.reading() as session:
            own = (ExceptionCase.payment_id == payment.id, ExceptionCase.kind == kind)
            case = session.scalars(select(ExceptionCase).where(*own)).one()
        done = desk_people.resolve(case, verb, self.fin)
        if done.approval is not None:
            desk_people.agree(done.approval, self.flo)
        if done.call is not None:
            call = done.call
            operations.finish_now(call.operation, call.payment, call.fence)
            self.world.deliver_and_apply(self.world.paid(self.world.read(call.payment)))

    def mark(self, payment: Payment, reference: str) -> Payment:
        """Have two people vouch for a payment's money."""
        asking.agree(asking.asked(payment, self.fin, reference), self.flo)
        return self.world.read(payment)


Story = Callable[[Players], None]


def players(world: World) -> Players:
    """Put the staff in."""
    return Players(
        world,
        *(cast.person(name, Role.FINANCE, email=f"{name}@played.test") for name in ("p", "q")),
    )


def _a_deposit_and_its_balance_are_paid(on: Players) -> None:
    order = on.world.order()
    for purpose in ("deposit", "balance"):
        _, payment = on.world.begin(order, purpose)
        on.world.deliver_and_apply(on.world.paid(payment))


def _nobody_pays(on: Players) -> None:
    on.world.payment()
    ended = on.world.payment()
    on.world.deliver_and_apply(on.world.event("payment_intent.canceled", ended, status="canceled"))


def _a_payment_is_told_of_in_every_order(on: Players) -> None:
    for name in lives.LIVES:
        payment = on.world.payment()
        told = lives.LIVES[name](lives.Writer(on.world, payment, clock.unix() - 600))
        for body in (*told, *reversed(told)):
            on.hear(body)


def _money_is_told_of_twice(on: Players) -> None:
    payment = on.world.payment()
    body = on.world.paid(payment)
    for again in (body, body, on.world.paid(payment)):
        on.hear(again)


def _parts_and_then_all_go_back(on: Players) -> None:
    payment = refunding.paid(on.world)
    for minor in (1_000, 1_500):
        refunding.ask(payment, minor, on.fin)
        refunding.send_all()


def _a_refund_is_raced(on: Players) -> None:
    payment = refunding.paid(on.world)

    def ask(_: int) -> None:
        with suppress(AppError):
            refunding.ask(payment, 2_000, on.fin)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    refunding.send_all()


def _a_large_refund_takes_two(on: Players) -> None:
    payment = refunding.paid(on.world, 100_000)
    refunding.agree(refunding.ask(payment, 60_000, on.fin), on.flo)
    refunding.send_all()
    refunding.ask(payment, 40_000, on.fin)


def _a_refund_fails_after_all(on: Players) -> None:
    payment = refunding.paid(on.world)
    refund = refunding.ask(payment, 2_500, on.fin)
    refunding.send_all()
    name = str(refunding.one(refund).provider_reference)
    on.world.deliver_and_apply(on.world.refund_event("refund.failed", name, status="failed"))


def _money_goes_back_past_us(on: Players) -> None:
    payment = refunding.paid(on.world)
    name = on.world.rail.give_back(str(payment.provider_reference), 700)
    on.world.deliver_and_apply(on.world.refund_event("refund.created", name))


def _money_comes_late(on: Players) -> None:
    desk_people.paid_late(on.world)
    back = desk_people.paid_late(on.world)
    refunding.ask(back, 2_500, on.fin)
    refunding.send_all()
    on.decide(desk_people.paid_late(on.world), "PAID_LATE", Verb.CREDIT)


def _too_little_comes(on: Players) -> None:
    desk_people.paid(on.world, 2_400)
    for verb in (Verb.ACCEPT, Verb.WRITE_OFF, Verb.TOP_UP, Verb.REFUND_ALL):
        on.decide(desk_people.paid(on.world, 2_400), "UNDERPAID", verb)
        refunding.send_all()


def _too_much_comes(on: Players) -> None:
    desk_people.paid(on.world, 3_000)
    for verb in (Verb.ACCEPT, Verb.CREDIT, Verb.REFUND_DIFFERENCE):
        on.decide(desk_people.paid(on.world, 3_000), "OVERPAID", verb)
        refunding.send_all()


def _money_is_marked_by_hand(on: Players) -> None:
    for word, received in (("alone", None), ("whole", 2_500), ("less", 2_000), ("more", 3_000)):
        payment = on.mark(on.world.payment(), f"BANK-{word}-{clock.unix()}")
        if received is not None:
            on.world.deliver_and_apply(on.world.paid(payment, received))
    ended = on.mark(on.world.payment(), f"BANK-ended-{clock.unix()}")
    on.world.deliver_and_apply(on.world.event("payment_intent.canceled", ended, status="canceled"))


def _a_top_up_is_marked_by_hand(on: Players) -> None:
    card = wallets.keep_card(on.world.bo.id, fake_charges.ASKED)
    payment = wallets.top_up(on.world.bo, card, 900)
    payment = on.mark(payment, f"BANK-top-up-{clock.unix()}")
    on.world.deliver_and_apply(on.world.paid(payment))


def _a_hold_is_captured_or_let_go(on: Players) -> None:
    holds.held(on.world)
    holds.capture(holds.held(on.world), None, on.fin)
    part = holds.held(on.world)
    holds.capture(part, 2_000, on.fin)
    refunding.ask(on.world.read(part), 500, on.fin)
    refunding.send_all()
    holds.cancel(holds.held(on.world), on.fin)
    on.world.deliver_and_apply(on.world.paid(holds.held(on.world), 1_200))


def _bodies_of_debit(on: Players, payment: Payment) -> Sequence[bytes]:
    """Write what is told of a debit that was paid and then fails."""
    debit: dict[str, object] = {
        "id": f"py_{payment.id[-8:]}",
        "object": "charge",
        "status": "succeeded",
        "currency": payment.asset.split("/")[0].lower(),
        "amount": payment.amount_minor,
        "payment_intent": payment.provider_reference,
        "payment_method_details": {"type": "sepa_debit", "sepa_debit": {"last4": "3000"}},
        "metadata": {"payment_id": payment.id},
    }
    failed = debit | {"status": "failed", "failure_code": "account_closed", "failure_message": "x"}
    at = clock.unix() - 600
    write = on.world._signed_body
    return (
        write("charge.succeeded", debit, at + 1),
        on.world.paid(payment, at=at + 2),
        write("charge.failed", failed, at + 9),
    )


def _a_debit_fails_after_it_was_final(on: Players) -> None:
    for back in (0, 500, 2_500):
        payment = on.world.payment()
        charged, paid, failed = _bodies_of_debit(on, payment)
        on.world.deliver_and_apply(charged)
        on.world.deliver_and_apply(paid)
        if back:
            refunding.ask(on.world.read(payment), back, on.fin)
            refunding.send_all()
        on.world.deliver_and_apply(failed)
    late = on.world.payment()
    on.world.deliver_and_apply(on.world.event("payment_intent.canceled", late, status="canceled"))
    for body in _bodies_of_debit(on, late)[1:]:
        on.world.deliver_and_apply(body)


def _a_top_up_s_debit_fails(on: Players) -> None:
    card = wallets.keep_card(on.world.bo.id, fake_charges.ASKED)
    payment = wallets.top_up(on.world.bo, card, 1_100)
    for body in _bodies_of_debit(on, payment):
        on.world.deliver_and_apply(body)


def _payers_dispute(on: Players) -> None:
    for words in (disputing.won, disputing.lost):
        for upto in (1, 2, 5):
            payment = refunding.paid(on.world)
            disputing.apply(payment, words(payment)[:upto])
    part = refunding.paid(on.world)
    refunding.ask(part, 700, on.fin)
    refunding.send_all()
    disputing.apply(part, disputing.lost(part))
    again = refunding.paid(on.world)
    disputing.apply(again, disputing.lost(again))
    for status, at in (("appeal_needs_response", 20), ("won", 30)):
        word = disputing.word(again, status, disputing.BEGAN + at, moved=1, evidence=1)
        disputing.apply(again, [word])


def _wallets_are_filled_and_emptied(on: Players) -> None:
    def paid_in() -> Payment:
        return wallets.top_up(on.world.bo, wallets.keep_card(on.world.bo.id), 2_500, code="EUR")

    paid_in()
    for minor in (1_000, 2_500):
        refunding.ask(paid_in(), minor, on.fin)
    failing = refunding.ask(paid_in(), 2_500, on.fin)
    refunding.send_all()
    name = str(refunding.one(failing).provider_reference)
    on.world.deliver_and_apply(on.world.refund_event("refund.failed", name, status="failed"))
    past = wallets.top_up(on.world.bo, wallets.keep_card(on.world.bo.id), 800, code="EUR")
    name = on.world.rail.give_back(str(past.provider_reference), 300)
    on.world.deliver_and_apply(on.world.refund_event("refund.created", name))


def _a_top_up_waits_is_refused_or_comes_late(on: Players) -> None:
    waits = wallets.top_up(on.world.eve, wallets.keep_card(on.world.eve.id, fake_charges.ASKED))
    on.world.deliver_and_apply(
        on.world.event("payment_intent.processing", waits, status="processing")
    )
    card = wallets.keep_card(on.world.bo.id, fake_charges.ASKED)
    late = wallets.top_up(on.world.bo, card, 1_300, code="EUR")
    fake_charges.refuse(on.world.rail.intents[str(late.provider_reference)])
    on.world.deliver_and_apply(on.world.event("payment_intent.payment_failed", late))
    on.world.deliver_and_apply(on.world.paid(late))
    on.decide(late, "PAID_LATE", Verb.CREDIT)


def _coupons_are_given(on: Players) -> None:
    for who in (on.world.bo, on.world.eve):
        name = f"c{clock.unix()}{who.id}"
        on.world.rail.stripe.coupons_[name] = coupon(name)
        couponing.apply(on.world, name, who)
    lost = f"l{clock.unix()}"
    on.world.rail.stripe.coupons_[lost] = coupon(lost)
    payment = couponing.unsettled(on.world, lost)
    invoice = couponing.invoice(on.world, payment)
    for kind in ("invoice.paid", "invoice.finalized", "invoice.payment_succeeded"):
        on.world.deliver_and_apply(couponing.told(on.world, kind, invoice))
    holds.look_again()


def _a_card_is_kept_and_a_trial_begins(on: Players) -> None:
    who = next(each for each in (on.world.bo, on.world.eve) if checking.trial(each.id) is None)
    checking.kept(on.world, name := f"pm_trial_{clock.unix()}", who)
    checking.start_trial(who, name)
    checking.work()


def _an_event_finds_no_payment(on: Players) -> None:
    own = on.world.payment()
    body = on.world.paid(own)
    stranger = body.replace(str(own.provider_reference).encode(), b"pi_stranger")
    on.hear(stranger.replace(own.id.encode(), b"nobody"))


def _another_currency_is_told_of(on: Players) -> None:
    payment = on.world.payment()
    on.world.deliver_and_apply(on.world.paid(payment).replace(b'"eur"', b'"usd"'))


STORIES: Mapping[str, Story] = {
    told.__name__.strip("_").replace("_", " "): told
    for told in (
        _a_deposit_and_its_balance_are_paid,
        _nobody_pays,
        _a_payment_is_told_of_in_every_order,
        _money_is_told_of_twice,
        _parts_and_then_all_go_back,
        _a_refund_is_raced,
        _a_large_refund_takes_two,
        _a_refund_fails_after_all,
        _money_goes_back_past_us,
        _money_comes_late,
        _too_little_comes,
        _too_much_comes,
        _money_is_marked_by_hand,
        _a_top_up_is_marked_by_hand,
        _a_hold_is_captured_or_let_go,
        _a_debit_fails_after_it_was_final,
        _a_top_up_s_debit_fails,
        _payers_dispute,
        _wallets_are_filled_and_emptied,
        _a_top_up_waits_is_refused_or_comes_late,
        _coupons_are_given,
        _a_card_is_kept_and_a_trial_begins,
        _an_event_finds_no_payment,
        _another_currency_is_told_of,
    )
}
