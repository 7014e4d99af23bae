"""Challenges as rows: what a browser is asked to sign; answered once, soon, and where it was asked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from core import clock, ids
from models.proofs import Challenge

LIVES_SECONDS = 300


class Purpose(StrEnum):
    """What a challenge is for; one for another purpose never answers."""

    ENROL = "enrol"
    STEP_UP = "step_up"
    SIGN_IN = "sign_in"
    HALFWAY = "halfway"


@dataclass(frozen=True)
class Asked:
    """A challenge just made: its row's id, and what the authenticator signs."""

    id: str
    challenge: bytes


def ask(session: Session, user_id: str, purpose: Purpose, *, place: str) -> Asked:
    """Ask a person's browser to sign something new.

    place: the desk session or half-way sign-in that asks; an answer counts only there.
    Writes: challenges. Transaction: caller's.
    """
    row = Challenge(
        id=ids.new("chl"),
        user_id=user_id,
        purpose=purpose.value,
        challenge=ids.token(32),
        expires_at=clock.after(LIVES_SECONDS),
    )
    session.add(row)
    session.flush()
    return Asked(row.id, _bound(row.challenge, place))


def use(
    session: Session, challenge_id: str, *, user_id: str, purpose: Purpose, place: str
) -> bytes | None:
    """Use a challenge up; gives what must have been signed, or None when it is not to be answered here.

    Writes: challenges.used_at. Transaction: caller's, committed whatever comes of the answer.
    """
    chance = session.scalar(
        update(Challenge)
        .where(
            Challenge.id == challenge_id,
            Challenge.user_id == user_id,
            Challenge.purpose == purpose.value,
            Challenge.used_at.is_(None),
            Challenge.expires_at > clock.now(),
        )
        .values(used_at=clock.now())
        .returning(Challenge.challenge)
        .execution_options(synchronize_session=False)
    )
    return None if chance is None else _bound(chance, place)


def forget_old(session: Session, *, now: datetime) -> None:
    """Delete challenges that can be answered no more.

    Writes: challenges. Transaction: caller's.
    """
    session.execute(delete(Challenge).where(Challenge.expires_at < now))


def _bound(chance: str, place: str) -> bytes:
    return hashlib.sha256(f"{chance}|{place}".encode()).digest()
