"""A group of processes: kept running, said so, ended together, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands.supervisor import NeverStarted, Part, Supervisor
from tests.rig.locate import ROOT

STAYS = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + STAYS


def python(name: str, code: str, rank: int = 0) -> Part:
    return Part(name, [sys.executable, "-c", textwrap.dedent(code)], dict(os.environ), rank)


class Said(list[tuple[str, str]]):
    def __call__(self, name: str, line: str) -> None:
        self.append((name, line))


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def group(said: Said) -> Iterator[Supervisor]:
    made = Supervisor(said, root=ROOT)
    yield made
    made._stop_signals = 2
    made.stop()


def keep(group: Supervisor, until: Callable[[], bool], seconds: float = 10) -> bool:
    """Look after the group until something holds."""
    return group.wait_until(until, seconds=seconds)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").exists() and ") Z " in Path(f"/proc/{pid}/stat").read_text()


def test_each_line_carries_the_name_of_its_part(group: Supervisor, said: Said) -> None:
    group.add(python("one", "print('first'); print('second')"))
    assert keep(group, lambda: ("one", "second") in said)
    assert said[:2] == [("one", "first"), ("one", "second")]


def test_a_killed_part_is_started_again_and_that_is_said(group: Supervisor, said: Said) -> None:
    group.add(python("web", STAYS))
    assert keep(group, lambda: ("web", "up") in said)
    first = group.pid_of("web")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert keep(group, lambda: said.count(("web", "up")) == 2)
    assert group.pid_of("web") not in (None, first)
    assert any("was killed by SIGKILL; it is started again" in line for _, line in said)


def test_what_dies_again_and_again_waits_longer_each_time(group: Supervisor, said: Said) -> None:
    group.add(python("steady", STAYS))
    assert keep(group, lambda: ("steady", "up") in said)
    group.add(python("weak", "raise SystemExit(3)"))
    assert keep(group, lambda: sum("ended with code 3" in line for _, line in said) == 3)
    pauses = [float(line.split()[-2]) for name, line in said if "it is started again in" in line]
    assert pauses[0] < pauses[1] < pauses[2]


def test_a_part_that_never_comes_up_ends_the_start(group: Supervisor) -> None:
    group.add(python("weak", "raise SystemExit(3)"))
    with pytest.raises(NeverStarted, match="weak ended with code 3 3 times"):
        keep(group, lambda: False)


def test_parts_end_by_rank_and_the_stubborn_is_killed(
    group: Supervisor, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.supervisor.STOP_SECONDS", 1.0)
    bye = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), sys.exit(0)))
        print("up", flush=True)
        time.sleep(60)
    """
    group.add(python("last", bye, rank=2))
    group.add(python("first", bye, rank=1))
    group.add(python("stubborn", STUBBORN, rank=3))
    assert keep(group, lambda: sum(line == "up" for _, line in said) == 3)
    pids = [group.pid_of(name) for name in ("last", "first", "stubborn")]
    began = time.monotonic()
    group.stop()
    assert time.monotonic() - began < 5
    assert [name for name, line in said if line == "bye"] == ["first", "last"]
    assert all(pid is not None and is_gone(pid) for pid in pids)


def test_what_a_dead_part_started_does_not_outlive_it(group: Supervisor, said: Said) -> None:
    code = f"""
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", {STAYS!r}])
        print("child", child.pid, flush=True)
        time.sleep(60)
    """
    group.add(python("web", code))
    assert keep(group, lambda: any(line.startswith("child") for _, line in said))
    child = next(int(line.split()[1]) for _, line in said if line.startswith("child"))
    leader = group.pid_of("web")
    assert leader is not None
    os.kill(leader, signal.SIGKILL)
    assert keep(group, lambda: is_gone(child))


@pytest.mark.kill
def test_parts_die_with_a_supervisor_that_was_killed() -> None:
    code = f"""
        import os, sys, threading
        from pathlib import Path
        from commands.supervisor import Part, Supervisor
        group = Supervisor(lambda name, line: print(name, line, flush=True), root=Path.cwd())
        group.add(Part("a", [sys.executable, "-c", {STAYS!r}], dict(os.environ)))
        print("pid", group.pid_of("a"), flush=True)
        group.run(is_over=lambda: False)
    """
    supervisor = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    with supervisor, supervisor.stdout:
        lines = [supervisor.stdout.readline() for _ in range(2)]
        pid = next(int(line.split()[1]) for line in lines if line.startswith("pid"))
        assert not is_gone(pid)
        supervisor.kill()
        until = time.monotonic() + 5
        while not is_gone(pid) and time.monotonic() < until:
            time.sleep(0.02)
        assert is_gone(pid)
