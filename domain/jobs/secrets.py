"""The worker's duties for secrets: end what has outlived its overlap, complain of age, seal anew."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from core import clock
from domain import crash, database
from domain.actors import system
from domain.mail import notice_facts
from domain.secrets import (
    index_keys,
    key_rotation,
    keyring,
    reencryption,
    rotation,
    secret_queries,
    secrets,
)
from domain.transitions import Why
from models.secrets import Secret, SecretVersion


def look_after() -> bool:
    """Bring the environment's secrets in, keep the index keys, retire versions and keys whose time has come, tell of age.

    Writes, emits: as `secrets.adopt`, `rotation.retire_due`, `key_rotation.retire_due`; secret.overdue.
    Transaction: opens its own.
    """
    secrets.adopt_all()
    with database.reading() as session:
        has_indexes = keyring.find_indexes(session) is not None
    with database.transaction() as session:
        if not has_indexes:
            index_keys.store(session)
        ended = rotation.retire_due(session) + key_rotation.retire_due(session)
        for secret, row in secret_queries.list_overdue(session):
            _tell_overdue(session, secret, row)
    return ended > 0


def _tell_overdue(session: Session, secret: Secret, row: SecretVersion) -> None:
    """Tell once for each version; of two workers the row's update lets one through."""
    first = session.execute(
        update(SecretVersion)
        .where(SecretVersion.id == row.id, SecretVersion.overdue_told_at.is_(None))
        .values(overdue_told_at=clock.now())
        .returning(SecretVersion.id)
        .execution_options(synchronize_session=False)
    ).first()
    if first is not None:
        why = Why(system("rotation"), f"secret:{secret.id}", "older than it should be")
        rotation.tell(session, "secret.overdue", secret, row, why=why)
        name = f"{secret.provider} {secret.kind}"
        notice_facts.secret_overdue(session, secret.id, row.id, name=name)


def seal_anew() -> bool:
    """Seal the next rows with the first master key, if a pass is open. Gives whether there was work.

    What is sealed is prepared before the transaction; on SQLite nobody waits for that.
    Transaction: opens its own.
    """
    with database.reading() as session:
        planned = reencryption.plan(session)
    if planned is None:
        return False
    with database.transaction() as session:
        reencryption.write(session, planned)
    crash.point("reencryption.after_commit")
    return True
