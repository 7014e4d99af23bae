"""A handle on a running stand-in: its address, its control door, an SDK client for it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

# The SDK's typed parameters refuse what these tests send on purpose.
Client = Any

SECRET_KEY = "sk_test_paydesk"
PUBLISHABLE_KEY = "pk_test_paydesk"
PAID: dict[str, Any] = {
    "amount": 2500,
    "currency": "eur",
    "payment_method_types": ["card"],
    "confirm": True,
}


@dataclass(frozen=True)
class StandIn:
    """One running stand-in."""

    process: subprocess.Popen[bytes]
    url: str

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Call the control door and return its JSON."""
        content = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/_sandbox/{path}", data=content, method=method)
        with urlopen(request, timeout=10) as response:
            return json.load(response)

    def refuses(self, method: str, path: str, body: object = None) -> int:
        """Call the control door with what it must refuse, and return the status."""
        try:
            self.control(method, path, body)
        except HTTPError as refused:
            with refused:
                return refused.code
        raise AssertionError(f"{path} was not refused")

    def fault(self, **line: object) -> None:
        """Script one fault."""
        self.control("POST", "faults", line)


def body_of(refused: Any) -> Any:
    """Return the error object that a caught refusal of the SDK carries."""
    return refused.value.error


def launch(name: str, folder: Path, *options: str) -> StandIn:
    """Start `python -m sandbox.<name>` and wait until it listens."""
    folder.mkdir(parents=True, exist_ok=True)
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", f"sandbox.{name}", "--port-file", str(port_file), *options],
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=Path(__file__).parents[2],
    )
    log.close()
    deadline = time.monotonic() + 15
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail((folder / "log").read_text())
        time.sleep(0.02)
    return StandIn(process, f"http://127.0.0.1:{port_file.read_text().strip()}")


def end(standin: StandIn) -> None:
    """Ask a stand-in to end, which it does in good order."""
    standin.process.send_signal(signal.SIGTERM)
    assert standin.process.wait(timeout=10) == 0


@contextmanager
def starting(name: str, folder: Path, *always: str) -> Iterator[Callable[..., StandIn]]:
    """Lend a starter of stand-ins, which take `always` and what each is started with."""
    started: list[StandIn] = []

    def begin(*options: str) -> StandIn:
        started.append(launch(name, folder / str(len(started)), *always, *options))
        return started[-1]

    yield begin
    for running in started:
        if running.process.poll() is None:
            end(running)
