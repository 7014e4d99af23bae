"""The order in which facts arrive, and how often, never changes what they add up to."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from core.fold import Fact, standing
from core.states import MOVES, Payment

AT = datetime(2026, 11, 21, tzinfo=UTC)


def fact(kind: str, second: int, amount: int | None = None, code: str | None = None) -> Fact:
    return Fact(kind, AT + timedelta(seconds=second), amount_minor=amount, code=code)


LIVES = {
    "paid at once": [fact("created", 0), fact("succeeded", 1, 2500)],
    "paid after 3D Secure": [
        fact("created", 0),
        fact("requires_action", 1),
        fact("succeeded", 5, 2500),
    ],
    "declined, then paid": [
        fact("created", 0),
        fact("attempt_failed", 1, code="card_declined"),
        fact("requires_action", 3),
        fact("attempt_failed", 4, code="authentication"),
        fact("succeeded", 9, 2500),
    ],
    "held, then captured": [
        fact("created", 0),
        fact("authorized", 1, 2500),
        fact("succeeded", 60, 2500),
    ],
    "held, then cancelled": [
        fact("created", 0),
        fact("authorized", 1, 2500),
        fact("cancelled", 60, code="requested_by_customer"),
    ],
    "processing, then declined": [
        fact("created", 0),
        fact("processing", 1),
        fact("attempt_failed", 90, code="insufficient_funds"),
    ],
    "expired": [fact("created", 0), fact("requires_action", 1), fact("expired", 9)],
}
EXPECTED = {
    "paid at once": "completed",
    "paid after 3D Secure": "completed",
    "declined, then paid": "completed",
    "held, then captured": "completed",
    "held, then cancelled": "cancelled",
    "processing, then declined": "pending",
    "expired": "failed",
}


@pytest.mark.parametrize("name", LIVES)
def test_every_order_with_every_duplicate_ends_the_same(name: str) -> None:
    life = LIVES[name]
    final = standing(life)
    assert final.status == EXPECTED[name]
    for order in itertools.permutations(life):
        assert standing(order) == final
        for extra in life:
            assert standing([*order, extra]) == final


def test_received_money_is_never_unsaid() -> None:
    late = [fact("succeeded", 1, 2500), fact("processing", 9), fact("cancelled", 10)]
    now = standing(late)
    assert (now.status, now.received_minor) == (Payment.COMPLETED, 2500)


def test_cumulative_amounts_take_the_largest() -> None:
    assert standing([fact("succeeded", 1, 1000), fact("succeeded", 2, 2500)]).received_minor == 2500


def test_nothing_known_is_pending() -> None:
    assert standing([]).status == Payment.PENDING


def test_every_state_can_be_reached() -> None:
    for kind, moves in MOVES.items():
        starts = {"payment_sub": "none", "escrow": "unfunded", "case": "open"}
        # What can be put right at once is offered from its first moment.
        starts |= {"difference": "open offered"}
        seen, todo = set(), starts.get(kind, next(iter(moves))).split()
        while todo:
            state = todo.pop()
            if state not in seen:
                seen.add(state)
                todo += moves[state]
        assert seen == set(moves), kind


ONE_TRY = {
    "paid": ([fact("succeeded", 1, 2500)], "completed", None),
    "declined": ([fact("attempt_failed", 1, code="expired_card")], "failed", "expired_card"),
    "declined, then cancelled by us": (
        [
            fact("requires_action", 0),
            fact("attempt_failed", 1, code="expired_card"),
            fact("cancelled", 9, code="abandoned"),
        ],
        "failed",
        "expired_card",
    ),
    "told by us and by the provider": (
        [
            fact("failed", 2, code="expired_card"),
            fact("attempt_failed", 1, code="expired_card"),
            fact("cancelled", 9),
        ],
        "failed",
        "expired_card",
    ),
    "cancelled before anything": ([fact("created", 0), fact("cancelled", 3)], "cancelled", None),
    "declined, then paid after all": (
        [fact("attempt_failed", 1, code="expired_card"), fact("succeeded", 3, 2500)],
        "completed",
        None,
    ),
}


@pytest.mark.parametrize("name", ONE_TRY)
def test_one_try_ends_with_its_refusal_whatever_is_told_first(name: str) -> None:
    life, status, code = ONE_TRY[name]
    for order in itertools.permutations(life):
        for extra in ([], [life[0]]):
            now = standing([*order, *extra], is_one_shot=True)
            assert (now.status, now.code) == (status, code)


def test_what_ran_out_of_time_is_expired_although_it_was_cancelled_for_that() -> None:
    life = [fact("requires_action", 1), fact("expired", 9), fact("cancelled", 10)]
    for order in itertools.permutations(life):
        assert standing(order).failure_reason == "expired"
