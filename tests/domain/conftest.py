"""The world that the domain's tests live in, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

import config
from core.states import Role
from domain.actors import Actor
from tests.domain import asking, refunding
from tests.domain import world as worlds


@pytest.fixture
def world(engine: Engine, environ: dict[str, str]) -> worlds.World:
    """A migrated database with people, and a fake rail in Stripe's place."""
    del engine
    more = {"STRIPE_SECRET_KEY": "sk_test_world", "STRIPE_WEBHOOK_SECRET": worlds.WEBHOOK_SECRET}
    return worlds.build(config.load(environ | more))


@pytest.fixture
def fin(world: worlds.World) -> Actor:
    """Fin of finance, at the desk and freshly proved."""
    del world
    return refunding.person("fin", Role.FINANCE)


@pytest.fixture
def flo(world: worlds.World) -> Actor:
    """Flo of finance, at the desk and freshly proved."""
    del world
    return refunding.person("flo", Role.FINANCE)


@pytest.fixture
def sue(world: worlds.World) -> Actor:
    """Sue of support, at the desk and freshly proved."""
    del world
    return refunding.person("sue", Role.SUPPORT)


@pytest.fixture
def staff(world: worlds.World) -> asking.Staff:
    """Fin and Flo of finance and Ada the admin, at the desk and freshly proved."""
    del world
    return asking.staff()
