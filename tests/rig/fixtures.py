"""The fixtures that every test may ask for: databases, the application, processes, a browser."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jinja2.bccache import Bucket, BytecodeCache
from playwright.sync_api import Browser, BrowserContext, Page

from tests.rig import browser as chromium
from tests.rig import cluster, databases, environment, product, routes, statements
from tests.rig.process import Running
from tests.rig.run import MakingFailed, Run

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from sqlalchemy import Engine

RUN = pytest.StashKey[Run]()
STARTED = pytest.StashKey[product.Processes]()
PICTURED = pytest.StashKey[Page]()


@contextmanager
def _or_fail() -> Iterator[None]:
    """Fail with the plain message: what is missing and how to get it."""
    said = ""
    try:
        yield
    except MakingFailed as failure:
        said = str(failure)
    if said:
        pytest.fail(said, pytrace=False)


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Run:
    """The folder of this test run, shared by its workers."""
    return pytestconfig.stash[RUN]


@pytest.fixture
def sqlite_url(run: Run) -> Iterator[str]:
    """A fresh migrated SQLite database."""
    with _or_fail(), databases.sqlite_clone(run) as url:
        yield url


@pytest.fixture
def postgres_url(run: Run) -> Iterator[str]:
    """A fresh migrated PostgreSQL database."""
    with _or_fail(), databases.postgres_clone(run) as url:
        yield url


@pytest.fixture
def durable_postgres_url(run: Run) -> Iterator[str]:
    """A fresh migrated PostgreSQL database in a cluster that syncs, for tests that kill it."""
    with _or_fail(), databases.postgres_clone(run, profile="durable") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh migrated database; the test runs once on each engine."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def postgres_cluster(run: Run) -> cluster.Cluster:
    """The running cluster itself, for tests that need a database that is not migrated."""
    with _or_fail():
        return cluster.start(run)


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """The instance folder of this test: generated keys live here."""
    path = tmp_path / "instance"
    path.mkdir(exist_ok=True)
    return path


@pytest.fixture
def environ(database_url: str, instance: Path) -> dict[str, str]:
    """The settings from which `app` is made; a test that needs others overrides this fixture."""
    return environment.settings(database_url, instance)


class Compiled(BytecodeCache):
    """Templates as the first test of this process compiled them; each test has an app of its own."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.held:
            bucket.bytecode_from_string(self.held[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.held[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()
routes.share()
statements.share()


@pytest.fixture
def app(environ: dict[str, str]) -> Iterator[Flask]:
    """The application on a fresh database, in this process."""
    import config
    import wsgi
    from domain import database

    application = wsgi.create_app(config.load(environ))
    application.testing = True
    application.jinja_env.bytecode_cache = COMPILED
    yield application
    database.engine().dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of `app` that nobody is logged in with."""
    return app.test_client()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A fresh database bound to this process without any Flask, for tests of the domain."""
    import sqlalchemy

    from domain import database

    made = sqlalchemy.create_engine(database_url)
    database.bind(made)
    yield made
    made.dispose()


@pytest.fixture
def processes(
    request: pytest.FixtureRequest, run: Run, instance: Path
) -> Iterator[product.Processes]:
    """Starts web, worker and stand-in; all of them end with the test."""
    with product.processes(run, instance) as lent:
        request.node.stash[STARTED] = lent
        yield lent


@pytest.fixture
def start_web(processes: product.Processes) -> Callable[..., Running]:
    """Start the web process: `start_web(database_url, NAME="value")`."""
    return processes.web


@pytest.fixture
def start_worker(processes: product.Processes) -> Callable[..., Running]:
    """Start a worker: `start_worker(database_url, NAME="value")`."""
    return processes.worker


@pytest.fixture
def start_stripe(processes: product.Processes) -> Callable[..., Running]:
    """Start the stand-in for Stripe: `start_stripe(webhook_url=...)`."""
    return processes.stripe


@pytest.fixture
def stack(database_url: str, processes: product.Processes) -> product.Stack:
    """Web, worker and the stand-in for Stripe, wired to each other, on a fresh database.

    The database is asked for first, so that it goes last: a process may write until it is killed.
    """
    return processes.stack(database_url)


# Per module: playwright's loop occupies the thread, and other modules may want a loop of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A running Chromium."""
    with _or_fail(), chromium.chromium() as running:
        yield running


@pytest.fixture
def watch() -> Iterator[chromium.Watch]:
    """What the pages complain of; fails the test unless it was expected."""
    watching = chromium.Watch()
    yield watching
    left = watching.unexpected()
    if left:
        pytest.fail("the page complained:\n" + "\n".join(left), pytrace=False)


@pytest.fixture
def browser_context(browser: Browser, watch: chromium.Watch) -> Iterator[BrowserContext]:
    """A fresh browser context without cookies."""
    with chromium.context(browser, watch) as opened:
        yield opened


@pytest.fixture
def page(request: pytest.FixtureRequest, browser_context: BrowserContext) -> Page:
    """An empty page of a fresh context."""
    opened = browser_context.new_page()
    request.node.stash[PICTURED] = opened
    return opened


def explain(item: pytest.Item, report: pytest.TestReport) -> None:
    """Add to a failed test what its processes printed and what its page showed."""
    if not report.failed:
        return
    lent = item.stash.get(STARTED, None)
    if lent is not None:
        report.sections += [(f"printed by {name}", said) for name, said in lent.said()]
    page = item.stash.get(PICTURED, None)
    if page is not None and report.when == "call":
        name = re.sub(r"[^A-Za-z0-9]+", "-", f"{item.nodeid}-{os.getpid()}").strip("-")[-120:]
        with suppress(Exception):
            report.sections.append(
                ("page", f"{page.url}\npicture: {chromium.keep_picture(page, name)}")
            )
