"""Streams are limited per principal, per address and in all; a slot never outlives its process."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from core.errors import Unavailable
from tests.rig.locate import ROOT
from web.slots import Limits, Slot, Slots


def slots(path: Path, principal: int = 3, address: int = 5, total: int = 6) -> Slots:
    return Slots(path / "streams.lock", Limits(principal, address, total))


def refused(taken: Slots, principal: str, address: str) -> str:
    with pytest.raises(Unavailable) as refusal:
        taken.take(principal, address)
    assert refusal.value.code == "STREAM_LIMIT" and refusal.value.retry_after
    return refusal.value.message


def test_one_principal_has_so_many_and_no_more(tmp_path: Path) -> None:
    taken = slots(tmp_path)
    held = [taken.take("usr_bo", f"10.0.0.{no}") for no in range(3)]
    assert "one person or key" in refused(taken, "usr_bo", "10.0.0.9")
    held.pop().give()
    taken.take("usr_bo", "10.0.0.9")


def test_one_address_has_so_many_and_a_refusal_keeps_nothing(tmp_path: Path) -> None:
    taken = slots(tmp_path)
    held = [taken.take(f"usr_{no}", "10.0.0.1") for no in range(5)]
    for _ in range(5):
        assert "one address" in refused(taken, "usr_9", "10.0.0.1")
    held.pop().give()
    taken.take("usr_9", "10.0.0.1")


def test_a_process_has_so_many_in_all(tmp_path: Path) -> None:
    taken = slots(tmp_path)
    for no in range(6):
        taken.take(f"usr_{no}", f"10.0.0.{no}")
    assert "this server" in refused(taken, "usr_9", "10.0.0.9")


def test_giving_back_twice_frees_one_slot_only(tmp_path: Path) -> None:
    taken = slots(tmp_path)
    held: list[Slot] = [taken.take(f"usr_{no}", f"10.0.0.{no}") for no in range(6)]
    held[0].give()
    held[0].give()
    taken.take("usr_7", "10.0.0.7")
    assert "this server" in refused(taken, "usr_9", "10.0.0.9")


def test_a_cap_only_lowers_the_total(tmp_path: Path) -> None:
    taken = slots(tmp_path)
    taken.cap(100)
    taken.cap(1)
    taken.take("usr_1", "10.0.0.1")
    assert "this server" in refused(taken, "usr_2", "10.0.0.2")


def test_the_processes_of_a_machine_share_the_limit_and_a_killed_one_gives_its_slots_back(
    tmp_path: Path,
) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from web.slots import Limits, Slots
        taken = Slots(Path(sys.argv[1]), Limits(3, 5, 6))
        for _ in range(3):
            taken.take("usr_bo", "10.0.0.1")
        print("held", flush=True)
        time.sleep(60)
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "streams.lock")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    with other, other.stdout:
        assert other.stdout.readline() == "held\n"
        taken = slots(tmp_path)
        refused(taken, "usr_bo", "10.0.0.2")
        taken.take("usr_sal", "10.0.0.1")
        other.kill()
        other.wait()
        assert [taken.take("usr_bo", "10.0.0.2") for _ in range(3)]


def test_without_a_writable_folder_each_process_counts_for_itself() -> None:
    taken = Slots(Path("/proc/nowhere/streams.lock"), Limits(1, 5, 6))
    taken.take("usr_bo", "10.0.0.1")
    refused(taken, "usr_bo", "10.0.0.1")
