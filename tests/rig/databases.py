"""A fresh, fully migrated database for each test: clones of a template that the run makes once."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from tests.rig import cluster, environment, locate
from tests.rig.run import MakingFailed, Run

TEMPLATE = "paydesk_template"
_numbers = itertools.count(1)


def upgrade(url: str, instance: Path, *, command: tuple[str, ...] = ("db", "upgrade")) -> str:
    """Run a `flask db` command against a database, as a person would, and give what it said.

    Raises: MakingFailed
    """
    done = subprocess.run(
        [locate.python(), "-m", "flask", "--app", "wsgi", *command],
        cwd=locate.ROOT,
        env=environment.surroundings() | environment.settings(url, instance),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    said = (done.stdout + done.stderr)[-6000:]
    if done.returncode:
        raise MakingFailed(f"`flask --app wsgi {' '.join(command)}` failed on {url}:\n{said}")
    return said


def sqlite_template(run: Run) -> Path:
    """Give the migrated SQLite file that tests copy."""

    def make() -> dict[str, str]:
        run.watch()
        path = run.folder("sqlite") / "template.db"
        upgrade(f"sqlite:///{path}", run.path / "template-instance")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma wal_checkpoint(truncate)")
        return {"path": str(path)}

    return Path(run.once("sqlite-template", make)["path"])


def postgres_template(run: Run, *, profile: str = "fast") -> cluster.Cluster:
    """Give the cluster in which the migrated template stands."""
    running = cluster.start(run, profile=profile)

    def make() -> dict[str, str]:
        with psycopg.connect(running.dsn(), autocommit=True) as connection:
            connection.execute(f"create database {TEMPLATE}")
        upgrade(running.url(TEMPLATE), run.path / "template-instance")
        with psycopg.connect(running.dsn(), autocommit=True) as connection:
            connection.execute(f"alter database {TEMPLATE} with is_template true")
        return {}

    run.once(f"postgres-template-{profile}", make)
    return running


@contextmanager
def sqlite_clone(run: Run) -> Iterator[str]:
    """Lend a copy of the SQLite template; gives its URL."""
    template = sqlite_template(run)
    home = run.folder("sqlite") / f"{os.getpid()}-{next(_numbers)}"
    home.mkdir()
    path = home / "paydesk.db"
    shutil.copyfile(template, path)
    try:
        yield f"sqlite:///{path}"
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def postgres_clone(run: Run, *, profile: str = "fast") -> Iterator[str]:
    """Lend a clone of the PostgreSQL template; gives its URL."""
    running = postgres_template(run, profile=profile)
    name = f"t{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(running.dsn(), autocommit=True) as connection:
        # Copying files instead of pages takes half the time when nothing is synced.
        connection.execute(f"create database {name} template {TEMPLATE} strategy file_copy")
    try:
        yield running.url(name)
    finally:
        with psycopg.connect(running.dsn(), autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)")
