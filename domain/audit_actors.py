"""Finding who is meant in the audit log: an id, an e-mail address, a name, a key or a part of Paydesk."""

from __future__ import annotations

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from domain.people import people
from models.people import ApiKey, User

MOST = 50
_IDS = ("usr_", "key_", "system:")


def find(session: Session, text: str) -> list[str]:
    """Give the ids of those a text may mean, none when it means nobody; an address only in full.

    Transaction: caller's, reads only.
    """
    text = text.strip()
    if text.startswith(_IDS):
        return [text]
    if "@" in text:
        user = people.find_user(session, text)
        return [user.id] if user is not None else []
    part = text.lower()
    named = func.lower(User.name).contains(part, autoescape=True)
    known = or_(func.lower(ApiKey.name).contains(part, autoescape=True), ApiKey.prefix == text)
    found = list(session.scalars(select(User.id).where(named).order_by(User.id).limit(MOST)))
    found += session.scalars(select(ApiKey.id).where(known).order_by(ApiKey.id).limit(MOST))
    return [*found, f"system:{part}"]
