"""One database with the product around it: a web that outlives its processes, workers, the stand-in, a buyer."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import text

import config
from core.states import Role
from domain import database, sequencer
from domain.books import chains
from domain.jobs import janitor, refunding, worker
from domain.mail import mails
from domain.secrets import keyring, secrets
from domain.watch import checkpoints
from providers import registry
from tests.api import personas
from tests.reliability.clients import Buyer, Provider, until
from tests.rig import checker, databases, environment, ports, process, product
from tests.rig.forks import Kind
from tests.rig.process import Running
from tests.rig.run import Run

_numbers = itertools.count(1)
PAST = "2020-01-01 00:00:00.000000"
# What hours of waiting would do: leases and locks are over, what was to be asked again is due.
HOURS_LATER = (
    "update idempotency_keys set locked_until = :past where state = 'in_progress'",
    "update operations set lease_until = null, due_at = :past where state in ('prepared', 'sent', 'unknown')",
    "update payments set lease_until = null where lease_until is not null",
    "update payments set check_due_at = :past where check_due_at is not null",
    "update inbound_events set due_at = :past where state in ('failed', 'unmatched')",
)
ROUNDS = 2


@dataclass
class Stage:
    """What a test plays on. env: the settings of every process on this database."""

    run: Run
    home: Path
    env: dict[str, str]
    engine: sqlalchemy.Engine
    web: Running
    buyer: Buyer
    provider: Provider
    processes: product.Processes
    workers: list[Running] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The database."""
        return self.env["DATABASE_URL"]

    def bind(self) -> None:
        """Make this the database that the domain works on in this process."""
        bind(self.env, self.engine)

    def execute(self, statement: str, **values: object) -> None:
        """Change rows behind everybody's back."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def ask(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Read rows."""
        return checker.rows(self.url, query, **values)

    def hurry(self) -> None:
        """Let hours pass for everything that waits."""
        let_hours_pass(self.engine)

    def born(self) -> list[tuple[int, str]]:
        """List the web processes so far: pid and crash point."""
        path = self.home / "born"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), point) for pid, _, point in (line.partition(" ") for line in lines)]

    def arm(self, point: str) -> int:
        """Kill the web process; the next one dies at a crash point. Gives that one's pid once it serves."""
        (self.home / "armed").write_text(point)
        before = self.born()
        with suppress(ProcessLookupError):
            os.kill(before[-1][0], signal.SIGKILL)
        until(lambda: len(self.born()) > len(before), what="another web process")
        pid, armed_with = self.born()[-1]
        assert armed_with == point
        until(lambda: process.answers("/healthz")(self.web), what="the web process to serve")
        return pid

    def was_killed(self, pid: int) -> bool:
        """Whether a web process died by SIGKILL; its master says so."""
        return f"(pid:{pid}) was sent SIGKILL" in self.web.log.read_text(errors="replace")

    def start_worker(self, point: str = "", **env: str) -> Running:
        """Start a worker, armed with a crash point if one is named; it may die before it is ready."""
        running = process.command(
            self.run,
            "worker",
            [sys.executable, "-m", "flask", "--app", "wsgi", "worker"],
            env=environment.surroundings() | self.env | env | {"PAYDESK_CRASHPOINT": point},
            ready=lambda started: started.popen is not None,
            forked_from=Kind.PLAIN,
        )
        self.workers.append(running)
        self.processes.started.append(running)
        return running.start()

    def work_until_idle(self) -> None:
        """Do in this process whatever a worker would, hours later, and twice."""
        self.bind()
        for _ in range(ROUNDS):
            self.hurry()
            while (
                worker.work_until_idle()
                or janitor.finish_operation()
                or refunding.send_next()
                or janitor.check_payment()
            ):
                pass
        while sequencer.number_events(ring=False):
            pass
        # As `flask verify` does: also what was written before the clock was set back.
        chains.link_all(everything=True)

    def assert_whole(self, *, is_complete: bool = True, about: str = "") -> None:
        """Have the checker judge a database at rest."""
        claim = self.provider.claim(self.buyer, is_complete=is_complete)
        checker.assert_whole(self.url, claim, about=about)

    def conclude(self, *, about: str = "") -> None:
        """Let everything that waits be done, then have the checker judge."""
        self.work_until_idle()
        self.assert_whole(about=about)

    def retire(self) -> None:
        """Let what this test left waiting wait for ever: the next one does its own work, not all there ever was."""
        self.execute("update payments set check_due_at = null where check_due_at is not null")

    def end_workers(self) -> None:
        """Kill the workers."""
        while self.workers:
            self.workers.pop().kill()


def hours_later(engine: sqlalchemy.Engine) -> list[str]:
    """Give the statements that do to a database what hours of waiting would."""
    past = PAST if engine.dialect.name == "sqlite" else f"{PAST}+00"
    return [statement.replace(":past", f"'{past}'") for statement in HOURS_LATER]


def let_hours_pass(engine: sqlalchemy.Engine) -> None:
    """Do to a database what hours of waiting would."""
    with engine.begin() as connection:
        for statement in hours_later(engine):
            connection.execute(text(statement))


def bind(env: dict[str, str], engine: sqlalchemy.Engine) -> None:
    """Make the domain of this process work with these settings, as `create_app` does for a real one."""
    settings = config.load(env)
    database.bind(engine)
    keyring.configure(settings)
    checkpoints.configure(settings)
    mails.configure(settings)
    registry.configure(settings)
    secrets.configure(settings)


@contextmanager
def raised(run: Run, instance: Path, *, engine: str, processes: int = 1) -> Iterator[Stage]:
    """Raise a stage on a fresh database of this engine and clear it away at last. processes: of the web."""
    clone = databases.sqlite_clone if engine == "sqlite" else databases.postgres_clone
    home = run.folder("stages") / f"{os.getpid()}-{next(_numbers)}"
    home.mkdir()
    with clone(run) as url, product.processes(run, instance) as lent:
        standin = lent.stripe()
        port = ports.free_port()
        address = f"http://127.0.0.1:{port}"
        more = {"HOST": "127.0.0.1", "PORT": str(port), "PUBLIC_URL": address}
        more |= {"WEB_CONCURRENCY": str(processes), "STRIPE_TIMEOUT_SECONDS": "2"}
        env = environment.settings(url, instance, **product.stripe_settings(standin.url), **more)
        made = sqlalchemy.create_engine(url)
        bind(env, made)
        token = personas.user("bo@people.test", role=Role.BUYER).token
        web = _web(run, home, env, address)
        lent.started.append(web)
        provider = Provider(standin.url, address)
        buyer = Buyer(address, token, _nothing)
        stage = Stage(run, home, env, made, web.start(), buyer, provider, lent)
        stage.buyer.hurry = stage.hurry
        try:
            yield stage
        finally:
            stage.end_workers()
            made.dispose()


def _nothing() -> None:
    """Wait for nothing."""


def _web(run: Run, home: Path, env: dict[str, str], address: str) -> Running:
    armed = {"RIG_ARMED": str(home / "armed"), "RIG_BORN": str(home / "born")}
    config_file = str(Path(__file__).with_name("armed_gunicorn.py"))
    return process.command(
        run,
        "web",
        [sys.executable, "-m", "gunicorn", "-c", config_file, "wsgi:create_app()"],
        env=environment.surroundings() | env | armed,
        ready=process.answers("/healthz"),
        url=address,
        forked_from=Kind.serving(env["DATABASE_URL"]),
    )
