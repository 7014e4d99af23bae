"""`flask demo-traffic`: mixed realistic traffic against our own API, at the stand-in only; bounded, labelled."""

from __future__ import annotations

import http.client
import math
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from commands import demo_visits
from commands.checks import answer, as_json
from commands.demo_shop import Shop, Unexpected
from commands.demo_visits import Part
from config import Settings
from core import clock
from core.states import Kyc, Role
from domain.actors import system
from domain.database import transaction
from domain.people import keys, people, sessions, tokens
from domain.samples.dice import Dice
from models.people import Merchant, User
from providers import registry

# `demo` at the start of the short name is what labels everything as demo.
MERCHANT = "Demo Market"
KEY_NAME = "Demo traffic"
SCOPES = (
    "orders:read",
    "orders:write",
    "payments:read",
    "payments:write",
    "refunds:request",
    "disputes:write",
)
BUYERS = ("noa", "ole", "pia", "rui", "tara")
SELLERS = ("uma", "ivo")
ACTOR = system("demo")
AT_ONCE = 8
TOKEN_SECONDS = 60
DEFAULT_HOURS = 8
# A day of the demo passes in twenty minutes: quiet hours and rushes can be watched.
DAY_SECONDS = 20 * 60
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _assert_stand_in(settings: Settings) -> None:
    """Refuse anything but the sandbox with its stand-in on this machine.

    Raises: click.ClickException
    """
    base = urlsplit(settings.stripe.api_base)
    if settings.is_production or registry.get("stripe").mode == "live":
        raise click.ClickException("This installation handles real money; no demo traffic here.")
    if base.scheme != "http" or base.hostname not in LOOPBACK:
        raise click.ClickException(
            "Demo traffic pays at the sandbox's stand-in for Stripe, and none is configured."
            " `flask --app wsgi run-all` starts one."
        )
    if urlsplit(settings.public_url).scheme != "http":
        raise click.ClickException("Demo traffic speaks plain http; PUBLIC_URL is something else.")


@contextmanager
def open_shop(settings: Settings, *, stopped: threading.Event, pace: float = 1.0) -> Iterator[Shop]:
    """Make the demo's merchant, people and API key, and end the key afterwards."""
    with transaction() as session:
        merchant = people.find_merchant(session, MERCHANT) or people.create_merchant(
            session, MERCHANT, actor=ACTOR, state="approved", kyc=Kyc.APPROVED
        )
        for old in keys.list_keys(session, merchant, actor=ACTOR):
            if old.name == KEY_NAME and old.state == "active":
                keys.revoke_key(session, merchant, old.id, actor=ACTOR, reason="replaced")
        wanted = keys.NewKey(KEY_NAME, livemode=False, scopes=SCOPES)
        made = keys.create_key(session, merchant, wanted, actor=ACTOR, source="demo")
        buyers = [_person(session, name, Role.BUYER) for name in BUYERS]
        sellers = [_person(session, name, Role.SELLER) for name in SELLERS]
    try:
        yield Shop(
            url=settings.public_url,
            key=made.key,
            stripe=settings.stripe.api_base,
            stripe_key=settings.stripe.secret_key.reveal(),
            publishable_key=settings.stripe.publishable_key,
            buyers=buyers,
            sellers=sellers,
            sign_in=_sign_in,
            stopped=stopped,
            pace=pace,
            bank=_bank(settings),
        )
    finally:
        with transaction() as session:
            again = session.get_one(Merchant, merchant.id)
            keys.revoke_key(session, again, made.row.id, actor=ACTOR, reason="the demo has ended")


def _bank(settings: Settings) -> str:
    """Give the origin of the stand-in bank, empty where the rail's provider is another."""
    rail = registry.find_of_rail("bank", livemode=False)
    base = urlsplit(settings.given("TRUELAYER_API_URL"))
    is_here = base.scheme == "http" and base.hostname in LOOPBACK
    return base.geturl() if rail is not None and rail.is_stand_in and is_here else ""


def _person(session: Session, name: str, role: Role) -> str:
    email = f"{name}@demo.example"
    found = people.find_user(session, email)
    if found is None:
        wanted = people.NewUser(
            email=email, role=role, name=name.capitalize(), kyc=Kyc.APPROVED, demo=True
        )
        found = people.create_user(session, wanted, actor=ACTOR, source="demo")
    return found.id


def _sign_in(user_id: str) -> str:
    """Give one of the demo's people a token of their own, as signing in would; it ends by itself soon."""
    with transaction() as session:
        user = session.get_one(User, user_id)
        issued = tokens.issue(user.id, role=user.role, kyc=user.kyc, ttl_seconds=TOKEN_SECONDS)
        sessions.note_token(session, user, issued.jti, address=None, stepped_up=False)
        return issued.token


def gap_seconds(dice: Dice, per_minute: float, at: float) -> float:
    """Say how long until the next visitor: chance around the rate, which swings with the demo's day.

    at: seconds since the demo began.
    """
    swing = 1 + 0.7 * math.sin(2 * math.pi * at / DAY_SECONDS)
    share = (dice.below(1_000_000) + 1) / 1_000_001
    return -math.log(share) * 60 / (per_minute * swing)


def _play(shop: Shop, dice: Dice, part: Part | None, *, say: bool) -> bool:
    """Play one visit. Gives whether it went as written."""
    try:
        line = demo_visits.play(shop, dice, part)
    except (Unexpected, OSError, http.client.HTTPException, ValueError) as error:
        if not shop.stopped.is_set():
            click.echo(f"a visit failed: {error}", err=True)
        return False
    if say:
        click.echo(line)
    return True


def traffic(
    shop: Shop,
    *,
    per_minute: float,
    seconds: float,
    seed: int,
    first: Sequence[Part] = (),
    say: bool = True,
) -> dict[str, int]:
    """Send visitors until the time is over or `shop.stopped`; at most eight at once.

    first: what is played at once, before anything that chance brings, in this order.
    Who comes while eight are there goes away again, so a slow server is not buried.
    Gives how many visits went as written, failed, and were turned away.
    """
    dice, began = Dice(seed), clock.monotonic()
    counts = {"visits": 0, "failed": 0, "turnedAway": 0}
    room = threading.Semaphore(AT_ONCE)
    lock = threading.Lock()

    def visit(chance: int, part: Part | None) -> None:
        try:
            went_well = _play(shop, Dice(chance), part, say=say)
            with lock:
                counts["visits" if went_well else "failed"] += 1
        finally:
            room.release()

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        for part in first:
            room.acquire()
            pool.submit(visit, dice.number(), part)
        while not shop.stopped.is_set():
            at = clock.monotonic() - began
            if at >= seconds:
                break
            if room.acquire(blocking=False):
                pool.submit(visit, dice.number(), None)
            else:
                counts["turnedAway"] += 1
            shop.stopped.wait(min(gap_seconds(dice, per_minute, at), seconds - at))
    return counts


@click.command("demo-traffic")
@click.option("--rate", type=click.FloatRange(0.1, 600), default=6.0, show_default=True, help="Visitors a minute, on average.")  # fmt: skip
@click.option("--for", "seconds", type=click.FloatRange(1, 7 * 86_400), help=f"Stop after so many seconds; without it, fall silent after {DEFAULT_HOURS} hours.")  # fmt: skip
@click.option("--pace", type=click.FloatRange(0, 10), default=1.0, show_default=True, help="Stretch the pauses that visitors make; 0 for none.")  # fmt: skip
@click.option("--seed", type=int, help="The same seed, the same visitors.")
@click.option("--quiet", is_flag=True, help="Do not print each visit.")
@as_json
@with_appcontext
def demo_traffic(
    *, rate: float, seconds: float | None, pace: float, seed: int | None, quiet: bool, as_json: bool
) -> None:
    """Play visitors that order and pay through the API, as a merchant's shop would."""
    settings: Settings = current_app.config["PAYDESK"]
    _assert_stand_in(settings)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with open_shop(settings, stopped=stopped, pace=pace) as shop:
        counts = traffic(
            shop,
            per_minute=rate,
            seconds=seconds or DEFAULT_HOURS * 3600,
            seed=clock.unix() if seed is None else seed,
            first=demo_visits.OPENING,
            say=not (quiet or as_json),
        )
    if as_json:
        answer(counts)
    else:
        said = f"{counts['visits']} visits, {counts['failed']} failed"
        click.echo(f"{said}, {counts['turnedAway']} turned away")
    if seconds is None and not stopped.is_set():
        # Whoever keeps us running would only start us again.
        click.echo("The demo has been silent since; restart it for more.")
        while not stopped.wait(1.0):
            pass


def register(app: Flask) -> None:
    """Add this command."""
    app.cli.add_command(demo_traffic)
