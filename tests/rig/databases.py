"""A fresh, fully migrated database for each test: clones of a template that the run makes once."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg

from tests.rig import cluster, environment, locate
from tests.rig.run import MakingFailed, Run

TEMPLATE = "paydesk_template"
LEAVING_SECONDS = 1.0
_numbers = itertools.count(1)
# Clones that wait to be lent again, by the port of their cluster.
_idle: dict[int, list[str]] = {}

_OTHERS = """select count(*)::text from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()"""
_SIZE = "select (pg_database_size(current_database()) < 48 * 1024 * 1024)::text"
_SCHEMA = """select md5(string_agg(said, chr(10) order by said)) from (
    select format('%s %s %s %s', relname, relkind, relrowsecurity, reloptions) as said
      from pg_class where relnamespace = 'public'::regnamespace
    union all
    select format('%s %s %s %s', attrelid::regclass, attname, atttypid, attnotnull) from pg_attribute
      join pg_class on attrelid = pg_class.oid where relnamespace = 'public'::regnamespace
    union all
    select format('%s %s', tgenabled, pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal
    union all
    select pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
    union all
    select format('%s %s', conname, pg_get_constraintdef(oid)) from pg_constraint
      where connamespace = 'public'::regnamespace
    union all
    select format('%s %s', setrole, setconfig) from pg_db_role_setting
      join pg_database on pg_database.oid = setdatabase where datname = current_database()
  ) as everything"""
# As a replica's writer no guard and no foreign key stands in the way.
_UNGUARDED = "set session_replication_role = replica"
_FILLED = """select name from (
    select tablename as name, (xpath('/row/n/text()', query_to_xml(
      format('select count(*) as n from (select 1 from %I limit 1) as one', tablename),
      false, true, '')))[1]::text = '1' as filled
    from pg_tables where schemaname = 'public') as tables where filled"""


@dataclass(frozen=True)
class Template:
    """What an emptied clone must look like: the hash of its schema, and the rows of each table."""

    schema: str
    rows: dict[str, bytes]


_templates: dict[int, Template] = {}  # by the port of their cluster


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
    """Lend a clone of the PostgreSQL template; gives its URL.

    A clone that still has the template's schema afterwards is emptied and lent again: making one
    takes ten times as long.
    """
    running = postgres_template(run, profile=profile)
    idle = _idle.setdefault(running.port, [])
    name = idle.pop() if idle else _cloned(running)
    try:
        yield running.url(name)
    finally:
        if _emptied(running, name):
            idle.append(name)
        else:
            with psycopg.connect(running.dsn(), autocommit=True) as connection:
                connection.execute(f"drop database if exists {name} with (force)")


def _cloned(running: cluster.Cluster) -> str:
    name = f"t{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(running.dsn(), autocommit=True) as connection:
        # Copying files instead of pages takes half the time when nothing is synced.
        connection.execute(f"create database {name} template {TEMPLATE} strategy file_copy")
    return name


def _emptied(running: cluster.Cluster, name: str) -> bool:
    """Bring the template's rows back, unless a test has changed the schema or filled the database."""
    template = _template(running)
    with psycopg.connect(running.dsn(name), autocommit=True) as connection:
        if not _is_left(connection):
            # A process that outlives its database would come again, and write into the next test's.
            return False
        if _one(connection, _SIZE) != "true" or _one(connection, _SCHEMA) != template.schema:
            return False
        connection.execute(_UNGUARDED)
        with connection.transaction():
            for table in _filled(connection):
                connection.execute(f'delete from "{table}"')
            for table, rows in template.rows.items():
                with connection.cursor().copy(f'copy "{table}" from stdin') as copy:
                    copy.write(rows)
    return True


def _is_left(connection: psycopg.Connection[tuple[str]]) -> bool:
    """Wait until nobody else is connected: a server takes a moment to end what a client has closed."""
    end = time.monotonic() + LEAVING_SECONDS
    while _one(connection, _OTHERS) != "0":
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def _template(running: cluster.Cluster) -> Template:
    if running.port not in _templates:
        with psycopg.connect(running.dsn(TEMPLATE), autocommit=True) as connection:
            rows = {}
            for table in _filled(connection):
                with connection.cursor().copy(f'copy "{table}" to stdout') as copy:
                    rows[table] = b"".join(bytes(part) for part in copy)
            _templates[running.port] = Template(_one(connection, _SCHEMA), rows)
    return _templates[running.port]


def _one(connection: psycopg.Connection[tuple[str]], query: LiteralString) -> str:
    [found] = connection.execute(query).fetchall()
    return found[0]


def _filled(connection: psycopg.Connection[tuple[str]]) -> list[str]:
    return [name for (name,) in connection.execute(_FILLED)]
