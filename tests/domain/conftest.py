"""The world that the domain's tests live in, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

import config
from tests.domain import world as worlds


@pytest.fixture
def world(engine: Engine, environ: dict[str, str]) -> worlds.World:
    """A migrated database with people, and a fake rail in Stripe's place."""
    del engine
    more = {"STRIPE_SECRET_KEY": "sk_test_world", "STRIPE_WEBHOOK_SECRET": worlds.WEBHOOK_SECRET}
    return worlds.build(config.load(environ | more))
