"""Start one stand-in for Stripe: `python -m sandbox.stripe --port 0 --state FILE …`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox.stripe import endpoints, shelf, tasks
from sandbox.stripe.clock import Clock
from sandbox.stripe.deliver import Backoff, Courier
from sandbox.stripe.faults import FaultScript
from sandbox.stripe.ids import new_id
from sandbox.stripe.jobs import Timetable
from sandbox.stripe.server import Server
from sandbox.stripe.store import Store
from sandbox.stripe.world import Settings, World, unit

# The version that stripe-python 16.1 pins; an account's events are rendered in it.
API_VERSION = "2026-10-28.endive"


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    options = _options(arguments)
    logging.basicConfig(
        level=options.log_level.upper(), format="%(name)s %(levelname)s %(message)s"
    )
    server = Server(options.host, options.port)
    port = server.server_address[1]
    host = f"[{options.host}]" if ":" in options.host else options.host
    world = _world(options, f"http://{host}:{port}")
    server.world = world
    with unit(world) as call:
        if options.webhook_url:
            endpoints.register(call, options.webhook_url, options.webhook_secret)
    world.courier.start(world.settings.lanes)
    if options.coupons:
        # What it makes is told, so there must be somebody who carries it.
        shelf.stock(world)
    world.timetable.start(lambda name, subject: tasks.run(world, name, subject))
    _serve(server, f"http://{host}:{port}", options.port_file, int(port))
    world.timetable.stop()
    world.courier.stop()
    world.store.close()
    return 0


def _serve(server: Server, url: str, port_file: str | None, port: int) -> None:
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="accept", daemon=True)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    thread.start()
    print(f"stripe sandbox listening on {url}", flush=True)
    if port_file:
        _write_port(Path(port_file), port)
    stopped.wait()
    server.shutdown()
    server.server_close()


def _write_port(path: Path, port: int) -> None:
    """Write the port so that a reader sees all of it or nothing."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(f"{port}\n")
    draft.replace(path)


def _world(options: argparse.Namespace, own_url: str) -> World:
    settings = Settings(
        api_version=options.api_version,
        public_url=(options.public_url or own_url).rstrip("/"),
        settle_seconds=options.settle_seconds,
        balance_seconds=options.balance_seconds,
        retry_start=options.retry_start,
        retry_factor=options.retry_factor,
        retry_limit=options.retry_limit,
        retry_for=options.retry_for,
        delivery_timeout=options.delivery_timeout,
        lanes=options.lanes,
        available_seconds=options.available_seconds,
        payout_seconds=options.payout_seconds,
        settles=tuple(options.settles or Settings.settles),
    )
    store, clock = Store(options.state), Clock()
    backoff = Backoff(
        settings.retry_start, settings.retry_factor, settings.retry_limit, settings.retry_for
    )
    return World(
        settings=settings,
        store=store,
        clock=clock,
        faults=FaultScript(options.seed),
        courier=Courier(store, backoff, settings.delivery_timeout),
        timetable=Timetable(store, clock),
        account=store.fact("account", new_id("acct_1", 16)),
    )


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.stripe", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--port-file", help="the port is written here once the server listens")
    add("--public-url", help="origin that browsers use; default: the listening address")
    add("--state", default=":memory:", help="SQLite file that survives a restart")
    add("--webhook-url")
    add("--webhook-secret", action="append", default=[], help="repeat: every one signs")
    add("--coupons", action="store_true", help="begin with a few coupons: see shelf.py")
    add("--api-version", default=API_VERSION)
    add("--seed", type=int, help="makes faults with a rate repeatable")
    add("--settle-seconds", type=float, default=3.0, help="how long a bank debit takes")
    add("--balance-seconds", type=float, default=0.2, help="until charge.updated follows a charge")
    add("--available-seconds", type=float, default=2 * 86_400.0, help="until money may be paid out")
    add("--payout-seconds", type=float, default=0.0, help="how often it is; 0 only when told to")
    add("--settles", action="append", help="repeat: currencies that are not exchanged; usd, eur")
    add("--retry-start", type=float, default=1.0)
    add("--retry-factor", type=float, default=2.0)
    add("--retry-limit", type=float, default=3_600.0)
    add("--retry-for", type=float, default=3 * 86_400.0)
    add("--delivery-timeout", type=float, default=10.0)
    add("--lanes", type=int, default=4, help="parallel deliveries")
    add("--log-level", default="warning", choices=("debug", "info", "warning", "error"))
    options = parser.parse_args(arguments)
    if options.webhook_url and not options.webhook_secret:
        parser.error("--webhook-url needs at least one --webhook-secret")
    return options


if __name__ == "__main__":
    sys.exit(main())
