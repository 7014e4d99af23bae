"""The rig keeps its own promises: nothing is left behind, nothing vanishes silently."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.rig import cluster, environment, ports
from tests.rig.locate import ROOT
from tests.rig.run import MakingFailed, Run, begin, finish

ABANDONED = """
import subprocess, sys, time
from tests.rig import run
started = run.begin()
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
started.register(child.pid)
print(started.path, child.pid, flush=True)
time.sleep(600)
"""


def _soon(is_so: Callable[[], bool], *, seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while not is_so() and time.monotonic() < until:
        time.sleep(0.05)
    return is_so()


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # Ended, and its new parent has not looked yet.
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and ") Z " in status.read_text()


def test_what_a_killed_run_has_started_is_ended_and_its_folder_removed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ABANDONED],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=environment.surroundings(),
    ) as controller:
        assert controller.stdout is not None
        folder, child = controller.stdout.readline().split()
        assert not _is_gone(int(child))
        controller.send_signal(signal.SIGKILL)
    assert _soon(lambda: _is_gone(int(child)))
    assert _soon(lambda: not Path(folder).exists())


@pytest.mark.pg
def test_a_cluster_of_its_own_comes_up_and_goes_with_its_run() -> None:
    run = begin()
    try:
        made = cluster.start(run)
        assert cluster.start(run) == made
        with psycopg.connect(made.dsn(), autocommit=True) as connection:
            (version,) = connection.execute("show server_version_num").fetchone() or (0,)
            (syncs,) = connection.execute("show fsync").fetchone() or ("on",)
        assert int(version) >= 150000
        assert syncs == "off"
    finally:
        finish(run)
    assert not run.path.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(made.dsn(), connect_timeout=2)


def test_what_cannot_be_made_is_tried_once_and_told_to_everyone(tmp_path: Path) -> None:
    tries = []

    def fail() -> dict[str, str]:
        tries.append(1)
        raise MakingFailed("install it")

    run = Run(path=tmp_path)
    for _ in range(3):
        with pytest.raises(MakingFailed, match="install it"):
            run.once("thing", fail)
    assert len(tries) == 1


def test_free_ports_are_free_and_differ() -> None:
    assert len({ports.free_port() for _ in range(5)}) > 1


def test_settings_of_the_shell_do_not_reach_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_live_of_the_developer")
    monkeypatch.setenv("DATABASE_URL", "postgresql://production")
    monkeypatch.setenv("SECRET_KEY_FILE", "/etc/paydesk/key")
    monkeypatch.setenv("PAYDESK_TEST_BROWSER", "none")
    kept = environment.surroundings()
    assert not {
        "STRIPE_SECRET_KEY",
        "DATABASE_URL",
        "SECRET_KEY_FILE",
        "PAYDESK_TEST_BROWSER",
    } & set(kept)


def test_left_out_tests_are_counted_at_the_end() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/rig/test_browser.py", "-n", "1"],
        cwd=ROOT,
        env=os.environ | {"PAYDESK_TEST_BROWSER": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "LEFT OUT: 3 browser tests, by PAYDESK_TEST_BROWSER=none" in done.stdout, done.stdout


def test_a_missing_browser_fails_its_tests_and_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/rig/test_browser.py", "-k", "quiet"],
        cwd=ROOT,
        env=os.environ | {"PAYDESK_TEST_BROWSER": "/nowhere/chrome"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "apt-get install chromium" in done.stdout
