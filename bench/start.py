"""From a clean clone to running, and the second start: what somebody waits for who tries it out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from bench import rig
from bench.report import Report
from tests.rig import environment, locate, ports

FIRST_SECONDS, SECOND_SECONDS = 180.0, 5.0
_PATIENCE_SECONDS = 600


def measure() -> Report:
    """Clone what is committed, run `make run` until it is ready, stop it, and once more."""
    report = Report("start", "python -m bench start")
    home = Path(tempfile.mkdtemp(prefix="paydesk-start-"))
    try:
        clone = home / "paydesk"
        subprocess.run(["git", "clone", "--quiet", locate.ROOT, clone], check=True)
        rig.wait_idle()
        first, second = _start(clone), _start(clone)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    report.add(start="clean clone", seconds=round(first, 1), load=rig.load())
    report.add(start="second", seconds=round(second, 1), load=rig.load())
    report.expect(f"clean clone to running in {FIRST_SECONDS:.0f} s", holds=first <= FIRST_SECONDS)
    report.expect(f"second start under {SECOND_SECONDS:.0f} s", holds=second < SECOND_SECONDS)
    return report


def _start(clone: Path) -> float:
    """Time one `make run` until web and worker are ready; then press Ctrl-C."""
    port = ports.free_port()
    env = environment.surroundings() | {"PORT": str(port)}
    # Ours would shadow the clone's own code.
    env.pop("PYTHONPATH", None)
    env.pop("VIRTUAL_ENV", None)
    began = time.perf_counter()
    log = clone.parent / "log"
    with log.open("wb") as out:
        running = subprocess.Popen(
            ["make", "run"],
            cwd=clone,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while not _is_ready(port):
            late = time.perf_counter() - began > _PATIENCE_SECONDS
            if running.poll() is not None or late:
                raise SystemExit(f"it did not come up:\n{log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.05)
        return time.perf_counter() - began
    finally:
        _stop(running)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/readyz", timeout=2) as answer:
            return bool(json.loads(answer.read()).get("workers"))
    except (OSError, ValueError, urllib.error.URLError):
        return False


def _stop(running: subprocess.Popen[bytes]) -> None:
    if running.poll() is not None:
        return
    os.killpg(running.pid, signal.SIGINT)
    try:
        running.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(10)
