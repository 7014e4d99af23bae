"""Retention: what has had its time goes, a batch at a time, counted once; what is held, waited for or newer stays."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from core import clock
from core.errors import NotFound
from core.person_seal import KeyDestroyed
from domain import calendar, database
from domain.actors import Actor
from domain.books import chains, verification
from domain.inbox import inbox
from domain.invoices import content
from domain.jobs import housekeeping
from domain.people import legal_holds, retention, retention_runs
from domain.secrets import person_keys
from models.audit import AuditRow
from models.inbound import InboundEvent
from models.invoices import Invoice
from models.payments import Payment
from models.people import DeskSession
from models.personal import PersonKey, RetentionRun
from models.proofs import Mail
from tests.domain import erasing
from tests.domain.erasing import Berta
from tests.domain.world import World

LONG_AGO = timedelta(days=400)


@pytest.fixture
def her(world: World) -> Berta:
    return erasing.berta(world)


@pytest.fixture
def ada(world: World) -> Actor:
    del world
    return erasing.admin("ada")


def age() -> None:
    """Make everything old."""
    then = clock.now() - LONG_AGO
    with database.transaction() as session:
        for column in (
            InboundEvent.received_at,
            Payment.created_at,
            Mail.created_at,
            DeskSession.created_at,
        ):
            session.execute(update(column.class_).values({column.key: then}))
        session.execute(update(Mail).values(state="sent"))


def age_books(year: int) -> None:
    with database.transaction() as session:
        session.execute(update(PersonKey).where(PersonKey.year > 0).values(year=year))


def sweep() -> dict[str, int]:
    """Do what the worker does until the day is done. Gives what each rule dropped."""
    while housekeeping.tidy():
        pass
    with database.reading() as session:
        return {row.rule: row.dropped for row in session.scalars(select(RetentionRun))}


def test_what_has_had_its_time_goes_and_its_traces_stay(her: Berta) -> None:
    assert {name: count for name, count in sweep().items() if count} == {}
    with database.transaction() as session:
        session.query(RetentionRun).delete()
    age()
    dropped = sweep()
    assert dropped["inbound_bodies"] == 1 and dropped["mails"] == 1 and dropped["sessions"] == 1
    assert dropped["client_secrets"] == 1
    with database.reading() as session:
        event = session.scalars(select(InboundEvent)).one()
        assert event.body_sealed is None and event.body_sha256 and event.delivery_key
        with pytest.raises(NotFound):
            inbox.stored_body(event)
        assert content.of_invoice(session, her.invoice_id).buyer is not None
        runs = select(AuditRow.after).where(AuditRow.action == "retention.run")
        noted = {str(after["dropped"]) for after in session.scalars(runs)}
    assert "1" in noted
    chains.link_all()
    assert all(each.ok for each in verification.verify().checks)


def test_what_still_waits_to_be_applied_keeps_its_body(her: Berta) -> None:
    del her
    age()
    with database.transaction() as session:
        session.execute(update(InboundEvent).values(state="unmatched"))
    assert sweep()["inbound_bodies"] == 0


@pytest.mark.parametrize("kind", ["user", "payment"])
def test_nothing_that_is_held_goes(her: Berta, ada: Actor, kind: str) -> None:
    age()
    age_books(clock.now().year - 20)
    object_id = her.user_id if kind == "user" else her.payment_id
    with database.transaction() as session:
        hold = legal_holds.place(
            session, kind, object_id, actor=ada, source="test", reason="a court asked"
        )
    with database.reading() as session:
        on_hold = {each.rule.name: each.on_hold for each in retention.standing(session)}
    assert on_hold["inbound_bodies"] == on_hold["books_keys"] == 1
    dropped = sweep()
    kept = {"inbound_bodies", "client_secrets", "books_keys"}
    assert {dropped[name] for name in kept} == {0}
    with database.transaction() as session:
        legal_holds.lift(session, hold.id, actor=ada, source="test", reason="it is over")
        session.query(RetentionRun).delete()
    dropped = sweep()
    assert {dropped[name] for name in kept} == {1}


def test_the_keys_of_a_year_go_when_its_years_have_passed(her: Berta) -> None:
    this_year = clock.now().year
    age_books(this_year - 10)
    assert sweep()["books_keys"] == 0
    age_books(this_year - 11)
    with database.transaction() as session:
        session.query(RetentionRun).delete()
    assert sweep()["books_keys"] == 1
    with database.reading() as session:
        invoice = session.get_one(Invoice, her.invoice_id)
        assert invoice.sealed is not None
        with pytest.raises(KeyDestroyed):
            person_keys.open_sealed(
                session, invoice.sealed, purpose="person", place=f"invoices|sealed|{invoice.id}"
            )
        assert content.of_invoice(session, her.invoice_id).buyer is None
        gone = session.scalars(select(PersonKey).where(PersonKey.key_sealed.is_(None))).one()
        assert gone.destroyed_by == "system:retention" and "kept until" in str(gone.why)
    # What we know of them ourselves has another key.
    assert erasing.keys_of(her.user_id)["account", 0]


def test_a_run_goes_on_where_it_stood_and_is_done_once_a_day(world: World) -> None:
    for _ in range(5):
        payment = world.begin(world.order(deposit=None))[1]
        world.deliver_and_apply(world.paid(payment))
    age()
    rule = next(each for each in retention.RULES if each.name == "inbound_bodies")
    found = []
    for _ in range(3):
        with database.transaction() as session:
            found.append(retention_runs.drop_some(session, rule, limit=2))
    assert found == [2, 2, 1]
    with database.reading() as session:
        run = session.get_one(RetentionRun, ("inbound_bodies", calendar.today()))
        assert run.dropped == 5 and run.finished_at is not None
        following = retention_runs.next_rule(session)
        assert following is not None and following.name != "inbound_bodies"


def test_workers_at_once_drop_and_count_each_row_once(world: World) -> None:
    for _ in range(6):
        payment = world.begin(world.order(deposit=None))[1]
        world.deliver_and_apply(world.paid(payment))
    age()
    rule = next(each for each in retention.RULES if each.name == "inbound_bodies")
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        for _ in range(3):
            with database.transaction() as session:
                retention_runs.drop_some(session, rule, limit=2)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    with database.reading() as session:
        run = session.get_one(RetentionRun, ("inbound_bodies", calendar.today()))
        assert run.dropped == 6
        left = select(InboundEvent.id).where(InboundEvent.body_sealed.is_not(None))
        assert session.scalars(left).all() == []
