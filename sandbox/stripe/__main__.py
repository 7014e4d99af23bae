"""Start one stand-in for Stripe: `python -m sandbox.stripe --port 0 --state FILE …`."""

from __future__ import annotations

import argparse
import sys

from sandbox.common import run
from sandbox.common.store import Store
from sandbox.stripe import endpoints, shelf, tasks
from sandbox.stripe.deliver import Carrier
from sandbox.stripe.doors import Doors
from sandbox.stripe.ids import new_id
from sandbox.stripe.world import Settings, World, keys, unit

# The version that stripe-python 16.1 pins; an account's events are rendered in it.
API_VERSION = "2026-10-28.endive"


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    options = _options(arguments)
    server, url = run.bind(options)
    world = _world(options, url)
    with unit(world) as call:
        if options.webhook_url:
            endpoints.register(call, options.webhook_url, options.webhook_secret)
    world.courier.start(world.settings.lanes)
    if options.coupons:
        # What it makes is told, so there must be somebody who carries it.
        shelf.stock(world)
    world.timetable.start(lambda name, subject: tasks.run(world, name, subject))
    run.serve(server, Doors(world), "stripe", url, options.port_file)
    run.end(world)
    return 0


def _world(options: argparse.Namespace, own_url: str) -> World:
    settings = Settings(
        api_version=options.api_version,
        public_url=(options.public_url or own_url).rstrip("/"),
        settle_seconds=options.settle_seconds,
        balance_seconds=options.balance_seconds,
        lanes=options.lanes,
        available_seconds=options.available_seconds,
        payout_seconds=options.payout_seconds,
        settles=tuple(options.settles or Settings.settles),
    )
    store = Store(options.state, keys, lasting=(endpoints.KIND,))
    carrier = Carrier(store, run.backoff(options))
    account = store.fact("account", new_id("acct_1", 16))
    return World(settings=settings, account=account, **run.parts(options, store, carrier))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = run.options("stripe", __doc__)
    add = parser.add_argument
    add("--webhook-url")
    add("--webhook-secret", action="append", default=[], help="repeat: every one signs")
    add("--coupons", action="store_true", help="begin with a few coupons: see shelf.py")
    add("--api-version", default=API_VERSION)
    add("--settle-seconds", type=float, default=3.0, help="how long a bank debit takes")
    add("--balance-seconds", type=float, default=0.2, help="until charge.updated follows a charge")
    add("--available-seconds", type=float, default=2 * 86_400.0, help="until money may be paid out")
    add("--payout-seconds", type=float, default=0.0, help="how often it is; 0 only when told to")
    add("--settles", action="append", help="repeat: currencies that are not exchanged; usd, eur")
    options = parser.parse_args(arguments)
    if options.webhook_url and not options.webhook_secret:
        parser.error("--webhook-url needs at least one --webhook-secret")
    return options


if __name__ == "__main__":
    sys.exit(main())
