"""Secrets rotate: two versions live together for the overlap, one always signs, a revoked one never returns."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from core import clock
from core.errors import Conflict, InvalidInput, NotFound
from domain.actors import system
from domain.database import reading, transaction
from domain.jobs import secrets as duties
from domain.secrets import (
    credential_uses,
    keyring,
    rotation,
    secret_kinds,
    secret_queries,
    secrets,
)
from domain.secrets.rotation import Retirement, Rotation
from domain.secrets.secret_queries import SecretSeen
from domain.transitions import Why
from models.audit import AuditRow
from models.events import EventLog
from models.secrets import SecretVersion
from tests.domain.world import World

WHY = Why(system("test"), "test", "quarterly")
STRONG = "whsec_" + "Zq3x7Lw9Rt2y5Uv8Kp4n6Mb1Hd0"


def seen(world: World, kind: str = "webhook") -> SecretSeen:
    del world
    secrets.adopt_all()
    with reading() as session:
        return secret_queries.list_secrets(session, kinds=[kind])[0]


def rotate(found: SecretSeen, **more: object) -> rotation.Rotated:
    with transaction() as session:
        made = rotation.rotate(session, found.row.id, Rotation(**more), why=WHY)  # type: ignore[arg-type]
    secrets.forget_cached()
    return made


def states(found: SecretSeen) -> list[tuple[int, str]]:
    with reading() as session:
        again = secret_queries.get_secret(session, found.row.id)
    return [(each.row.version, each.state) for each in again.versions]


def test_old_and_new_verify_together_and_the_newest_signs(world: World) -> None:
    found = seen(world)
    made = rotate(found, value=STRONG)
    live = secrets.live("stripe")
    assert [each.value for each in live] == [STRONG, "whsec_world"]
    assert made.value is None, "who entered it knows it"
    assert states(found) == [(2, "active"), (1, "retiring")]


def test_a_generated_value_is_told_once_and_is_never_stored_in_the_open(world: World) -> None:
    found = seen(world)
    made = rotate(found)
    assert made.value is not None and made.value.startswith("whsec_")
    with reading() as session:
        row = session.get_one(SecretVersion, made.version.id)
        assert made.value.encode() not in row.value_sealed
        told = [str(event.body) for event in session.query(EventLog)]
        audited = [f"{each.after}{each.reason}" for each in session.query(AuditRow)]
    assert made.value not in "".join(told + audited)


def test_a_version_that_we_sign_with_waits_until_every_process_knows_it(world: World) -> None:
    found = seen(world, "session")
    old = secrets.live("paydesk", "session")[0]
    made = rotate(found)
    assert secrets.live("paydesk", "session")[0] == old
    with time_machine.travel(clock.now() + timedelta(seconds=secrets.SETTLE_SECONDS + 1)):
        assert secrets.live("paydesk", "session")[0].value == made.value


def test_without_an_overlap_the_old_version_is_refused_at_once(world: World) -> None:
    found = seen(world, "session")
    made = rotate(found, overlap_hours=0)
    assert [each.value for each in secrets.live("paydesk", "session")] == [made.value]


def test_after_the_overlap_the_old_version_verifies_nothing_though_nobody_has_retired_it(
    world: World,
) -> None:
    found = seen(world)
    rotate(found, value=STRONG, overlap_hours=1)
    with time_machine.travel(clock.now() + timedelta(hours=1, seconds=1)):
        assert [each.value for each in secrets.live("stripe")] == [STRONG]
        assert states(found) == [(2, "active"), (1, "retired")]
        assert duties.look_after()
        assert not duties.look_after()
        with reading() as session:
            told = session.query(EventLog).filter_by(type="secret.retired").all()
        assert [event.body["version"] for event in told] == [1]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("webhook", "whsec_short"),
        ("webhook", "x" * 40),
        ("webhook", "whsec_" + "a" * 40),
        ("provider_key", "sk_live_" + "Zq3x7Lw9Rt2y5Uv8Kp4n6Mb1Hd0"),
        ("provider_key", STRONG),
        ("jwt", "c2hvcnQ="),
        ("session", "correct horse battery staple correct horse"),
        ("session", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("session", "Zq3x7Lw9Rt2y5Uv8Kp4n6Mb1Hd0\u00e9" * 2),
    ],
)
def test_a_weak_value_is_refused(world: World, kind: str, value: str) -> None:
    found = seen(world, kind)
    with pytest.raises(InvalidInput) as refused:
        rotate(found, value=value)
    assert refused.value.code == "SECRET_WEAK"
    assert value not in refused.value.message
    assert len(states(found)) == 1


def test_a_provider_s_key_is_only_ever_entered(world: World) -> None:
    with pytest.raises(InvalidInput):
        rotate(seen(world, "provider_key"))


def test_a_second_press_of_the_button_makes_no_second_version(world: World) -> None:
    found = seen(world)
    rotate(found, after=1)
    with pytest.raises(Conflict):
        rotate(found, after=1)
    assert len(states(found)) == 2


def test_the_last_live_version_is_neither_revoked_nor_retired(world: World) -> None:
    found = seen(world)
    for act in (_revoke, _retire):
        with pytest.raises(Conflict) as refused:
            act(found, 1)
        assert refused.value.code == "LAST_LIVE_VERSION"
    rotate(found, value=STRONG, overlap_hours=1)
    _revoke(found, 1)
    with pytest.raises(Conflict):
        _revoke(found, 2)


def _revoke(found: SecretSeen, number: int) -> None:
    with transaction() as session:
        rotation.revoke(session, found.row.id, number, why=WHY)
    secrets.forget_cached()


def _retire(found: SecretSeen, number: int, **more: object) -> None:
    with transaction() as session:
        wanted = Retirement(**more)  # type: ignore[arg-type]
        rotation.retire(session, found.row.id, number, wanted, why=WHY)
    secrets.forget_cached()


def _restore(found: SecretSeen, number: int) -> None:
    with transaction() as session:
        rotation.restore(session, found.row.id, number, why=WHY)
    secrets.forget_cached()


def test_when_the_active_version_leaks_the_one_before_takes_its_place(world: World) -> None:
    found = seen(world)
    rotate(found, value=STRONG)
    _revoke(found, 2)
    assert states(found) == [(2, "revoked"), (1, "active")]
    assert [each.value for each in secrets.live("stripe")] == ["whsec_world"]


def test_a_revoked_value_never_comes_back(world: World) -> None:
    found = seen(world)
    rotate(found, value=STRONG)
    for number, value in ((2, STRONG), (1, "whsec_world")):
        if number == 1:
            rotate(found)
        _revoke(found, number)
        with pytest.raises(Conflict):
            _restore(found, number)
        # Not through the environment either.
        world.rail.given_secrets = world.rail.given_secrets | {"webhook": [value]}
        secrets.configure(world.settings)
        assert value not in [each.value for each in secrets.live("stripe")]
    with pytest.raises(Conflict, match="revoked"):
        rotate(found, value=STRONG)


def test_a_revoked_signing_key_never_comes_back_under_another_name(world: World) -> None:
    found = seen(world, "jwt")
    _, _, key = secrets.live("paydesk", "jwt")[0].value.rpartition(":")
    rotate(found)
    _revoke(found, 1)
    # The last letter of base64 has bits that mean nothing.
    spelled = f"{key[:-2]}{chr(ord(key[-2]) + 1)}="
    assert secret_kinds.identity("jwt", spelled) == key
    for value in (key, f"other:{key}", f"other:{spelled}"):
        with pytest.raises(Conflict, match="revoked"):
            rotate(found, value=value)
        with transaction() as session:
            assert secrets.adopt(session, secrets.Name("paydesk", "jwt"), [value]) == []
    assert states(found) == [(2, "active"), (1, "revoked")]


def test_a_rotation_is_taken_back_by_restoring_the_old_version(world: World) -> None:
    found = seen(world)
    rotate(found, value=STRONG)
    _restore(found, 1)
    assert states(found) == [(2, "retiring"), (1, "active")]
    assert [each.value for each in secrets.live("stripe")] == ["whsec_world", STRONG]


def test_a_retired_version_can_be_restored(world: World) -> None:
    found = seen(world)
    rotate(found, value=STRONG)
    _retire(found, 1, force=True)
    assert len(secrets.live("stripe")) == 1
    _restore(found, 1)
    assert [each.value for each in secrets.live("stripe")] == ["whsec_world", STRONG]


def test_an_unused_version_is_safe_to_retire_and_a_used_one_says_how_long_to_wait(
    world: World,
) -> None:
    found = seen(world)
    old = secrets.live("stripe")[0]
    credential_uses.count(old.version_id)
    credential_uses.flush()
    made = rotate(found, value=STRONG, overlap_hours=200)
    with pytest.raises(Conflict) as refused:
        _retire(found, 1)
    assert refused.value.code == "NOT_SAFE_TO_RETIRE"
    assert "v2 has verified nothing yet" in refused.value.message
    with time_machine.travel(clock.now() + timedelta(hours=26)):
        credential_uses.count(made.version.id)
        credential_uses.flush()
        with pytest.raises(Conflict, match=r"was 26 h ago; .* up to 72 h: wait 46 h more"):
            _retire(found, 1)
    with time_machine.travel(clock.now() + timedelta(hours=73)):
        _retire(found, 1)
        assert states(found) == [(2, "active"), (1, "retired")]


def test_a_retirement_can_be_set_for_later(world: World) -> None:
    found = seen(world)
    rotate(found, value=STRONG)
    _retire(found, 1, at=clock.after(3600))
    assert len(secrets.live("stripe")) == 2
    with time_machine.travel(clock.now() + timedelta(hours=2)):
        secrets.forget_cached()
        assert [each.value for each in secrets.live("stripe")] == [STRONG]


def test_a_new_value_of_the_environment_takes_over_and_the_old_one_steps_back(
    world: World,
) -> None:
    found = seen(world)
    before = world.rail.given_secrets
    world.rail.given_secrets = before | {"webhook": ["whsec_of_the_environment"]}
    for _ in range(2):
        secrets.configure(world.settings)
        values = [each.value for each in secrets.live("stripe")]
        assert values == ["whsec_of_the_environment", "whsec_world"]
    # The value of an hour ago is known: it changes nothing.
    world.rail.given_secrets = before
    secrets.configure(world.settings)
    assert secrets.live("stripe")[0].value == "whsec_of_the_environment"
    assert states(found) == [(2, "active"), (1, "retiring")]


def test_an_old_secret_is_complained_of_once(world: World) -> None:
    found = seen(world)
    with time_machine.travel(clock.now() + timedelta(days=181)):
        for _ in range(3):
            duties.look_after()
        with reading() as session:
            told = session.query(EventLog).filter_by(type="secret.overdue").all()
            again = secret_queries.get_secret(session, found.row.id)
    assert [event.object_id for event in told].count(found.row.id) == 1
    assert again.is_overdue


def test_the_keys_of_the_indexes_are_no_secret_that_people_look_after(world: World) -> None:
    del world
    duties.look_after()
    with reading() as session:
        row = keyring.find_indexes(session)
        assert row is not None
        listed = secret_queries.list_secrets(session)
        assert row.secret_id not in [each.row.id for each in listed]
        with pytest.raises(NotFound):
            secret_queries.get_secret(session, row.secret_id)


def test_uses_are_counted_by_the_hour_and_drawn_bar_by_bar(world: World) -> None:
    found = seen(world)
    version = secrets.live("stripe")[0]
    for _ in range(3):
        credential_uses.count(version.version_id)
    credential_uses.flush()
    credential_uses.count(version.version_id)
    credential_uses.flush()
    with reading() as session:
        again = secret_queries.get_secret(session, found.row.id)
        day, week = (secret_queries.chart(session, again, name) for name in ("24h", "7d"))
    assert [(hit.version, hit.count) for hit in day] == [(1, 4)]
    assert [(hit.version, hit.count) for hit in week] == [(1, 4)]
    assert len(secret_queries.bars_of("24h")) == 24 and len(secret_queries.bars_of("7d")) == 28
    assert day[0].at in secret_queries.bars_of("24h")
    assert again.versions[0].hits_24h == 4
