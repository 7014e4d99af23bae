"""The vault of this process, made from the master keys of the settings, and the stored index keys."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from config import Settings
from core.vault import Vault
from domain import database
from models.secrets import Secret, SecretVersion

INDEXES = ("paydesk", "index", "all")
_PURPOSE = "secret"
_held: list[Vault] = []


def configure(settings: Settings) -> None:
    """Make the vault of this process."""
    _held[:] = [Vault(settings.master_keys, stored_indexes=_stored_indexes)]


def vault() -> Vault:
    """Give the vault of this process.

    Raises: RuntimeError before `configure`
    """
    if not _held:
        raise RuntimeError("the vault has no keys yet")
    return _held[0]


def seal_text(text: str, *, purpose: str, place: str) -> bytes:
    """Seal a text for one place (`table|column|row`)."""
    return vault().seal(text.encode(), purpose=purpose, place=place)


def open_text(sealed: bytes, *, purpose: str, place: str) -> str:
    """Open what `seal_text` made.

    Raises: core.vault.CannotOpen
    """
    return vault().open(sealed, purpose=purpose, place=place).decode()


def version_place(version_id: str) -> str:
    """Name where a version of a secret is sealed."""
    return f"secret_versions|value|{version_id}"


def seal_version(value: str, version_id: str) -> bytes:
    """Seal the value of a secret's version."""
    return seal_text(value, purpose=_PURPOSE, place=version_place(version_id))


def open_version(row: SecretVersion) -> str:
    """Open the value of a secret's version.

    Raises: core.vault.CannotOpen
    """
    return open_text(row.value_sealed, purpose=_PURPOSE, place=version_place(row.id))


def write_indexes(keys: Mapping[str, bytes]) -> str:
    """Write index keys as the text that is sealed."""
    return json.dumps({name: base64.b64encode(key).decode() for name, key in keys.items()})


def find_indexes(session: Session) -> SecretVersion | None:
    """Find the stored index keys; None while the oldest master key still has to stand for them."""
    provider, kind, mode = INDEXES
    statement = (
        select(SecretVersion)
        .join(Secret, Secret.id == SecretVersion.secret_id)
        .where(Secret.provider == provider, Secret.kind == kind, Secret.mode == mode)
    )
    return session.scalars(statement).first()


def _stored_indexes() -> dict[str, bytes] | None:
    with database.reading() as session:
        row = find_indexes(session)
    if row is None:
        return None
    return {name: base64.b64decode(key) for name, key in json.loads(open_version(row)).items()}
