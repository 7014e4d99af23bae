"""Callers of the API, and a probe surface on which the contract itself is tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from api.contract import registry
from tests.api import apps, personas, probe
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


@pytest.fixture
def make_app(environ: dict[str, str]) -> Iterator[apps.Make]:
    """Makes further apps: `make_app(STRIPE_SECRET_KEY="sk_test_x")`."""
    with apps.maker(environ) as make:
        yield make
