"""Starting and ending one stand-in: its address, its port file, the options that all have."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from pathlib import Path
from typing import TypedDict

from sandbox.common.clock import Clock
from sandbox.common.deliver import Backoff, Carrier, Courier
from sandbox.common.faults import FaultScript
from sandbox.common.jobs import Timetable
from sandbox.common.server import Doors, Server
from sandbox.common.store import Store
from sandbox.common.world import World


def options(name: str, about: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every stand-in has."""
    parser = argparse.ArgumentParser(prog=f"python -m sandbox.{name}", description=about)
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--port-file", help="the port is written here once the server listens")
    add("--public-url", help="origin that browsers use; default: the listening address")
    add("--state", default=":memory:", help="SQLite file that survives a restart")
    add("--seed", type=int, help="makes faults with a rate repeatable")
    add("--retry-start", type=float, default=1.0)
    add("--retry-factor", type=float, default=2.0)
    add("--retry-limit", type=float, default=3_600.0)
    add("--retry-for", type=float, default=3 * 86_400.0)
    add("--delivery-timeout", type=float, default=10.0)
    add("--lanes", type=int, default=4, help="parallel deliveries")
    add("--log-level", default="warning", choices=("debug", "info", "warning", "error"))
    return parser


def backoff(chosen: argparse.Namespace) -> Backoff:
    """Return how deliveries are retried."""
    return Backoff(chosen.retry_start, chosen.retry_factor, chosen.retry_limit, chosen.retry_for)


class Parts(TypedDict):
    """What any world is made of."""

    store: Store
    clock: Clock
    faults: FaultScript
    courier: Courier
    timetable: Timetable


def parts(chosen: argparse.Namespace, store: Store, carrier: Carrier) -> Parts:
    """Make what any world is made of."""
    clock = Clock()
    return {
        "store": store,
        "clock": clock,
        "faults": FaultScript(chosen.seed),
        "courier": Courier(store, carrier, chosen.delivery_timeout),
        "timetable": Timetable(store, clock),
    }


def bind(chosen: argparse.Namespace) -> tuple[Server, str]:
    """Begin to log and to listen, and return the server and its own address."""
    logging.basicConfig(level=chosen.log_level.upper(), format="%(name)s %(levelname)s %(message)s")
    server = Server(chosen.host, chosen.port)
    host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    return server, f"http://{host}:{server.server_address[1]}"


def serve(server: Server, doors: Doors, name: str, url: str, port_file: str | None) -> None:
    """Serve until SIGTERM or SIGINT."""
    server.doors = doors
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="accept", daemon=True)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    thread.start()
    print(f"{name} sandbox listening on {url}", flush=True)
    if port_file:
        _write_port(Path(port_file), int(server.server_address[1]))
    # In short turns: a signal that reached another thread is handled when this one runs again.
    while not stopped.wait(1.0):
        pass
    server.shutdown()
    server.server_close()


def end(world: World) -> None:
    """End what works by itself, then close the store."""
    world.timetable.stop()
    world.courier.stop()
    world.store.close()


def _write_port(path: Path, port: int) -> None:
    """Write the port so that a reader sees all of it or nothing."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(f"{port}\n")
    draft.replace(path)
