"""Books worth forging, for tests that tamper with them: some of everything, numbered, linked and signed twice."""

from __future__ import annotations

import time_machine

from core import clock
from domain import sequencer
from domain.books import chains, verification
from domain.jobs import signing
from tests.domain.world import World


def fill(world: World) -> None:
    """Put in payments that were paid, paid late, cancelled, and are open."""
    world.deliver_and_apply(world.paid(world.payment()))
    chains.link_all()
    signing.sign_due()
    for _ in range(2):
        world.deliver_and_apply(world.paid(world.payment()))
    late = world.payment()
    world.deliver_and_apply(world.event("payment_intent.canceled", late, status="canceled"))
    world.deliver_and_apply(world.paid(late))
    world.deliver_and_apply(world.paid(world.payment(), 2400))
    world.payment()
    while sequencer.number_events(ring=False):
        pass
    chains.link_all()
    with time_machine.travel(clock.after(301)):
        signing.sign_due()
    assert verification.verify().ok
