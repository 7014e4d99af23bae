"""Start one stand-in for a bank: `python -m sandbox.bank --port 0 --state FILE …`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sandbox.bank import control, tasks
from sandbox.bank.deliver import Carrier
from sandbox.bank.doors import Doors
from sandbox.bank.truelayer import keys
from sandbox.bank.world import GOCARDLESS, LASTING, TRUELAYER, Settings, World, unit
from sandbox.bank.world import keys as list_keys
from sandbox.common import run
from sandbox.common.store import Store

# Source: protocols of both providers: three days, and eight retries.
TRUELAYER_RETRIES_SECONDS = 72 * 3_600.0


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    options = _options(arguments)
    server, url = run.bind(options)
    world = _world(options, url)
    _configure(world, options)
    world.courier.start(world.settings.lanes)
    world.timetable.start(lambda name, subject: tasks.run(world, name, subject))
    run.serve(server, Doors(world), "bank", url, options.port_file)
    run.end(world)
    return 0


def _configure(world: World, options: argparse.Namespace) -> None:
    """Keep addresses and keys, and begin to pay out."""
    with unit(world) as call:
        keys.current(call)
        for line in options.truelayer_public_key:
            keys.register(call, *_kid_and_pem(line))
        if options.truelayer_webhook_url:
            control.put_endpoint(call, TRUELAYER, options.truelayer_webhook_url, "")
        if options.gocardless_webhook_url:
            secret = options.gocardless_webhook_secret
            control.put_endpoint(call, GOCARDLESS, options.gocardless_webhook_url, secret)
        with call.store.locked() as db:
            db.execute("DELETE FROM jobs WHERE name = 'pay_out'")
        if world.settings.payout_seconds:
            call.later("pay_out", "automatic", seconds=world.settings.payout_seconds)


def _kid_and_pem(file: str) -> tuple[str, str]:
    """Read a file that holds a kid, a colon and a PEM."""
    kid, _, pem = Path(file).read_text().partition(":")
    return kid.strip(), pem.strip() + "\n"


def _world(options: argparse.Namespace, own_url: str) -> World:
    settings = Settings(
        public_url=(options.public_url or own_url).rstrip("/"),
        payee=options.payee,
        client_id=options.truelayer_client_id,
        client_secret=options.truelayer_client_secret,
        access_token=options.gocardless_access_token,
        settle_seconds=options.settle_seconds,
        refund_seconds=options.refund_seconds,
        payout_seconds=options.payout_seconds,
        batch_seconds=options.batch_seconds,
        expire_seconds=options.expire_seconds,
        fee=options.fee,
        float_minor=options.float,
        tells_authorised=options.truelayer_authorized,
        lanes=options.lanes,
    )
    store = Store(options.state, list_keys, lasting=LASTING)
    carrier = Carrier(run.backoff(options))
    world = World(settings=settings, **run.parts(options, store, carrier))
    carrier.world = world
    return world


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = run.options("bank", __doc__)
    parser.set_defaults(retry_for=TRUELAYER_RETRIES_SECONDS)
    add = parser.add_argument
    add("--truelayer-webhook-url")
    add("--truelayer-client-id", default="sandbox")
    add("--truelayer-client-secret", default="")
    add("--truelayer-public-key", action="append", default=[], metavar="FILE",
        help="holds KID:PEM; repeat for more")  # fmt: skip
    add("--truelayer-authorized", action="store_true", help="also send payment_authorized")
    add("--gocardless-webhook-url")
    add("--gocardless-webhook-secret", default="")
    add("--gocardless-access-token", default="")
    add("--payee", default="Paydesk sandbox", help="who is paid")
    add("--settle-seconds", type=float, default=3.0, help="executed to settled at the slow bank")
    add("--refund-seconds", type=float, default=1.0, help="how long refunds and payouts take")
    add("--payout-seconds", type=float, default=0.0, help="how often it is; 0 only when told to")
    add("--batch-seconds", type=float, default=0.2, help="events gathered into one webhook")
    add("--expire-seconds", type=float, default=900.0, help="how long TrueLayer waits for a payer")
    add("--fee", type=int, default=20, help="GoCardless' fee for a payment, in minor units")
    add("--float", type=int, default=100_000, help="what is never paid out, in minor units")
    options = parser.parse_args(arguments)
    if options.gocardless_webhook_url and not options.gocardless_webhook_secret:
        parser.error("--gocardless-webhook-url needs --gocardless-webhook-secret")
    return options


if __name__ == "__main__":
    sys.exit(main())
