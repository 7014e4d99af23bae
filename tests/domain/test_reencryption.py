"""Sealing everything anew: every value opens all the time, counts are true, a killed worker's successor goes on."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import LargeBinary

from core import vault
from core.errors import Conflict
from core.states import Role
from domain.actors import system
from domain.cases import attachments
from domain.database import reading, transaction
from domain.jobs import secrets as duties
from domain.people import people
from domain.secrets import (
    index_keys,
    keyring,
    master_keys,
    reencryption,
)
from domain.secrets.sealed_columns import COLUMNS
from domain.transitions import Why
from models import Base
from models.people import User
from models.secrets import Reencryption
from tests.domain.resealing import ACTOR, Keys, claim, fill
from tests.domain.world import World

WHY = Why(system("test"), "test", "a new master key")
# Binary columns that hold nothing secret.
OPEN = {"passkeys.public_key": "a public key"}


@pytest.fixture
def keys(world: World, environ: dict[str, str]) -> Iterator[Keys]:
    made = Keys(world, environ)
    made.use("k1")
    with transaction() as session:
        # The world's people are sealed with another key, and for another place.
        for user in session.query(User):
            sealed = keyring.seal_text(
                f"{user.id}@example.com", purpose="email", place=f"users|email|{user.id}"
            )
            user.email_sealed, user.email_index = (
                sealed,
                people.email_index(f"{user.id}@example.com"),
            )
            user.person_index = people.person_index(f"{user.id}@example.com")
    duties.look_after()
    yield made
    keyring.configure(world.settings)


def counts() -> dict[str, int]:
    with reading() as session:
        return dict(reencryption.standing(session).counts)


def loose() -> int:
    with reading() as session:
        return reencryption.loose(session)


def begin() -> None:
    with reading() as session:
        found = reencryption.standing(session)
    with transaction() as session:
        reencryption.start(session, found, why=WHY)


def finish() -> Reencryption:
    """Do what the worker does until the pass is over."""
    while duties.seal_anew():
        pass
    with reading() as session:
        row = reencryption.last(session)
    assert row is not None and row.state == "done"
    return row


def test_every_sealed_column_is_known() -> None:
    binary = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert binary == {each.label for each in COLUMNS} | set(OPEN)


def test_every_value_is_sealed_anew_and_opens_without_the_old_key(keys: Keys) -> None:
    filled = fill(keys.world)
    keys.use("k2", "k1")
    before = counts()
    assert before["k1"] > 15 and before["k2"] == 0 and loose() > 0
    begin()
    row = finish()
    assert (row.done, row.total, row.last_error) == (before["k1"], before["k1"], None)
    # What was said of people before they had keys has moved under theirs.
    assert counts()["k1"] == 0 and loose() == 0
    filled.assert_all_open()
    with reading() as session:
        judged = {each.kid: each for each in master_keys.look(session).keys}
    assert judged["k1"].may_go and not judged["k2"].may_go
    keys.use("k2")
    filled.assert_all_open()


def test_no_more_large_files_lie_in_memory_together_than_their_column_allows(keys: Keys) -> None:
    payment = keys.world.payment()
    with transaction() as session:
        for number in range(9):
            given = attachments.check("a.txt", f"file {number}".encode())
            attachments.put(
                session, "payment", payment.id, given, actor=keys.world.fin, source="test"
            )
    keys.use("k2", "k1")
    begin()
    sizes = []
    while True:
        with reading() as session:
            planned = reencryption.plan(session)
        if planned is None:
            break
        if planned.column is not None and planned.column.label == "attachments.sealed":
            sizes.append(len(planned.values))
        with transaction() as session:
            reencryption.write(session, planned)
    assert sizes == [4, 4, 1]
    assert counts()["k1"] == 0


def test_without_a_pass_the_old_key_may_not_go(keys: Keys) -> None:
    fill(keys.world)
    keys.use("k2", "k1")
    with reading() as session:
        judged = {each.kid: each for each in master_keys.look(session).keys}
    assert not judged["k1"].may_go and judged["k1"].rows > 0
    keys.use("k2")
    with reading() as session:
        assert master_keys.look(session).stray == judged["k1"].rows


def test_rows_are_read_and_written_all_the_time(keys: Keys) -> None:
    world, filled = keys.world, fill(keys.world)
    keys.use("k2", "k1")
    stop, numbers = threading.Event(), itertools.count()

    def live_on() -> None:
        while not stop.is_set():
            number = next(numbers)
            filled.assert_all_open()
            with transaction() as session:
                claim(session, f"more-{number:08d}")
                wanted = people.NewUser(f"more{number}@people.test", Role.BUYER)
                people.create_user(session, wanted, actor=ACTOR, source="test")
            payment = world.begin(world.order())[1]
            world.deliver(world.paid(payment))

    with ThreadPoolExecutor(4) as pool:
        living = [pool.submit(live_on) for _ in range(4)]
        try:
            begin()
            while next(numbers) < 60 and not any(each.done() for each in living):
                finish_or_wait()
        finally:
            stop.set()
        for each in living:
            each.result()
    row = finish()
    assert row.last_error is None
    assert counts()["k1"] == 0
    keys.use("k2")
    filled.assert_all_open()


def finish_or_wait() -> None:
    if not duties.seal_anew():
        threading.Event().wait(0.01)


def test_what_no_key_opens_is_counted_and_stops_nothing(keys: Keys) -> None:
    filled = fill(keys.world)
    with transaction() as session:
        user = session.get_one(User, filled.users[0])
        user.email_sealed = vault.head("k1") + b"nobody sealed this, whatever it says"
    keys.use("k2", "k1")
    begin()
    row = finish()
    assert row.last_error == "1 values cannot be opened with any master key that is held."
    assert counts()["k1"] == 1
    with reading() as session:
        assert not {each.kid: each for each in master_keys.look(session).keys}["k1"].may_go


def test_what_a_stale_process_seals_behind_the_pass_is_found_before_it_ends(keys: Keys) -> None:
    fill(keys.world)
    keys.use("k2", "k1")
    begin()
    for _ in range(len(COLUMNS)):
        assert duties.seal_anew()
    keys.use("k1", "k2")
    with transaction() as session:
        claim(session, "behind-the-back")
    keys.use("k2", "k1")
    row = finish()
    assert row.last_error is None and row.done == row.total
    assert counts()["k1"] == 0


def test_one_pass_runs_at_a_time_and_only_where_its_key_seals(keys: Keys) -> None:
    fill(keys.world, 1)
    keys.use("k2", "k1")
    begin()
    with pytest.raises(Conflict):
        begin()
    keys.use("k1", "k2")
    assert not duties.seal_anew()
    keys.use("k2", "k1")
    assert duties.seal_anew()
    finish()
    begin()


def test_a_pass_for_a_key_that_seals_no_more_gives_way(keys: Keys) -> None:
    fill(keys.world, 1)
    keys.use("k2", "k1")
    begin()
    keys.use("k1", "k2")
    begin()
    row = finish()
    assert (row.master_kid, row.last_error) == ("k1", None)
    with reading() as session:
        ended = session.query(Reencryption).filter_by(master_kid="k2").one()
    assert ended.state == "done" and ended.last_error is not None


def test_a_pass_goes_on_where_it_stood(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    filled = fill(keys.world, 4)
    keys.use("k2", "k1")
    monkeypatch.setattr(reencryption, "BATCH", 2)
    total = counts()["k1"]
    begin()
    seen = []
    while duties.seal_anew():
        with reading() as session:
            row = reencryption.last(session)
            assert row is not None
            seen.append(row.done)
            assert row.done == total - counts()["k1"]
    assert seen == sorted(seen) and seen[-1] == total
    filled.assert_all_open()


def test_indexes_find_their_rows_after_the_key_they_came_from_is_gone(keys: Keys) -> None:
    fill(keys.world)
    before = people.email_index("p1@people.test")
    keys.use("k3", "k2", "k1")
    begin()
    finish()
    keys.use("k3")
    assert people.email_index("P1@people.test ") == before
    # A purpose that was not thought of when they were kept has a key too, the same everywhere.
    later = keyring.vault().blind_index("x", purpose="a later purpose")
    keys.use("k4", "k3")
    assert keyring.vault().blind_index("x", purpose="a later purpose") == later


def test_index_keys_that_disagree_with_the_indexes_are_not_kept(
    world: World, environ: dict[str, str]
) -> None:
    made = Keys(world, environ)
    made.use("k1")
    with transaction() as session:
        session.query(User).delete()
        wanted = people.NewUser("ann@people.test", Role.AUDITOR)
        people.create_user(session, wanted, actor=ACTOR, source="test")
    made.use("k9")
    with transaction() as session:
        assert not index_keys.store(session)
        assert keyring.find_indexes(session) is None
    made.use("k9", "k1")
    with transaction() as session:
        assert index_keys.store(session)
    keyring.configure(world.settings)


def test_two_workers_seal_each_value_once(keys: Keys) -> None:
    fill(keys.world, 6)
    keys.use("k2", "k1")
    total = counts()["k1"]
    begin()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: list(iter(duties.seal_anew, False)), range(2)))
    assert finish().done == total
