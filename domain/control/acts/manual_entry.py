"""A journal entry that a person wrote, agreed to by another."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.errors import AppError
from core.strictjson import Json
from domain.books import manual
from domain.control.acts import Kind
from domain.control.warrants import Content, Warrant


def _read(session: Session, asked: Content) -> Content | None:
    """Read it anew; None when a tie or an account is gone, its month was closed, or it was posted."""
    try:
        return manual.content(manual.checked(session, manual.wanted_of(asked)))
    except AppError:
        return None


def _carry_out(session: Session, warrant: Warrant) -> dict[str, Json]:
    return {"entryId": manual.post(session, warrant)}


KIND = Kind(read=_read, carry_out=_carry_out)
