"""The sandbox's sample statement is a real one: it can be imported at once, and what it says is there."""

from __future__ import annotations

from domain import database
from domain.actors import Actor
from domain.bank import certain, sample
from domain.bank.matching import Act
from tests.domain.banking import bring, lines
from tests.domain.test_bank_matching import payout, referenced
from tests.domain.test_payouts import settled
from tests.domain.world import World


def test_the_sample_is_imported_and_explains_itself(world: World, fin: Actor) -> None:
    settled(world)
    payment = referenced(world, "PD0123456789ABCD")
    with database.reading() as session:
        body = sample.write(session)
    bring(fin, body, account=sample.ACCOUNT)
    states = {row.reference[:6]: row.state for row in lines()}
    assert (states["Accoun"], states["Thanks"], states["PAYOUT"]) == (
        "unmatched",
        "unmatched",
        "suggested",
    )
    with database.reading() as session:
        found = {each.suggestion.id: each for each in certain.list_certain(session)}
    assert {payment.id, payout().id} <= set(found)
    for each in found.values():
        with database.transaction() as session:
            certain.confirm(session, each, Act(fin, "test", "all of them"))
    assert payout().bank_account == sample.ACCOUNT


def test_an_empty_sandbox_has_a_sample_too(world: World, fin: Actor) -> None:
    with database.reading() as session:
        body = sample.write(session)
    assert bring(fin, body, account=sample.ACCOUNT).lines == 2
