"""What can matter no more goes; what still protects somebody stays."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from core import clock
from domain import database
from domain.jobs import housekeeping
from models.idempotency import IdempotencyKey
from tests.domain.world import World


def test_only_expired_keys_are_thrown_away(world: World) -> None:
    del world
    now = clock.now()
    with database.transaction() as session:
        for name, expires_at in (
            ("old", now - timedelta(seconds=1)),
            ("new", now + timedelta(days=1)),
        ):
            session.add(
                IdempotencyKey(
                    principal="usr_bo",
                    key=name,
                    route="POST /api/orders",
                    request_hash="x",
                    state="done",
                    lock_token="lck_1",
                    locked_until=now,
                    created_at=now - timedelta(days=30),
                    expires_at=expires_at,
                )
            )
        session.flush()
    housekeeping.tidy()
    with database.reading() as session:
        assert list(session.scalars(select(IdempotencyKey.key))) == ["new"]
