"""Erasing somebody: their key is destroyed and what named them goes, in one transaction; the chains stay whole.

What the law makes us keep of them lies under other keys, one for each year of the books, and ends by
itself (`domain/people/retention.py`). Why so: docs/decisions/029-a-key-per-person.md.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, NotFound
from core.strictjson import Json
from domain import audit, crash, events, pending
from domain.actors import Actor
from domain.control.acts import role_change
from domain.people import erasure_acts, erasure_outlook, legal_holds, people
from domain.secrets import person_keys
from domain.secrets.person_keys import Whose
from domain.transitions import Why
from models.people import User


def ask(session: Session, *, actor: Actor) -> User:
    """Note that somebody asks to be erased, from their own account; again: nothing changes.

    Writes: users, event_log, audit_log. Emits: user.changed. Transaction: caller's.
    """
    return _wish(session, actor, asks=True)


def take_back(session: Session, *, actor: Actor) -> User:
    """Note that somebody asks to be erased no more.

    Writes, emits: as `ask`. Transaction: caller's.
    """
    return _wish(session, actor, asks=False)


def _wish(session: Session, actor: Actor, *, asks: bool) -> User:
    user = role_change.lock(session, {actor.id}).get(actor.id)
    if user is None or user.erased_at is not None:
        raise NotFound
    if (user.erasure_asked_at is not None) == asks:
        return user
    user.erasure_asked_at = clock.now() if asks else None
    session.flush()
    after: dict[str, Json] = {"asksToBeErased": asks}
    why = Why(actor, f"user:{actor.id}")
    role_change.tell(session, user, "erasure_wish", before={}, after=after, why=why)
    return user


def list_asking(session: Session, *, limit: int = 100) -> list[User]:
    """List who waits to be erased, whoever has waited longest first. Transaction: caller's, reads only."""
    waits = (User.erasure_asked_at.is_not(None), User.erased_at.is_(None))
    order = (User.erasure_asked_at, User.id)
    return list(session.scalars(select(User).where(*waits).order_by(*order).limit(limit)))


def erase(session: Session, user_id: str, *, actor: Actor, source: str, reason: str) -> User:
    """Erase somebody for good.

    1. who may, and a reason; 2. they and every admin locked, nothing in the way; 3. what the books need
    is made to stand by itself; 4. what named them goes; 5. their key is destroyed.
    Writes: person_keys, users and whatever holds something of theirs; event_log, audit_log.
    Emits: person.erased, session.revoked. Raises: Forbidden, NotFound, InvalidInput, SamePerson,
    Conflict (ALREADY_ERASED, ERASURE_BLOCKED, LAST_ADMIN). Transaction: caller's.
    """
    legal_holds.assert_may(actor)
    reason = legal_holds.assert_reason(reason)
    locked = role_change.lock(session, {user_id, actor.id})
    user = locked.get(user_id)
    if user is None:
        raise NotFound
    if user.erased_at is not None:
        raise Conflict("This person is erased already.", code="ALREADY_ERASED")
    if actor.kind != "system":
        role_change.assert_still_admins(locked, {actor.id})
        role_change.assert_another(session, people.person_index_of(user), {actor.id})
    _assert_not_last(locked, user)
    found = erasure_outlook.blocks(session, user)
    if found:
        details = {"blocks": [{"code": each.code, "message": each.said} for each in found]}
        raise Conflict(found[0].said, code="ERASURE_BLOCKED", details=details)
    why = Why(actor, source, reason)
    erasure_acts.settle_books(session, user)
    erasure_acts.end_access(session, user, why=why)
    counts = erasure_acts.drop(session, user, by=actor.id)
    erasure_acts.empty(session, user, why=why)
    _tell(session, user, counts, why)
    # Last: whoever writes something about them holds on to their key, and to other rows before it.
    person_keys.bury(session, Whose(user.id), by=actor.id, why=reason)
    crash.point("erasure.after_key")
    # What is added at the end of a transaction, such as the audit log's rows, before the point.
    pending.write_rows(session)
    crash.point("erasure.before_commit")
    return user


def _assert_not_last(locked: dict[str, User], user: User) -> None:
    try:
        role_change.assert_not_last_admin(locked, user)
    except Conflict as error:
        raise Conflict(error.message, code="LAST_ADMIN") from error


def _tell(session: Session, user: User, counts: dict[str, Json], why: Why) -> None:
    body: dict[str, Json] = {"userId": user.id, "what": "erased"}
    about = events.about_staff(user.id, demo=user.demo)
    told = events.row("person.erased", about, source=why.source, status="erased", body=body)
    events.append(session, [told])
    audit.write(
        session,
        "person.erase",
        actor=why.actor,
        object_kind="user",
        object_id=user.id,
        source=why.source,
        reason=why.reason,
        after={"state": user.state} | counts,
    )
