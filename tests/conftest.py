"""Ties the rig to pytest: the run's folder, what is left out, what a failure shows."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from domain import database
from tests.rig import fixtures, forks, heap, left_out
from tests.rig import run as runs
from tests.rig.fixtures import (
    app,
    browser,
    browser_context,
    client,
    database_url,
    durable_postgres_url,
    engine,
    environ,
    instance,
    page,
    postgres_cluster,
    postgres_url,
    processes,
    run,
    sqlite_url,
    stack,
    start_stripe,
    start_web,
    start_worker,
    watch,
)

__all__ = [
    "app",
    "browser",
    "browser_context",
    "client",
    "database_url",
    "durable_postgres_url",
    "engine",
    "environ",
    "instance",
    "page",
    "postgres_cluster",
    "postgres_url",
    "processes",
    "run",
    "sqlite_url",
    "stack",
    "start_stripe",
    "start_web",
    "start_worker",
    "watch",
]

# What is read without an order comes in one all the same, until a database is busy elsewhere. Reversed
# here, a test or a page that depends on it fails always and not once in a hundred runs.
# Source: https://www.sqlite.org/pragma.html#pragma_reverse_unordered_selects
database.SQLITE_PRAGMAS["reverse_unordered_selects"] = "1"

# Two cores shared with databases and browsers: the time of one example says nothing.
hypothesis.settings.register_profile("paydesk", deadline=None)
hypothesis.settings.load_profile("paydesk")


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's folder, or learn it from the process that controls the run."""
    given = getattr(config, "workerinput", {}).get("run_dir")
    config.stash[fixtures.RUN] = runs.Run(path=Path(given)) if given else runs.begin()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where the run's folder is."""
    node.workerinput["run_dir"] = str(node.config.stash[fixtures.RUN].path)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what this process started, and by the one that controls the run, all the rest."""
    if fixtures.RUN in config.stash:
        forks.end(config.stash[fixtures.RUN])
    if not hasattr(config, "workerinput") and fixtures.RUN in config.stash:
        runs.finish(config.stash[fixtures.RUN])


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a test by its place, not by a long text: a random one would differ between workers."""
    return argname if isinstance(val, str | bytes) and len(val) > 60 else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by what they need; leave out what was asked to be left out."""
    left_out.leave_out(config, items)
    # All tests are loaded now: a fifth of their time went into looking through them for garbage.
    heap.settle()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Have an xdist worker tell the controlling process what it left out."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = session.config.stash.get(left_out.LEFT_OUT, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Learn from an xdist worker what it left out; all of them collect the same tests."""
    told = getattr(node, "workeroutput", {}).get("left_out", {})
    node.config.stash[left_out.LEFT_OUT] = told


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out."""
    left_out.tell(terminalreporter)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what processes printed and what the page showed when a test failed."""
    report = yield
    fixtures.explain(item, report)
    return report
