"""Signed checkpoints outside the database: a chain that was rewritten, even hashed anew, contradicts them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import time_machine
from sqlalchemy import Engine, select, text

import config
from core import clock, hashing, ids, signing, vault
from domain import audit, database
from domain.actors import system
from domain.books import chains, verification
from domain.jobs import signing as duty
from domain.watch import checkpoint_files, checkpoints, invariants
from domain.watch.checkpoint_files import Statement
from domain.watch.rules import RULES
from models.audit import AuditRow, ChainLink
from models.watch import Checkpoint
from tests.domain.tampering import unguarded
from tests.domain.world import World
from tests.rig import environment


def write(count: int) -> None:
    """Add rows to the audit log, linked."""
    with database.transaction() as session:
        for number in range(count):
            audit.write(
                session,
                "test.act",
                actor=system("test"),
                object_kind="thing",
                object_id=f"thing_{number}",
                source="test",
            )
    chains.link_all()


def later() -> None:
    """Sign again, five minutes after the last time."""
    with time_machine.travel(clock.after(301)):
        duty.sign_due()


def rows(chain: str = "audit") -> list[Checkpoint]:
    with database.reading() as session:
        own = select(Checkpoint).where(Checkpoint.chain == chain).order_by(Checkpoint.seq)
        return list(session.scalars(own))


def files() -> list[Path]:
    return sorted(checkpoints.keeper().folder.glob("*.jsonl"))


def problem() -> str | None:
    report = verification.verify()
    [check] = [check for check in report.checks if check.name == "checkpoints"]
    return check.first_bad


def rehash(engine: Engine, first: int) -> None:
    """Change one audit row, and link it and all after it anew, as the owner of the database can."""
    with unguarded(engine) as connection:
        own = "select * from chain_links where chain = 'audit' order by seq"
        links = list(connection.execute(text(own)).mappings())
        previous = links[first - 2]["hash"] if first > 1 else hashing.GENESIS
        row_id = links[first - 1]["row_id"]
        columns = AuditRow.__table__.c
        row = dict(
            connection.execute(select(*columns).where(columns.id == row_id)).mappings().one()
        )
        forged = row | {"reason": "as agreed"}
        content = audit.content_hash(forged)
        said = "update audit_log set reason = 'as agreed', content_hash = :content where id = :id"
        connection.execute(text(said), {"content": content, "id": row_id})
        for link in links[first - 1 :]:
            own_content = content if link["row_id"] == row_id else link["content_hash"]
            following = hashing.chained(previous, own_content)
            again = (
                "update chain_links set content_hash = :content, previous_hash = :previous,"
                " hash = :hash where chain = 'audit' and seq = :seq"
            )
            values = {"content": own_content, "previous": previous, "hash": following}
            connection.execute(text(again), values | {"seq": link["seq"]})
            previous = following


def test_a_chain_is_signed_at_first_after_five_minutes_and_after_a_thousand_rows(
    world: World,
) -> None:
    del world
    write(3)
    assert duty.sign_due() == 1
    assert duty.sign_due() == 0
    later()
    assert [row.seq for row in rows()] == [3]
    write(2)
    assert duty.sign_due() == 0
    later()
    assert [row.seq for row in rows()] == [3, 5]
    write(1000)
    duty.sign_due()
    assert [row.seq for row in rows()] == [3, 5, 1005]
    assert problem() is None


def test_what_is_signed_is_in_the_file_and_anybody_can_check_it_with_openssl(
    world: World, tmp_path: Path
) -> None:
    world.deliver_and_apply(world.paid(world.payment()))
    chains.link_all()
    assert duty.sign_due() == 2
    [path] = files()
    said = [line.statement for line in checkpoints.keeper().lines()]
    assert {each.chain for each in said if each} == {"audit", "journal"}
    first = said[0]
    assert first is not None
    key = path.parent / "keys" / f"{first.key_id}.pem"
    (tmp_path / "statement").write_bytes(first.text.encode())
    import base64

    (tmp_path / "signature").write_bytes(base64.b64decode(first.signature))
    command = f"openssl pkeyutl -verify -pubin -inkey {key} -rawin -in statement -sigfile signature"
    done = subprocess.run(
        command.split(), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "Signature Verified Successfully", done.stderr
    (tmp_path / "statement").write_bytes(first.text.replace('"seq":', '"seq":1').encode())
    done = subprocess.run(
        command.split(), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0


@pytest.mark.parametrize("first", [1, 4, 6])
def test_a_chain_that_was_rewritten_and_hashed_anew_is_found_by_its_checkpoint(
    world: World, engine: Engine, first: int
) -> None:
    del world
    write(3)
    duty.sign_due()
    write(3)
    later()
    write(2)
    rehash(engine, first)
    report = verification.verify()
    bad = {check.name: check.first_bad for check in report.checks if not check.ok}
    # The rows and the chain agree with each other: only what was signed tells.
    assert set(bad) == {"checkpoints"}
    said = bad["checkpoints"] or ""
    with database.reading() as session:
        own = ChainLink.chain == "audit", ChainLink.seq == (1 if first <= 3 else 4)
        row_id = session.scalar(select(ChainLink.row_id).where(*own))
    assert f"one of {1 if first <= 3 else 4} ({row_id}) to" in said
    with database.reading() as session:
        assert invariants.ask(session, RULES["chains_as_signed"]).is_red
    # A chain that contradicts what was signed is signed no further.
    write(1000)
    assert duty.sign_due() == 0


def test_what_was_written_after_the_last_checkpoint_is_known_by_its_chain_alone(
    world: World, engine: Engine
) -> None:
    del world
    write(3)
    duty.sign_due()
    write(3)
    rehash(engine, 5)
    assert problem() is None


def test_a_table_or_file_that_lost_rows_is_named(world: World, engine: Engine) -> None:
    del world
    for _ in range(3):
        write(2)
        later()
        write(1)
        with time_machine.travel(clock.after(700)):
            duty.sign_due()
    kept = rows()
    assert len(kept) == 6
    assert problem() is None
    [*_, path] = files()
    body = path.read_bytes()
    lines = body.splitlines(keepends=True)
    # The end of the file is cut off.
    path.write_bytes(b"".join(lines[:-1]))
    assert "the files of checkpoints lack" in (problem() or "")
    # One line out of its middle.
    path.write_bytes(b"".join([*lines[:1], *lines[2:]]))
    assert "the files of checkpoints lack" in (problem() or "")
    # A line that cannot be read.
    path.write_bytes(b"".join([*lines, b"nothing\n"]))
    assert "cannot be read" in (problem() or "")
    path.write_bytes(body)
    assert problem() is None
    with unguarded(engine) as connection:
        gone = "delete from checkpoints where seq >= :seq and chain = 'audit'"
        connection.execute(text(gone), {"seq": kept[-2].seq})
    assert f"lacks audit {kept[-2].seq}" in (problem() or "")


def test_a_chain_that_was_cut_off_is_named(world: World, engine: Engine) -> None:
    del world
    write(4)
    duty.sign_due()
    with unguarded(engine) as connection:
        connection.execute(text("delete from chain_links where chain = 'audit' and seq > 2"))
        connection.execute(text("delete from checkpoints"))
        connection.execute(
            text("delete from audit_log where id not in (select row_id from chain_links)")
        )
    assert "ends before row 4" in (problem() or "")


def test_a_checkpoint_that_another_key_signed_is_not_believed(world: World, engine: Engine) -> None:
    del world
    write(2)
    duty.sign_due()
    rehash(engine, 1)
    [key] = vault.parse_master_keys(vault.generate_master_key("k9"))
    stranger = signing.derive(key, purpose=checkpoints.PURPOSE)
    [row] = rows()
    with database.reading() as session:
        _, head = chains.head_of(session, "audit")
    at = str(clock.rfc3339(row.at))
    forged = Statement("audit", row.seq, head, hashing.GENESIS, at, stranger.id)
    signature = stranger.sign(forged.text.encode())
    with unguarded(engine) as connection:
        said = "update checkpoints set hash = :hash, key_id = :key, signature = :signature"
        values = {"hash": head, "key": stranger.id, "signature": signature}
        connection.execute(text(said), values)
    # The table alone is forged, then the file as well.
    assert "was rewritten" in (problem() or "")
    [path] = files()
    path.unlink()
    assert "the files of checkpoints lack" in (problem() or "")
    other = checkpoint_files.Keeper(checkpoints.keeper().folder, [stranger])
    from dataclasses import replace

    other.append(replace(forged, signature=signature))
    (checkpoints.keeper().folder / "keys" / f"{stranger.id}.pem").unlink()
    assert "not signed by a key of ours" in (problem() or "")


def test_a_kill_between_file_and_table_is_told_apart_and_mended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    write(3)
    duty.sign_due()
    write(2)

    class Killed(Exception):
        """Stands for the end of the process."""

    def die(name: str) -> None:
        if name == "checkpoint.after_file":
            raise Killed

    with monkeypatch.context() as patched, time_machine.travel(clock.after(301)):
        patched.setattr("domain.crash.point", die)
        with pytest.raises(Killed):
            duty.sign_due()
    assert len(rows()) == 1
    assert len(checkpoints.keeper().statements("audit")) == 2
    # One ahead at the very end is what a kill leaves; it is no sign of tampering.
    assert problem() is None
    write(1)
    with time_machine.travel(clock.after(700)):
        duty.sign_due()
    seqs = [row.seq for row in rows()]
    assert seqs == [each.seq for each in checkpoints.keeper().statements("audit")]
    assert seqs[:2] == [3, 5]
    assert problem() is None
    with database.reading() as session:
        restored = select(AuditRow).where(AuditRow.action == "checkpoint.restore")
        assert session.scalars(restored).one().after == {"rows": 1, "lines": 0}


def test_a_line_that_a_kill_cut_off_is_dropped_before_the_next(world: World) -> None:
    del world
    write(2)
    duty.sign_due()
    [path] = files()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"statement":"{')
    assert problem() is None
    write(2)
    later()
    body = path.read_bytes() if len(files()) == 1 else files()[-1].read_bytes()
    assert b'{"statement":"{\n' not in body
    assert problem() is None
    assert len(checkpoints.keeper().statements("audit")) == 2


def test_statements_of_a_retired_master_key_stay_believed(world: World) -> None:
    write(2)
    duty.sign_due()
    old = checkpoints.keeper().signer.id
    new = vault.generate_master_key("k2")
    env = environment.settings(str(database.engine().url), world.settings.instance)
    checkpoints.configure(config.load(env | {"MASTER_KEYS": new, "DATABASE_URL": "sqlite:///x"}))
    write(2)
    later()
    assert {row.key_id for row in rows()} == {old, checkpoints.keeper().signer.id}
    assert problem() is None


def test_months_have_files_of_their_own(world: World) -> None:
    del world
    for month in ("2031-03", "2031-04"):
        with time_machine.travel(f"{month}-10T10:00:00+00:00", tick=True):
            write(1)
            duty.sign_due()
    assert [path.stem for path in files()] == ["2031-03", "2031-04"]
    with database.reading() as session:
        assert checkpoints.keeper().newest("audit") == checkpoints.of_row(
            checkpoints.newest(session, "audit")  # type: ignore[arg-type]
        )


def test_another_machine_s_checkpoints_are_copied_into_ones_own_file(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(2)
    duty.sign_due()
    own = checkpoints.keeper()
    there = checkpoint_files.Keeper(tmp_path / "there", own.signers)
    monkeypatch.setattr(checkpoints, "_held", [there])
    write(2)
    # What only the first machine has written is no fault of this one's file.
    assert problem() is None
    later()
    assert [each.seq for each in there.statements("audit")][:1] == [2]
    assert len(there.statements("audit")) == 2
    assert problem() is None
    monkeypatch.setattr(checkpoints, "_held", [own])
    assert problem() is None
    del world


def test_the_same_master_key_gives_the_same_signer_everywhere() -> None:
    [key] = vault.parse_master_keys(vault.generate_master_key("k1"))
    one, two = (signing.derive(key, purpose="checkpoints") for _ in range(2))
    other = signing.derive(key, purpose="else")
    assert (one.id, one.public) == (two.id, two.public)
    assert one.id != other.id
    message = ids.token(8).encode()
    signature = one.sign(message)
    assert signing.is_signed(message, signature, public=two.public)
    assert not signing.is_signed(message, signature, public=other.public)
    assert not signing.is_signed(message + b".", signature, public=one.public)
    for wrong in ("", "not base64!", signature[:-8]):
        assert not signing.is_signed(message, wrong, public=one.public)
    assert signing.from_pem(signing.to_pem(one.public)) == one.public
    assert str(one.id) in repr(one) and "private" not in repr(one)
