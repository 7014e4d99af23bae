"""People, a till that takes payments, and the desk, on one fresh app per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk
from web import identity


@pytest.fixture
def who(app: Flask) -> Iterator[Personas]:
    """The people and keys of this test."""
    del app
    identity.forget_cached()
    yield Personas()
    identity.forget_cached()


@pytest.fixture
def till(app: Flask) -> Till:
    """Paying over the API, with a rail that answers from memory."""
    return Till.open(app)


@pytest.fixture
def desk(app: Flask) -> Desk:
    """The desk."""
    return Desk(app)
