"""Answers lost after the effect: nothing is made or taken twice, and each is resolved or owned by a person."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from core.money import asset
from domain import database
from domain.books import ledger
from tests.reliability import losing
from tests.reliability.losing import CAPTURE, CREATE, MINOR
from tests.reliability.stage import Stage

pytestmark = pytest.mark.kill

# Under a stored failure the key is of no use any more, so those are looked up; fewer of them show it.
LOST = {"timeout_after_effect": 100, "5xx_after": 20}
# One at a time writes to a file, so that fewer show what a file has of its own.
SHARE = {"sqlite": 0.4, "postgresql": 1}


@pytest.fixture(autouse=True)
def _without_faults(stage: Stage) -> Iterator[None]:
    stage.provider.control("DELETE", "faults")
    yield
    stage.provider.control("DELETE", "faults")


def creations(stage: Stage, kind: str, times: int) -> None:
    """Lose the answers to creating payment intents."""
    answers = losing.lose(
        stage, CREATE, kind, [lambda: losing.begin(stage)["answer"] for _ in range(times)]
    )
    payment_ids = {answer.json["paymentId"] for answer in answers}
    losing.resolve(stage)
    assert not losing.unresolved(stage, {answer.json["operationId"] for answer in answers})
    made = losing.truth(stage).made
    assert {made[payment_id] for payment_id in payment_ids} == {1}
    waiting = (
        "select id, provider_reference from payments where sub_state = 'requires_payment_method'"
    )
    known = {row[0]: row[1] for row in stage.ask(waiting) if row[0] in payment_ids}
    assert set(known) == payment_ids
    # What we know it by is what there is: ended there, it ends here.
    losing.together([partial(losing.cancel_there, stage, each) for each in known.values()])
    stage.provider.deliver_new()
    stage.conclude()
    ended = stage.ask("select id from payments where status = 'cancelled'")
    assert payment_ids <= {row[0] for row in ended}


def captures(stage: Stage, kind: str, times: int) -> None:
    """Lose the answers to capturing holds, a part of each second one."""
    payment_ids = losing.holds(stage, times)
    wanted = {each: MINOR if no % 2 else MINOR - no for no, each in enumerate(payment_ids, 1)}
    acts = [partial(losing.capture, stage, each, minor=minor) for each, minor in wanted.items()]
    answers = losing.lose(stage, CAPTURE, kind, acts)
    losing.resolve(stage)
    assert not losing.unresolved(stage, {answer.json["operationId"] for answer in answers})
    taken = losing.truth(stage).taken
    assert {each: taken[each] for each in payment_ids} == {
        each: [minor] for each, minor in wanted.items()
    }
    stage.provider.deliver_new()
    stage.conclude()
    received = dict(stage.ask("select id, received_minor from payments where status = 'completed'"))
    assert {each: received.get(each) for each in payment_ids} == wanted


def top_ups(stage: Stage, kind: str, times: int) -> None:
    """Lose the answers to charging a kept card, which is charged at once."""
    owner, card = losing.keep_card(stage)
    before = balance(owner.id)
    wanted = [MINOR + no for no in range(times)]
    acts = [partial(losing.top_up, stage, owner, card, minor=minor) for minor in wanted]
    answers = losing.lose(stage, CREATE, kind, acts)
    transactions = [str(answer.json["transactionId"]) for answer in answers]
    losing.resolve(stage)
    assert not losing.unresolved(stage, {answer.json["operationId"] for answer in answers})
    said = losing.truth(stage)
    assert [said.made[each] for each in transactions] == [1] * times
    assert [said.taken[each] for each in transactions] == [[minor] for minor in wanted]
    stage.provider.deliver_new()
    stage.conclude()
    assert balance(owner.id) - before == sum(wanted)


def balance(user_id: str) -> int:
    """Give what a person's wallet holds, in the books."""
    with database.reading() as session:
        return -ledger.balance(session, f"wallet:{user_id}:balance", str(asset("EUR")))


ACTS = {"create": creations, "capture": captures, "top_up": top_ups}


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("act", ACTS)
def test_lost_answers_make_nothing_twice_and_leave_nothing_open(
    stage: Stage, act: str, kind: str
) -> None:
    ACTS[act](stage, kind, round(LOST[kind] * SHARE[stage.engine.dialect.name]))
