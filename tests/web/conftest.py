"""Desk pages to knock at: a few that only show whether they were reached."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.api import apps
from tests.web import pages


@pytest.fixture
def desk(app: Flask) -> pages.Desk:
    """The app with a few desk pages more, on which the gate is tried."""
    return pages.mount(app)


@pytest.fixture
def make_app(environ: dict[str, str]) -> Iterator[apps.Make]:
    """Makes further apps: `make_app(STRIPE_SECRET_KEY="sk_test_x")`."""
    with apps.maker(environ) as make:
        yield make
