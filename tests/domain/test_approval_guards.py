"""What the database itself refuses of approvals, whoever asks: one person twice, edits, deletions."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from core.states import Role
from domain import database
from domain.actors import Actor
from domain.control import approvals
from domain.payments import marking
from domain.payments.marking import Wanted
from models import guards
from models.control import Approval
from tests.domain import cast
from tests.domain.world import World

# What was asked for, with another value for each.
ASKED = {
    "kind": "'refund'",
    "object_kind": "'order'",
    "object_id": "'pay_other'",
    "merchant_id": "'mer_other'",
    "order_id": "'ord_other'",
    "payment_id": "'pay_other'",
    "rail": "'bank'",
    "amount_minor": "1",
    "asset": "'JPY/0'",
    "destination": "'somewhere else'",
    "text": "'other'",
    "details": '\'{"to": "failed"}\'',
    "content_hash": "'0'",
    "reason": "'other'",
    "requested_by": "'usr_other'",
    "requested_kind": "'system'",
    "requested_person": "'other'",
    "requested_fresh": "false",
    "requested_at": "'2020-01-01 00:00:00.000000'",
    "expires_at": "'2099-01-01 00:00:00.000000'",
    "livemode": "true",
    "demo": "true",
}


@pytest.fixture
def waiting(world: World) -> Approval:
    """A request of Fin's that waits."""
    return ask(world, cast.person("fin", Role.FINANCE), "BANK-1")


def ask(world: World, actor: Actor, reference: str) -> Approval:
    payment = world.payment()
    with database.transaction() as session:
        wanted = Wanted("completed", reference)
        return marking.ask(session, payment.id, wanted, actor=actor, source="t", note="because")


def refused(engine: Engine, statement: str, **values: object) -> str:
    with pytest.raises(DBAPIError) as caught, engine.begin() as connection:
        connection.execute(text(statement), values)
    return str(caught.value.orig)


def rows(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(str(row) for row in connection.execute(text("select * from approvals")))


def test_every_column_is_either_the_decision_or_tried_here() -> None:
    columns = {column.name for column in Approval.__table__.columns}
    assert columns - set(guards._DECISION) == {"id", *ASKED}


def test_nothing_that_was_asked_for_can_be_edited(engine: Engine, waiting: Approval) -> None:
    before = rows(engine)
    for column, value in ASKED.items():
        said = refused(engine, f"update approvals set {column} = {value}")
        assert "never changes" in said, column
    assert "never changes" in refused(engine, "update approvals set id = 'apr_other'")
    assert rows(engine) == before


def test_one_person_cannot_be_both(engine: Engine, waiting: Approval) -> None:
    decided = (
        "update approvals set state = 'approved', open_key = null, decided_by = :who,"
        " decided_person = :person"
    )
    own, other = waiting.requested_by, "usr_other"
    person = waiting.requested_person
    for who, human in ((own, "another"), (other, person), (own, person)):
        assert "two_people" in refused(engine, decided, who=who, person=human)
    undecided = "update approvals set state = 'executed', open_key = null"
    assert "two_people" in refused(engine, undecided)


def test_whoever_has_decided_is_never_exchanged(engine: Engine, waiting: Approval) -> None:
    decided = (
        "update approvals set state = 'approved', open_key = null, decided_by = 'usr_flo',"
        " decided_person = 'flo'"
    )
    with engine.begin() as connection:
        connection.execute(text(decided))
    for column in ("decided_by", "decided_person"):
        said = refused(engine, f"update approvals set {column} = 'usr_ada'")
        assert "never changes" in said


@pytest.mark.parametrize("state", ["executed", "refused", "expired", "cancelled"])
def test_what_is_over_stays_over(engine: Engine, waiting: Approval, state: str) -> None:
    over = (
        f"update approvals set state = '{state}', open_key = null, decided_by = 'usr_flo',"
        " decided_person = 'flo'"
    )
    with engine.begin() as connection:
        connection.execute(text(over))
    for statement in ("state = 'pending'", "result = '{}'", "decided_reason = 'other'"):
        assert "never changes" in refused(engine, f"update approvals set {statement}")


def test_nothing_is_deleted(engine: Engine, waiting: Approval) -> None:
    before = rows(engine)
    refused(engine, "delete from approvals")
    if engine.dialect.name == "postgresql":
        refused(engine, "truncate approvals")
        refused(engine, "truncate approvals cascade")
    assert rows(engine) == before


def copy(waiting: Approval, **changed: str) -> str:
    """Write the insert of a row like this one with some columns changed; `verb` is put before it."""
    columns = [column.name for column in Approval.__table__.columns]
    picked = ", ".join(changed.get(name, name) for name in columns)
    return f"into approvals ({', '.join(columns)}) select {picked} from approvals"


def test_no_row_begins_as_decided(engine: Engine, waiting: Approval) -> None:
    before = rows(engine)
    forged = {
        "approved": {"state": "'approved'", "open_key": "null"},
        "executed": {"state": "'executed'", "open_key": "null"},
        "decided while it waits": {"open_key": "'other'"},
    }
    for changes in forged.values():
        who = {"id": "'apr_forged'", "decided_by": "'usr_flo'", "decided_person": "'flo'"}
        said = refused(engine, f"insert {copy(waiting, **(who | changes))}")
        assert "begins as a request" in said
    assert rows(engine) == before


def test_a_second_request_of_the_same_act_is_refused(engine: Engine, waiting: Approval) -> None:
    refused(engine, f"insert {copy(waiting, id=chr(39) + 'apr_second' + chr(39))}")


def test_no_row_is_replaced_even_without_our_pragmas(world: World, engine: Engine) -> None:
    fin = cast.person("fin", Role.FINANCE)
    first, second = ask(world, fin, "BANK-1"), ask(world, fin, "BANK-2")
    before = rows(engine)
    if engine.dialect.name == "postgresql":
        again = f"insert {copy(first, id=repr('apr_new'))} where id = :id on conflict (open_key)"
        refused(engine, f"{again} do update set details = '{{}}'", id=first.id)
    else:
        steals = f"update or replace approvals set open_key = '{first.open_key}'"
        with closing(sqlite3.connect(str(engine.url.database))) as bare:
            for statement in (
                f"insert or replace {copy(first)} where id = '{first.id}'",
                f"insert or replace {copy(first, id=repr('apr_new'))} where id = '{first.id}'",
                f"{steals} where id = '{second.id}'",
                f"update or replace approvals set id = '{first.id}' where id = '{second.id}'",
            ):
                with pytest.raises(sqlite3.IntegrityError):
                    bare.execute(statement)
                bare.rollback()
    assert rows(engine) == before


def test_a_row_written_past_the_guards_is_not_carried_out(
    world: World, engine: Engine, waiting: Approval
) -> None:
    """Whoever owns the database can drop a trigger; then the hash still tells."""
    flo = cast.person("flo", Role.FINANCE)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("drop trigger guard_approvals_update"))
        else:
            connection.execute(text("alter table approvals disable trigger guard_approvals_update"))
        connection.execute(text("update approvals set amount_minor = amount_minor * 100"))
    with database.transaction() as session:
        shown = waiting.content_hash
        decision = approvals.agree(session, waiting.id, actor=flo, content_hash=shown, reason=None)
    assert decision.row.state == "cancelled"
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from journal_entries")) == 0
