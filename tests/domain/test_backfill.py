"""What was missed is applied only as it was shown: offered by runs that look, once, by people with a reason."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select

from core.errors import Conflict, InvalidInput, NotFound
from domain import database
from domain.actors import Actor
from domain.books import verification
from domain.jobs import reconciliation
from domain.reconciliation import backfill, engine, runs
from models.audit import AuditRow
from models.cases import ExceptionCase
from models.ledger import JournalEntry
from models.payments import Payment, StateChange
from models.reconciliation import ReconciliationRun
from models.refunds import Refund
from tests.domain import mirror
from tests.domain.world import World


def missed(world: World, number: int) -> list[Payment]:
    """Make payments of which the provider has the money and no webhook ever told."""
    made = [world.payment() for _ in range(number)]
    for payment in made:
        world.rail.intents[str(payment.provider_reference)] |= {
            "status": "succeeded",
            "amount_received": payment.amount_minor,
        }
    return made


def start(
    run_id: str, actor: Actor, *, expected: int | None = None, reason: str = "webhooks were off"
) -> str:
    with database.transaction() as session:
        run = backfill.start(
            session, run_id, actor=actor, reason=reason, source="test", expected=expected
        )
    return run.id


def states(run_id: str) -> list[str]:
    return [row.state for row in mirror.differences(run_id)]


def count(model: type) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_a_run_that_looks_changes_nothing_and_says_what_it_would_do(world: World) -> None:
    payments = missed(world, 3)
    before = (count(JournalEntry), count(StateChange))
    run = mirror.compare()
    rows = mirror.differences(run.id)
    assert [world.read(payment).status for payment in payments] == ["pending"] * 3
    assert (count(JournalEntry), count(ExceptionCase)) == (before[0], 0)
    assert [row.state for row in rows] == ["offered"] * 3
    assert {row.effect for row in rows} == {
        "payment pending → completed; books 25.00 EUR (deposit)"
    }
    assert {(row.ours, row.theirs, row.books) for row in rows} == {
        ("pending", "paid, 25.00 EUR", None)
    }


def test_all_that_was_offered_is_applied_once_as_it_was_shown(world: World, fin: Actor) -> None:
    payments = missed(world, 4)
    run = mirror.compare()
    made = mirror.finish(start(run.id, fin, expected=4))
    assert (made.status, made.cause, made.done, made.total) == ("finished", "backfill", 4, 4)
    assert states(run.id) == ["applied"] * 4
    assert [world.read(payment).status for payment in payments] == ["completed"] * 4
    assert count(JournalEntry) == 4
    assert verification.verify().ok
    with database.reading() as session:
        own = (AuditRow.action == "payment.settle", AuditRow.source == f"reconcile:{made.id}")
        told = session.scalars(select(AuditRow).where(*own)).all()
    assert [(row.actor, row.role, row.reason) for row in told] == [
        (fin.id, "finance", "webhooks were off")
    ] * 4
    with pytest.raises(Conflict):
        start(run.id, fin)
    again = mirror.compare()
    assert (states(again.id), again.counts["equal"]) == ([], 4)


def test_what_was_heard_meanwhile_is_gone_and_what_changed_is_left_to_people(
    world: World, fin: Actor
) -> None:
    heard, changed, same = missed(world, 3)
    run = mirror.compare()
    world.deliver_and_apply(world.paid(heard))
    world.rail.give_back(str(changed.provider_reference), 500)
    mirror.finish(start(run.id, fin))
    rows = {row.payment_id: row for row in mirror.differences(run.id)}
    assert {key: row.state for key, row in rows.items()} == {
        heard.id: "gone",
        changed.id: "stale",
        same.id: "applied",
    }
    assert str(rows[changed.id].effect).startswith("Not applied: it would now do something else")
    assert (world.read(changed).status, world.read(same).status) == ("pending", "completed")
    # Looked at again it is offered as it is now, the refund with it.
    again = mirror.compare()
    assert [row.payment_id for row in mirror.differences(again.id) if row.state == "offered"] == [
        changed.id
    ]
    mirror.finish(start(again.id, fin))
    assert (world.read(changed).received_minor, world.read(changed).refunded_minor) == (2_500, 500)
    assert count(Refund) == 1
    assert verification.verify().ok


def test_a_press_too_many_begins_one_backfill(world: World, fin: Actor) -> None:
    missed(world, 2)
    run = mirror.compare()
    made: list[str] = []
    barrier = threading.Barrier(3)

    def press() -> None:
        barrier.wait()
        try:
            made.append(start(run.id, fin))
        except Conflict as error:
            made.append(str(error.details["runId"]))

    threads = [threading.Thread(target=press) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 3
    assert len(set(made)) == 1
    mirror.finish(made[0])
    assert (count(JournalEntry), count(ReconciliationRun)) == (2, 2)


def test_a_cancelled_backfill_applies_nothing_more(world: World, fin: Actor) -> None:
    missed(world, 3)
    run = mirror.compare()
    backfill_id = start(run.id, fin)
    with database.transaction() as session:
        runs.cancel(session, backfill_id, actor=fin, reason="wait", source="test", different=3)
    mirror.finish(backfill_id)
    assert (states(run.id), count(JournalEntry)) == (["offered"] * 3, 0)


def test_a_backfill_is_refused_without_a_reason_or_of_what_was_not_shown(
    world: World, fin: Actor
) -> None:
    missed(world, 2)
    run_id = mirror.begin()
    with pytest.raises(Conflict):
        start(run_id, fin)
    mirror.finish(run_id)
    with pytest.raises(InvalidInput):
        start(run_id, fin, reason="")
    with pytest.raises(Conflict) as stale:
        start(run_id, fin, expected=1)
    assert stale.value.code == "PREVIEW_STALE"
    with pytest.raises(NotFound):
        start("rec_nobody", fin)


def test_a_healing_run_applies_at_once_and_lists_each(world: World) -> None:
    payments = missed(world, 3)
    run = mirror.compare(heals=True)
    assert states(run.id) == ["applied"] * 3
    assert [world.read(payment).status for payment in payments] == ["completed"] * 3
    assert (count(ExceptionCase), count(JournalEntry)) == (0, 3)
    assert verification.verify().ok


def test_an_event_that_was_only_on_its_way_is_neither_offered_nor_a_difference(
    world: World,
) -> None:
    on_its_way, in_the_inbox, lost = missed(world, 3)
    run_id = mirror.begin()
    while reconciliation.work_next():
        pass
    # It waits for what may be on its way.
    waiting = mirror.read(run_id)
    assert (waiting.status, waiting.step, waiting.attempts) == ("running", "again", 0)
    assert states(run_id) == ["offered"] * 3
    world.deliver_and_apply(world.paid(on_its_way))
    world.deliver(world.paid(in_the_inbox))
    run = mirror.finish(run_id)
    rows = {row.payment_id: row for row in mirror.differences(run_id)}
    assert (run.status, set(rows)) == ("finished", {in_the_inbox.id, lost.id})
    assert rows[lost.id].state == "offered"
    inbox = rows[in_the_inbox.id]
    assert (inbox.kind, inbox.state, inbox.case_id) == ("recon_not_compared", "open", None)
    assert inbox.theirs == "an event about it waits in our inbox"
    assert count(ExceptionCase) == 0


def test_what_moves_while_it_is_compared_is_left_to_the_next_run(world: World) -> None:
    payment = world.payment()
    run_id = mirror.begin()
    with database.transaction() as session:
        run = runs.claim(session)
    assert run is not None
    engine.advance(run_id, run.fence)
    # It was listed as open; now it is paid, and we know it at once.
    world.deliver_and_apply(world.paid(payment))
    assert engine.work(run_id, run.fence, pages=1)
    mirror.finish(run_id)
    assert mirror.kinds(run_id) == ["not_compared"]
    assert count(ExceptionCase) == 0
    assert mirror.kinds(mirror.compare().id) == []
