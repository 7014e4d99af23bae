"""`flask run-all` starts everything as one supervised group; `flask worker` runs one worker by hand."""

from __future__ import annotations

import http.client
import json
import logging
import shutil
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import flask_migrate
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from commands import bank_part, companions, console, parts
from commands.bank_part import StandInBank
from commands.parts import StandIn
from commands.supervisor import NeverStarted, Supervisor
from config import Settings
from core import clock
from domain import database, health, renewal
from domain.database import transaction
from domain.jobs import worker as jobs
from domain.people import sandbox_people
from domain.people.sandbox_people import SandboxPerson
from domain.watch import checkpoint_files

START_SECONDS = 60.0


@dataclass(frozen=True)
class Plan:
    """What will be started. is_made_up: no rail is the operator's own, so that all may be begun anew."""

    settings: Settings
    people: list[SandboxPerson]
    standing_in: StandIn | None
    is_made_up: bool
    has_demo: bool


@click.command("worker")
@click.option(
    "--threads", type=click.IntRange(1, 64), default=jobs.DEFAULT_THREADS, show_default=True
)
@with_appcontext
def worker(threads: int) -> None:
    """Apply webhooks and do the scheduled work until stopped; any number may run."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    running = companions.start("worker")
    click.echo("worker ready")
    try:
        jobs.run_worker(threads=threads, stop=stop)
    finally:
        running.stop()
    companions.leave_at_once()


@click.command("run-all")
@click.option("--demo/--no-demo", default=None, help="Demo traffic; in the sandbox on by itself.")
@with_appcontext
def run_all(demo: bool | None) -> None:
    """Start web, worker and, in the sandbox, the stand-ins; one Ctrl-C stops all."""
    settings: Settings = current_app.config["PAYDESK"]
    console.title(settings)
    folder = settings.instance.resolve()
    with renewal.supervising(folder):
        while _run_group(settings, demo):
            _empty(settings)
            renewal.forget(folder)
    click.echo("Stopped.")
    companions.leave_at_once()


def _run_group(settings: Settings, demo: bool | None) -> bool:
    """Start everything and look after it. Gives True when the sandbox shall begin anew."""
    began = clock.monotonic()
    _assert_port_is_free(settings)
    supervisor = Supervisor(console.said, root=parts.ROOT)
    supervisor.listen_to_signals()
    standing_in, bank = _stand_in(settings), _bank(settings)
    env = parts.environment(settings, *(each.settings() for each in (standing_in, bank) if each))
    try:
        if standing_in is not None:
            supervisor.add(parts.stripe(standing_in, env))
        if bank is not None:
            supervisor.add(bank_part.part(bank, env))
        _prepare_database(settings)
        people = _people(settings)
        is_made_up = settings.is_sandbox and standing_in is not None and bank is not None
        plan = Plan(settings, people, standing_in, is_made_up, _has_demo(demo, standing_in))
        supervisor.add(parts.web(env))
        supervisor.add(parts.worker(env))
        _serve(supervisor, plan, env, began=began)
    except NeverStarted as error:
        raise click.ClickException(f"{error} What it printed is above.") from error
    finally:
        supervisor.stop()
    return not supervisor.is_told_to_stop and _shall_begin_anew(plan)


def _shall_begin_anew(plan: Plan) -> bool:
    """Whether somebody asked; never where the operator's own keys may have moved money."""
    return plan.is_made_up and renewal.is_due(plan.settings.instance.resolve())


def _empty(settings: Settings) -> None:
    """Take the sandbox's tables away, and what the stand-in remembers; nobody uses either now."""
    console.step("sandbox", "begins anew: everything in it is deleted …")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    flask_migrate.downgrade(revision="base")
    database.engine().dispose()
    for path in (settings.instance / "stand-in").glob("*.db*"):
        path.unlink()
    # What was signed of the old rows would contradict the new ones.
    shutil.rmtree(settings.instance / checkpoint_files.FOLDER, ignore_errors=True)


def _serve(supervisor: Supervisor, plan: Plan, env: dict[str, str], *, began: float) -> None:
    console.step("starting", "web, worker …")
    if not supervisor.wait_until(_is_ready(plan.settings), seconds=START_SECONDS):
        if not supervisor.is_told_to_stop:
            raise click.ClickException(f"Not ready after {START_SECONDS:.0f} s; see above why.")
        return
    console.welcome(
        plan.settings, plan.people, has_demo=plan.has_demo, seconds=clock.monotonic() - began
    )
    if plan.has_demo:
        supervisor.add(parts.demo(env))
    supervisor.run(is_over=lambda: _shall_begin_anew(plan))


def _assert_port_is_free(settings: Settings) -> None:
    if parts.is_free(settings.host, settings.port):
        return
    ours = " It seems to be Paydesk itself." if _get(settings, "/healthz") is not None else ""
    raise click.ClickException(
        f"Port {settings.port} of {settings.host} is taken.{ours}"
        f" Stop what uses it, or choose another one: PORT={settings.port + 1} make run"
    )


def _stand_in(settings: Settings) -> StandIn | None:
    """Choose between the operator's own Stripe keys and the stand-in, and say which."""
    keys = settings.stripe
    if keys.is_configured:
        mode = "live" if "_live_" in keys.secret_key.reveal() else "test"
        console.step("stripe", f"your own {mode} keys, at {keys.api_base}")
        if not keys.webhook_secret:
            console.step("", "STRIPE_WEBHOOK_SECRET is not set: webhooks will be refused")
        return None
    if not settings.is_sandbox:
        console.step("stripe", "not configured: STRIPE_SECRET_KEY is not set")
        return None
    chosen = parts.stand_in(settings)
    console.step("stripe", f"stand-in at {chosen.public_url} (STRIPE_SECRET_KEY is not set)")
    return chosen


def _bank(settings: Settings) -> StandInBank | None:
    """Choose between the operator's own bank providers and the stand-in, and say which."""
    if own := bank_part.own_providers(settings):
        console.step("bank", f"your own provider: {', '.join(own)} is set")
        return None
    if not settings.is_sandbox:
        console.step("bank", f"not configured: {' and '.join(bank_part.choices())} are not set")
        return None
    chosen = bank_part.stand_in(settings)
    console.step("bank", f"stand-in for TrueLayer and GoCardless at {chosen.public_url}")
    return chosen


def _prepare_database(settings: Settings) -> None:
    where = _named(settings)
    try:
        if health.readiness().migrations != "at head":
            console.step("database", f"{where}, migrating …")
            logging.getLogger("alembic").setLevel(logging.WARNING)
            flask_migrate.upgrade()
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise click.ClickException(f"The database cannot be used: {where}: {cause}") from error
    console.step("database", f"{where}, ready")


def _named(settings: Settings) -> str:
    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        return f"PostgreSQL, {url.render_as_string(hide_password=True)}"
    path = Path(url.database or "")
    return f"SQLite, {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}"


def _people(settings: Settings) -> list[SandboxPerson]:
    """Give the sandbox's people, made now when nobody is there yet."""
    if not settings.is_sandbox:
        return []
    with database.reading() as session:
        is_empty = sandbox_people.is_empty(session)
    if is_empty:
        console.step("people", "making the sandbox's people …")
        with transaction() as session:
            sandbox_people.seed_sandbox(session)
    else:
        # A sandbox from before there were second factors.
        with transaction() as session:
            sandbox_people.hand_out(session)
    # Nothing of this process may hold on to the database while the others use it.
    database.engine().dispose()
    return sandbox_people.list_sandbox_people()


def _has_demo(wanted: bool | None, standing_in: StandIn | None) -> bool:
    is_there = "demo-traffic" in current_app.cli.commands
    if wanted and not (is_there and standing_in):
        raise click.ClickException("Demo traffic needs the sandbox with its stand-in for Stripe.")
    return is_there and standing_in is not None and wanted is not False


def _is_ready(settings: Settings) -> Callable[[], bool]:
    def look() -> bool:
        found = _get(settings, "/readyz")
        return found is not None and found.get("workers", 0) > 0

    return look


def _get(settings: Settings, path: str) -> dict[str, int] | None:
    """Ask our own server; None unless it answers 200 with JSON."""
    connection = http.client.HTTPConnection(
        parts.reachable(settings.host), settings.port, timeout=2
    )
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{settings.port}"})
        answer = connection.getresponse()
        found: dict[str, int] = json.loads(answer.read())
        return found if answer.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def register(app: Flask) -> None:
    """Add the commands."""
    app.cli.add_command(run_all)
    app.cli.add_command(worker)
