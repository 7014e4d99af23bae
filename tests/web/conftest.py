"""Desk pages to knock at: a few that only show whether they were reached."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.web import pages


@pytest.fixture
def desk(app: Flask) -> pages.Desk:
    """The app with a few desk pages more, on which the gate is tried."""
    return pages.mount(app)
