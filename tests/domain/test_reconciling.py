"""What webhooks never told is found in the provider's own list, and applied once."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine, func, select, update

import config
from core import clock
from core.errors import ProviderRefused, ProviderUnavailable
from domain import database
from domain.actors import system
from domain.books import verification
from domain.reconciliation import reconciling
from domain.reconciliation.reconciling import Reconciled
from models.cases import ExceptionCase
from models.events import EventLog
from models.ledger import JournalEntry
from models.payments import Payment
from providers import registry
from providers.seam import Rail
from tests.domain import fake_charges
from tests.domain import world as worlds
from tests.domain.world import World
from tests.rig import product
from tests.rig.process import Running

OPERATOR = system("operator")
START = timedelta(hours=24)


def run(rail: Rail) -> Reconciled:
    return reconciling.reconcile(rail, since=clock.now() - START, actor=OPERATOR)


def count(model: type) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def told() -> int:
    """Count the events, those of the runs themselves left out."""
    with database.reading() as session:
        own = EventLog.type.like("reconciliation.%")
        return session.scalar(select(func.count()).select_from(EventLog).where(~own)) or 0


def cases() -> list[tuple[str, str]]:
    with database.reading() as session:
        rows = session.execute(select(ExceptionCase.kind, ExceptionCase.subject_key))
        return sorted((kind, key.split(":", 2)[1]) for kind, key in rows)


def test_payment_that_succeeded_without_a_webhook_is_healed_once(world: World) -> None:
    payment = world.payment()
    world.rail.intents[str(payment.provider_reference)] |= {
        "status": "succeeded",
        "amount_received": payment.amount_minor,
    }
    first = run(world.rail)  # type: ignore[arg-type]
    assert (first.compared, first.healed, first.equal) == (1, 1, 0)
    assert first.changes == [
        f"{payment.id}: payment pending → completed; books 25.00 EUR (deposit)"
    ]
    assert world.read(payment).status == "completed"
    before = told()
    second = run(world.rail)  # type: ignore[arg-type]
    assert (second.compared, second.healed, second.equal) == (1, 0, 1)
    assert (count(JournalEntry), told()) == (1, before)
    assert verification.verify().ok


def test_object_of_somebody_else_is_counted_and_left_alone(world: World) -> None:
    world.rail.intents["pi_foreign"] = fake_charges.intent(
        "pi_foreign", "pay_of_another_system", 100
    )
    found = run(world.rail)  # type: ignore[arg-type]
    assert (found.compared, found.unknown) == (0, 1)


def age(payment: Payment, by: timedelta) -> None:
    with database.transaction() as session:
        session.execute(
            update(Payment)
            .where(Payment.id == payment.id)
            .values(created_at=payment.created_at - by)
        )


def test_payment_that_the_provider_does_not_know_becomes_a_case(world: World) -> None:
    payment = world.payment()
    age(payment, timedelta(minutes=10))
    del world.rail.intents[str(payment.provider_reference)]
    world.rail.script = [None, ProviderRefused("No such payment_intent")]
    found = run(world.rail)  # type: ignore[arg-type]
    assert (found.compared, found.missing) == (1, 1)
    assert cases() == [("RECON_DIFFERENCE", "missing")]
    assert world.read(payment).status == "pending"


def test_payment_made_while_the_list_is_read_is_not_missed(world: World) -> None:
    payment = world.payment()
    del world.rail.intents[str(payment.provider_reference)]
    assert run(world.rail).missing == 0  # type: ignore[arg-type]
    assert cases() == []


def test_payment_that_the_list_left_out_is_asked_for_by_its_name(world: World) -> None:
    payment = world.payment()
    age(payment, timedelta(minutes=10))
    record = world.rail.intents[str(payment.provider_reference)]
    record |= {"status": "succeeded", "amount_received": payment.amount_minor}
    world.rail.unlisted.add(str(payment.provider_reference))
    found = run(world.rail)  # type: ignore[arg-type]
    assert (found.compared, found.healed, found.missing) == (1, 1, 0)


def test_one_failure_does_not_keep_the_others_from_being_compared(world: World) -> None:
    lost, other = world.payment(), world.payment()
    age(lost, timedelta(minutes=10))
    del world.rail.intents[str(lost.provider_reference)]
    world.rail.script = [None, ProviderUnavailable("Stripe does not answer.")]
    found = run(world.rail)  # type: ignore[arg-type]
    assert (found.compared, found.equal, found.failed) == (2, 1, 1)
    assert found.problems == [f"{lost.id}: Stripe does not answer."]
    assert world.read(other).status == "pending"


def test_money_that_the_provider_no_longer_speaks_of_becomes_a_case(world: World) -> None:
    payment = world.payment()
    world.deliver_and_apply(world.paid(payment))
    world.rail.intents[str(payment.provider_reference)]["status"] = "canceled"
    found = run(world.rail)  # type: ignore[arg-type]
    assert (found.different, found.healed) == (1, 0)
    assert cases() == [("RECON_DIFFERENCE", "confirm")]
    assert world.read(payment).status == "completed"


@pytest.fixture
def shop(
    engine: Engine, environ: dict[str, str], start_stripe: Callable[..., Running]
) -> tuple[World, str]:
    """A world whose rail is the real one, at a stand-in that sends no webhook at all."""
    del engine
    standin = start_stripe()
    settings = config.load(environ | product.stripe_settings(standin.url))
    made = worlds.build(settings)
    registry.configure(settings)
    return made, standin.url


def ask(url: str, path: str, **params: str) -> None:
    """Call the stand-in as its merchant would; a declined card answers 402."""
    request = urllib.request.Request(
        f"{url}/v1/{path}",
        data=urlencode(params).encode(),
        headers={"Authorization": f"Bearer {product.STRIPE_KEY}"},
    )
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 402:
            raise


def test_everything_the_stand_in_never_sent_is_healed_to_its_own_ledger(
    shop: tuple[World, str],
) -> None:
    world, url = shop
    paid, declined, cancelled, asked, open_ = (world.payment() for _ in range(5))
    for payment, card in (
        (paid, "visa"),
        (declined, "chargeDeclined"),
        (asked, "authenticationRequired"),
    ):
        path = f"payment_intents/{payment.provider_reference}/confirm"
        ask(url, path, payment_method=f"pm_card_{card}")
    ask(url, f"payment_intents/{cancelled.provider_reference}/cancel")
    rail = registry.configured("stripe")
    first = run(rail)
    assert (first.compared, first.healed, first.failed, first.missing) == (5, 4, 0, 0)
    states = {
        p.id: (world.read(p).status, world.read(p).sub_state)
        for p in (paid, declined, cancelled, asked, open_)
    }
    assert states[paid.id] == ("completed", "none")
    assert states[declined.id] == ("pending", "requires_payment_method")
    assert states[cancelled.id] == ("cancelled", "none")
    assert states[asked.id] == ("pending", "requires_action")
    assert states[open_.id] == ("pending", "requires_payment_method")
    with urllib.request.urlopen(f"{url}/_sandbox/ledger", timeout=10) as answer:
        truth = json.load(answer)
    for payment in (paid, declined, cancelled, asked, open_):
        theirs = truth[str(payment.provider_reference)]
        assert world.read(payment).received_minor == theirs["amount_received"]
    second = run(rail)
    assert (second.compared, second.healed, second.equal) == (5, 0, 5)
    assert verification.verify().ok
