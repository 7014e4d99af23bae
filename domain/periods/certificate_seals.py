"""How certificates are sealed, and the proof that each is the one that was hashed."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from core import hashing
from core.vault import CannotOpen
from domain.secrets import keyring
from models.periods import PeriodClosing

_PURPOSE = "certificate"


def _place(closing_id: str) -> str:
    return f"period_closings|certificate|{closing_id}"


def sealed(pdf: bytes, *, closing_id: str) -> bytes:
    """Seal the certificate of a closing."""
    return keyring.vault().seal(pdf, purpose=_PURPOSE, place=_place(closing_id))


def opened(body: bytes, *, closing_id: str) -> bytes:
    """Open what `sealed` made.

    Raises: core.vault.CannotOpen
    """
    return keyring.vault().open(body, purpose=_PURPOSE, place=_place(closing_id))


def proofs(session: Session) -> Iterator[str | None]:
    """Check that each certificate that was printed is the one whose hash is kept."""
    statement = select(PeriodClosing).where(PeriodClosing.certificate_sha256.is_not(None))
    whole = statement.options(undefer(PeriodClosing.certificate)).order_by(PeriodClosing.id)
    for row in session.scalars(whole.execution_options(yield_per=10)):
        yield _problem(row)


def _problem(row: PeriodClosing) -> str | None:
    name = f"the certificate of closing {row.no} of {row.period_id} ({row.id})"
    if row.certificate is None:
        return f"{name} is gone"
    try:
        pdf = opened(row.certificate, closing_id=row.id)
    except CannotOpen:
        return f"{name} cannot be opened"
    same = hashing.sha256(pdf) == row.certificate_sha256
    return None if same else f"{name} is not the one that was hashed"
