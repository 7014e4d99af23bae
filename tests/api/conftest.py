"""Callers of the API, and a probe surface on which the contract itself is tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from api.contract import registry
from tests.api import personas, probe
from web import identity


@pytest.fixture
def who(app: Flask) -> Iterator[personas.Personas]:
    """The people and keys of this test, in the app's database."""
    del app
    identity.forget_cached()
    yield personas.Personas()
    identity.forget_cached()


@pytest.fixture
def probed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> probe.Probe:
    """The app with a few endpoints more, which only show what the contract does."""
    # The probe must not be found in the description that other tests of this process read.
    monkeypatch.setattr(registry, "ENDPOINTS", dict(registry.ENDPOINTS))
    return probe.mount(app)
