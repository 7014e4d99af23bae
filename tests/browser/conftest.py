"""The running product and two browsers: one of the desk, one of whoever pays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import sqlalchemy
from playwright.sync_api import Browser, Page

from tests.browser.shop import Shop
from tests.rig import browser as chromium
from tests.rig import databases, environment, fixtures, product
from tests.rig.run import Run

ENGINES = ("sqlite", "postgresql")


@contextmanager
def opened(run: Run, home: Path, *, engine: str, bank_by: str | None = None) -> Iterator[Shop]:
    """Start web, worker and stand-in on a fresh database of this engine, with a shop that sells."""
    clone = databases.sqlite_clone if engine == "sqlite" else databases.postgres_clone
    with clone(run) as url, product.processes(run, home) as processes:
        stack = processes.stack(url, bank_by=bank_by)
        env = environment.settings(url, home, **stack.rails)
        bound = sqlalchemy.create_engine(url)
        try:
            yield Shop(stack, processes, env, bound)
        finally:
            bound.dispose()


class Street:
    """The shops of one module, opened when first asked for."""

    def __init__(self, run: Run, home: Path) -> None:
        self.run, self.home = run, home
        self.shops: dict[str, Shop] = {}
        self.closed = ExitStack()

    def on(self, engine: str) -> Shop:
        """Give the shop on this engine."""
        if engine not in self.shops:
            opening = opened(self.run, self.home / engine, engine=engine)
            self.shops[engine] = self.closed.enter_context(opening)
        return self.shops[engine]


@pytest.fixture(scope="module")
def street(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """The shops of this module."""
    made = Street(run, tmp_path_factory.mktemp("shops"))
    with made.closed:
        yield made


@pytest.fixture(params=ENGINES)
def shop(request: pytest.FixtureRequest, street: Street) -> Shop:
    """A shop that this module's tests share; the test runs once on each engine."""
    lent = street.on(request.param)
    lent.bind()
    request.node.stash[fixtures.STARTED] = lent.processes
    return lent


# Browsers close before the processes end, or their open streams would complain.
@pytest.fixture
def page(shop: Shop, page: Page) -> Page:
    """An empty page of a fresh browser, on the running product."""
    del shop
    return page


@pytest.fixture
def payer(shop: Shop, browser: Browser, watch: chromium.Watch) -> Iterator[Page]:
    """A browser of somebody who pays; never signed in."""
    del shop
    with chromium.context(browser, watch) as opened:
        yield opened.new_page()
