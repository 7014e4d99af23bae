"""A desk of TrueLayer's for each test, and our rail to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from providers.seam import Rail
from tests.providers.truelayer.desk import Desk, open_desk


@pytest.fixture
def opened() -> Iterator[tuple[Desk, Rail]]:
    with open_desk() as found:
        yield found


@pytest.fixture
def desk(opened: tuple[Desk, Rail]) -> Desk:
    return opened[0]


@pytest.fixture
def rail(opened: tuple[Desk, Rail]) -> Rail:
    return opened[1]
