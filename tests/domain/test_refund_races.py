"""Refunds raced of a payment that was captured in part: what was let go of the hold is nobody's to give back."""

from __future__ import annotations

import threading
from collections.abc import Callable

from core.errors import AppError
from domain.actors import Actor
from models.payments import Payment
from tests.domain.holds import capture, held
from tests.domain.refunding import ask, assert_proved, send_all
from tests.domain.world import World

THREADS = 16
HELD, CAPTURED = 2_500, 1_000


def captured_in_part(world: World, fin: Actor) -> Payment:
    payment = held(world, HELD)
    capture(payment, CAPTURED, fin)
    assert world.read(payment).received_minor == CAPTURED
    return world.read(payment)


def at_once(act: Callable[[int], None]) -> None:
    """Run an act on sixteen threads, released together."""
    together = threading.Barrier(THREADS)

    def run(number: int) -> None:
        together.wait()
        act(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def given_back(world: World) -> int:
    """Sum what the provider itself gave back."""
    return sum(int(str(found["amount"])) for found in world.rail.refunds.values())


def test_two_refunds_raced_by_sixteen_never_give_back_more_than_was_captured(
    world: World, fin: Actor, sue: Actor
) -> None:
    payment = captured_in_part(world, fin)
    made: list[int] = []
    refused: list[str] = []

    def act(number: int) -> None:
        # Either fits, and both would fit into what was held, but not into what was captured.
        try:
            made.append(ask(payment, (600, 700)[number % 2], sue).amount_minor)
        except AppError as error:
            refused.append(error.code)

    at_once(act)
    assert (len(made), refused) == (1, ["AMOUNT_EXCEEDED"] * (THREADS - 1))
    # Sixteen send it, and it goes once.
    at_once(lambda _: send_all())
    now = world.read(payment)
    assert now.refunded_minor == given_back(world) == made[0] <= CAPTURED
    assert (now.status, now.refunding_minor) == ("completed", 0)
    assert_proved()


def test_parts_raced_by_sixteen_give_back_exactly_what_was_captured(
    world: World, fin: Actor, sue: Actor
) -> None:
    payment = captured_in_part(world, fin)
    made: list[int] = []
    refused: list[str] = []

    def act(_: int) -> None:
        for _ in range(2):
            try:
                made.append(ask(payment, 100, sue).amount_minor)
            except AppError as error:
                refused.append(error.code)

    at_once(act)
    assert (len(made), set(refused)) == (10, {"AMOUNT_EXCEEDED"})
    at_once(lambda _: send_all())
    now = world.read(payment)
    assert sum(made) == given_back(world) == now.refunded_minor == CAPTURED
    assert (now.status, now.refunding_minor) == ("refunded", 0)
    assert_proved()
