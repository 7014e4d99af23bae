"""The vault of this process, made from the master keys of the settings."""

from __future__ import annotations

from config import Settings
from core.vault import Vault

_held: list[Vault] = []


def configure(settings: Settings) -> None:
    """Make the vault of this process."""
    _held[:] = [Vault(settings.master_keys)]


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
