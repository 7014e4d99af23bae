"""A card is kept once, for its own person, and is gone for good once it is removed."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from core.errors import Conflict, NotFound, ProviderUnavailable, ProviderUnknown
from domain import database
from domain.jobs import janitor
from domain.payments import kept_cards, vault
from domain.transitions import Why
from models.cards import ProviderCustomer
from models.cases import ExceptionCase
from models.inbound import InboundEvent
from models.payments import Payment
from tests.domain import checking, fake_vault, wallets
from tests.domain.world import World


def remove(world: World, name: str) -> None:
    with database.transaction() as session:
        card = kept_cards.find_card(session, world.bo.id, name, actor=world.bo)
        vault.remove(session, card, why=Why(world.bo, "test"))


def vault_event(world: World, kind: str, name: str) -> bytes:
    """Write a Stripe event about a card, as it stands in the rail's vault."""
    said = world.rail.cards[name]
    record = {"id": name, "object": "payment_method", "type": "card", "customer": said.customer}
    return world._signed_body(kind, record, None)


def test_a_setup_keeps_its_card_with_all_that_is_said_of_it(world: World) -> None:
    payment = checking.finish(checking.begin_setup(world.bo), world.bo)
    assert (payment.amount_minor, payment.status, payment.method) == (0, "pending", "setup")
    world.rail.complete(str(payment.provider_reference), "pm_one")
    world.deliver_and_apply(world.event("setup_intent.succeeded", payment))
    done = world.read(payment)
    assert (done.status, done.effect_state, done.method_id) == ("completed", "applied", "pm_one")
    checking.work()
    card = checking.card("pm_one")
    assert (card.user_id, card.brand, card.last4) == ("usr_bo", "visa", "4242")
    assert (card.exp_month, card.exp_year, card.is_default) == (12, 2034, True)
    assert card.validated_at is not None and card.due_at is None
    assert world.read(payment).card_last4 == "4242"
    assert world.rail.preferred[world.rail.customer_keys["customer:usr_bo:test"]] == "pm_one"
    assert checking.told("payment_method.validated", "transaction.created") == [
        "transaction.created",
        "payment_method.validated",
    ]


def test_one_setup_is_open_for_a_person_at_a_time(world: World) -> None:
    first = checking.finish(checking.begin_setup(world.bo), world.bo)
    again = checking.begin_setup(world.bo)
    assert (again.payment.id, again.fence) == (first.id, None)
    checking.kept(world, "pm_one")
    assert checking.begin_setup(world.bo).payment.id != first.id


@pytest.mark.parametrize(
    "order",
    list(itertools.permutations(("setup_intent.succeeded", "payment_method.attached", "repeat"))),
)
def test_a_card_is_kept_alike_in_whichever_order_it_is_heard_of(
    world: World, order: tuple[str, ...]
) -> None:
    payment = checking.finish(checking.begin_setup(world.bo), world.bo)
    world.rail.complete(str(payment.provider_reference), "pm_one")
    for kind in order:
        if kind == "payment_method.attached":
            world.deliver_and_apply(vault_event(world, kind, "pm_one"))
        else:
            world.deliver_and_apply(world.event("setup_intent.succeeded", payment))
    checking.work()
    card = checking.card("pm_one")
    assert (card.last4, card.exp_year, card.is_default) == ("4242", 2034, True)
    assert card.validated_at is not None
    assert checking.told("payment_method.validated") == ["payment_method.validated"]


def test_what_changes_at_the_provider_changes_here(world: World) -> None:
    checking.kept(world, "pm_one")
    known = world.rail.cards["pm_one"]
    world.rail.cards["pm_one"] = fake_vault.card("pm_one", known.customer, exp_year=2039)
    row = world.deliver_and_apply(
        vault_event(world, "payment_method.automatically_updated", "pm_one")
    )
    assert (row.state, checking.card("pm_one").exp_year) == ("processed", 2039)
    again = world.deliver_and_apply(vault_event(world, "payment_method.updated", "pm_one"))
    assert again.state == "no_effect"


def test_a_card_that_was_detached_there_is_gone_here_and_never_comes_back(world: World) -> None:
    checking.kept(world, "pm_one")
    checking.work()
    attached = vault_event(world, "payment_method.attached", "pm_one")
    world.rail.cards["pm_one"] = fake_vault.card("pm_one")
    world.deliver_and_apply(vault_event(world, "payment_method.detached", "pm_one"))
    world.deliver_and_apply(attached)
    card = checking.card("pm_one")
    assert (card.state, card.is_default) == ("removed", False)
    assert checking.told("payment_method.removed") == ["payment_method.removed"]
    with database.reading() as session, pytest.raises(NotFound):
        kept_cards.find_card(session, "usr_bo", "pm_one")


def test_cards_of_strangers_are_no_business_of_ours(world: World) -> None:
    world.rail.cards["pm_far"] = fake_vault.card("pm_far", "cus_somebody")
    asked = len(world.rail.asked)
    row = world.deliver_and_apply(vault_event(world, "payment_method.attached", "pm_far"))
    assert (row.state, len(world.rail.asked)) == ("ignored", asked)


def test_nobody_finds_the_card_of_another(world: World) -> None:
    checking.kept(world, "pm_one")
    with database.reading() as session:
        for person in ("usr_eve", "usr_none"):
            with pytest.raises(NotFound):
                kept_cards.find_card(session, person, "pm_one")
        with pytest.raises(NotFound):
            kept_cards.payer_of(session, world.bo.id, actor=world.eve)
        assert kept_cards.payer_of(session, None, actor=world.bo) == world.bo.id


def test_the_provider_is_told_to_let_go_until_it_has(world: World) -> None:
    checking.kept(world, "pm_one")
    checking.work()
    remove(world, "pm_one")
    world.rail.script = [ProviderUnavailable("away"), ProviderUnknown("lost")]
    for _ in range(2):
        checking.work()
        assert checking.card("pm_one").state == "removing"
        checking.hurry()
    checking.work()
    assert (checking.card("pm_one").state, checking.card("pm_one").due_at) == ("removed", None)
    assert world.rail.cards["pm_one"].customer is None
    assert checking.told("payment_method.removed") == ["payment_method.removed"]


def test_a_card_that_is_never_let_go_becomes_a_case(world: World) -> None:
    checking.kept(world, "pm_one")
    checking.work()
    remove(world, "pm_one")
    world.rail.script = [ProviderUnavailable("away")] * 5
    for _ in range(5):
        checking.hurry()
        checking.work()
    with database.reading() as session:
        [case] = session.scalars(select(ExceptionCase))
        assert case.kind == "EFFECT_FAILED" and "still kept at stripe" in case.sentence


def test_a_card_in_use_is_not_removed(world: World) -> None:
    name = checking.kept(world, "pm_3ds_one")
    payment = wallets.top_up(world.bo, name)
    assert payment.status == "pending"
    with pytest.raises(Conflict, match="has not ended"):
        remove(world, name)
    world.deliver_and_apply(world.event("payment_intent.canceled", payment, status="canceled"))
    remove(world, name)
    assert checking.card(name).state == "removing"


def test_there_is_one_default_whoever_chooses(world: World) -> None:
    names = [checking.kept(world, f"pm_{no}") for no in range(4)]
    checking.work()

    def choose(name: str) -> None:
        with database.transaction() as session:
            found = kept_cards.find_card(session, "usr_bo", name)
            vault.prefer(session, found, actor=world.bo, source="test")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(choose, names * 4))
    checking.work()
    with database.reading() as session:
        defaults = [row.id for row in kept_cards.list_cards(session, "usr_bo") if row.is_default]
    assert len(defaults) == 1
    assert list(world.rail.preferred.values()) == defaults


def test_a_person_is_made_known_to_the_provider_once(world: World) -> None:
    def ask(_: int) -> str:
        return kept_cards.ensure_customer("usr_eve", "stripe", livemode=False)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(world.rail.customers) == 1
    lost = ProviderUnknown("lost")
    lost.after_effect = True  # type: ignore[attr-defined]  # the fake's own word
    world.rail.script = [lost]
    with pytest.raises(ProviderUnknown):
        kept_cards.ensure_customer("usr_bo", "stripe", livemode=False)
    kept_cards.ensure_customer("usr_bo", "stripe", livemode=False)
    assert len(world.rail.customers) == 2
    with database.reading() as session:
        assert len(session.scalars(select(ProviderCustomer)).all()) == 2


def test_a_setup_whose_answer_was_lost_is_taken_up_again(world: World) -> None:
    lost = ProviderUnknown("lost")
    lost.after_effect = True  # type: ignore[attr-defined]  # the fake's own word
    world.rail.script = [None, lost]
    payment = checking.finish(checking.begin_setup(world.bo), world.bo)
    assert payment.provider_reference is None
    checking.hurry()
    checking.work()
    assert len(world.rail.setups) == 1
    assert world.read(payment).provider_reference == next(iter(world.rail.setups))


def test_a_setup_that_nobody_completes_is_ended(world: World) -> None:
    payment = checking.finish(checking.begin_setup(world.bo), world.bo)
    assert payment.expires_at is not None
    janitor.expire(payment)
    done = world.read(payment)
    assert (done.status, done.failure_reason) == ("failed", "expired")
    assert world.rail.setups[str(payment.provider_reference)]["status"] == "canceled"


def test_a_refused_attempt_leaves_the_setup_open_for_the_next(world: World) -> None:
    payment = checking.finish(checking.begin_setup(world.bo), world.bo)
    error = {"code": "card_declined", "decline_code": "generic_decline"}
    row = world.deliver_and_apply(
        world.event("setup_intent.setup_failed", payment, last_setup_error=error)
    )
    assert (row.state, world.read(payment).status) == ("processed", "pending")
    world.rail.complete(str(payment.provider_reference), "pm_two")
    world.rail.setups[str(payment.provider_reference)]["last_setup_error"] = None
    world.deliver_and_apply(world.event("setup_intent.succeeded", payment))
    assert world.read(payment).status == "completed"


def test_no_event_about_a_card_is_stuck(world: World) -> None:
    checking.kept(world, "pm_one")
    for kind in ("attached", "updated", "automatically_updated", "detached"):
        world.deliver_and_apply(vault_event(world, f"payment_method.{kind}", "pm_one"))
    with database.reading() as session:
        states = set(session.scalars(select(InboundEvent.state)))
        assert states <= {"processed", "no_effect"}
        assert session.scalars(select(Payment.status)).all() == ["completed"]
