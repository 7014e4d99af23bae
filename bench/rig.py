"""Databases and processes of the measurements: real files that sync, real processes, all ended at last."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy

import config
from bench import cpu, stock
from domain import database
from domain.mail import mails
from domain.secrets import keyring, secrets
from domain.watch import checkpoints
from providers import registry
from tests.rig import cluster, databases, environment, locate, ports, process
from tests.rig import run as runs
from tests.rig.process import Running
from tests.rig.run import Run

ENGINES = ("postgresql", "sqlite")


@dataclass(frozen=True)
class Bench:
    """One measurement's ground: a migrated database that syncs, and the settings of what runs on it."""

    run: Run
    engine: str
    url: str
    env: dict[str, str]

    def web(self, *, processes: int = 2, **more: str) -> Running:
        """Start the full application under gunicorn."""
        port = ports.free_port()
        own = f"http://127.0.0.1:{port}"
        env = self.env | {"HOST": "127.0.0.1", "PORT": str(port), "PUBLIC_URL": own}
        env |= {"WEB_CONCURRENCY": str(processes), "GUNICORN_LOG_LEVEL": "warning"}
        argv = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:create_app()"]
        return process.command(
            self.run, "web", argv, env=env | more, ready=process.answers("/healthz"), url=own
        ).start(seconds=60)

    def worker(self, *options: str, **more: str) -> Running:
        """Start one worker."""
        argv = [sys.executable, "-m", "flask", "--app", "wsgi", "worker", *options]
        return process.command(
            self.run, "worker", argv, env=self.env | more, ready=Running.is_alive
        ).start()

    def database_seconds(self) -> float:
        """Give the processor seconds of PostgreSQL's processes; SQLite runs inside ours."""
        if self.engine == "sqlite":
            return 0.0
        return cpu.children_seconds(cluster.start(self.run, profile="durable").pid)

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Work on this ground's database in this process, to stock it and to read results."""
        settings = config.load(self.env)
        engine = sqlalchemy.create_engine(self.url)
        database.bind(engine)
        keyring.configure(settings)
        mails.configure(settings)
        checkpoints.configure(settings)
        registry.configure(settings)
        secrets.configure(settings)
        try:
            yield
        finally:
            engine.dispose()


@contextmanager
def ground(engine: str, **more: str) -> Iterator[Bench]:
    """Lend a fresh migrated database of this engine (fsync on) and end whatever was started on it."""
    run = runs.begin()
    try:
        clone = (
            databases.sqlite_clone(run)
            if engine == "sqlite"
            else databases.postgres_clone(run, profile="durable")
        )
        with clone as url:
            settings = environment.settings(url, run.folder("instance"), **more)
            settings |= {"STRIPE_WEBHOOK_SECRET": stock.SECRET}
            yield Bench(run, engine, url, environment.surroundings() | settings)
    finally:
        runs.finish(run)


def machine() -> str:
    """Name the machine in one line."""
    cpu = Path("/proc/cpuinfo")
    model = "unknown processor"
    if cpu.is_file():
        named = [line for line in cpu.read_text().splitlines() if line.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    system = os.uname()
    python = ".".join(map(str, sys.version_info[:3]))
    postgres = locate.find_postgres()
    served = f", PostgreSQL {postgres.parent.name}" if postgres else ""
    return f"{os.cpu_count()} × {model}, {system.sysname} {system.machine}, Python {python}{served}"


def load() -> float:
    """Give how many processes wanted a core over the last minute; above 1 something else runs."""
    return os.getloadavg()[0]


def wait_idle(*, seconds: float = 20) -> None:
    """Wait, for a while, until the machine is quiet enough to measure on."""
    until = time.monotonic() + seconds
    while load() > 1 and time.monotonic() < until:
        time.sleep(1)
