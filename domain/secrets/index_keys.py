"""Keeping the keys of the blind indexes by themselves, sealed, so that the master key they came from can go."""

from __future__ import annotations

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.vault import CannotOpen
from domain import audit
from domain.actors import system
from domain.people import people
from domain.secrets import keyring, secrets
from domain.secrets.secret_kinds import INDEX, OURS
from models.people import User
from models.secrets import SecretVersion

log = structlog.get_logger()


def store(session: Session) -> bool:
    """Store the index keys, once for an installation. Gives whether they are stored now.

    Left undone while an index in the database does not agree with them: then the master key they came
    from is not the oldest one that this process was given.
    Writes: secrets, secret_versions, audit_log. Transaction: caller's.
    """
    secret = secrets.lock(session, secrets.Name(OURS, INDEX))
    if keyring.find_indexes(session) is not None:
        return True
    if not _agree(session):
        log.warning("index_keys.not_kept", reason="they disagree with the indexes that are there")
        return False
    text, version_id = keyring.write_indexes(keyring.vault().derived_indexes()), ids.new("scv")
    session.add(
        SecretVersion(
            id=version_id,
            secret_id=secret.id,
            version=1,
            state="active",
            value_sealed=keyring.seal_version(text, version_id),
            # A blind index of the keys of blind indexes would need itself.
            fingerprint=hashing.sha256(version_id.encode()),
            origin="derived",
            created_at=clock.now(),
            activated_at=clock.now(),
        )
    )
    session.flush()
    audit.write(
        session,
        "index_keys.keep",
        actor=system("secrets"),
        object_kind="secret",
        object_id=secret.id,
        source=f"secret:{secret.id}",
        after={"masterKeyId": keyring.vault().kid},
    )
    return True


def _agree(session: Session) -> bool:
    user = session.scalars(
        select(User).where(User.erased_at.is_(None)).order_by(User.created_at).limit(1)
    ).first()
    if user is None:
        return True
    try:
        return people.email_index(people.email_of(user)) == user.email_index
    except CannotOpen:
        return False
