"""The second factor: what a person has, time-based codes accepted once each, removal and reset.

Setting one up is `domain/people/enrolment.py` and `domain/people/passkeys.py`; trying one is `domain/people/proving.py`.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

import pyotp
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, Forbidden, SamePerson, invalid
from core.permissions import Permission
from core.states import STAFF, Role
from core.strictjson import Json
from domain import audit, events
from domain.actors import Actor
from domain.people import people, proof_letters, sessions, step_up
from domain.secrets import person_keys
from models.people import User
from models.proofs import Passkey

STEP_SECONDS = 30
PURPOSE = "totp"


@dataclass(frozen=True)
class Factors:
    """What a person can show beyond the password. has_app: a secret for codes, set up or handed out."""

    has_app: bool
    is_app_confirmed: bool
    passkeys: int

    @property
    def any(self) -> bool:
        """Whether anything at all can be shown at a guarded act."""
        return self.has_app or self.passkeys > 0

    @property
    def is_set_up(self) -> bool:
        """Whether the person set one up themselves, so that a sign-in demands it."""
        return self.is_app_confirmed or self.passkeys > 0


def place(user_id: str) -> str:
    """Name where a user's secret is sealed."""
    return f"users|totp|{user_id}"


def factors(session: Session, user: User) -> Factors:
    """Tell what a user can show."""
    count = select(func.count()).select_from(Passkey).where(Passkey.user_id == user.id)
    return Factors(
        has_app=user.totp_sealed is not None,
        is_app_confirmed=user.totp_sealed is not None and user.totp_confirmed_at is not None,
        passkeys=session.scalar(count) or 0,
    )


def locked(session: Session, user_id: str) -> User:
    """Fetch a user whose factors are about to change; nobody else changes them meanwhile.

    Transaction: caller's, writing.
    """
    # Sessions of theirs may still be opened meanwhile: those rows only refer to this one.
    return session.get_one(
        User, user_id, with_for_update={"key_share": True}, populate_existing=True
    )


def matching_counter(secret: str, code: str) -> int | None:
    """Find the time step a code belongs to: this one, or the one before or after; else None.

    Source: RFC 6238 section 5.2 (one step of delay either way)
    """
    if not (code.isascii() and code.isdigit() and len(code) == 6):
        return None
    codes, now = pyotp.TOTP(secret, interval=STEP_SECONDS), clock.unix() // STEP_SECONDS
    for counter in (now, now - 1, now + 1):
        if hmac.compare_digest(codes.generate_otp(counter), code):
            return counter
    return None


def accept_code(session: Session, user: User, code: str) -> bool:
    """Accept a code of this moment or one step beside it, never the same step twice.

    Writes: users.totp_last_counter. Transaction: caller's.
    Source: RFC 6238 section 5.2 (one-time use)
    """
    if user.totp_sealed is None:
        return False
    secret = person_keys.open_text(user, user.totp_sealed, purpose=PURPOSE, place=place(user.id))
    counter = matching_counter(secret, code)
    return counter is not None and _use(session, user, counter)


def _use(session: Session, user: User, counter: int) -> bool:
    last = User.totp_last_counter
    changed = session.execute(
        update(User)
        .where(
            User.id == user.id,
            User.totp_sealed == user.totp_sealed,
            or_(last.is_(None), last < counter),
        )
        .values(totp_last_counter=counter)
        .returning(User.id)
        .execution_options(synchronize_session=False)
    ).first()
    return changed is not None


def assert_may_add(session: Session, user: User, *, actor: Actor, password_shown: bool) -> None:
    """Check that a person may set up a factor: the first for their password, others for one they have.

    Raises: Forbidden STEP_UP_REQUIRED, InvalidInput
    """
    if factors(session, user).any:
        step_up.assert_fresh(actor)
    elif not password_shown:
        raise invalid("password", "Type your password.")


def assert_may_remove(user: User, *, last: bool, actor: Actor, password_shown: bool) -> None:
    """Check that a person may take a factor away: proved, and staff pay for the last with the password.

    Raises: Forbidden STEP_UP_REQUIRED, InvalidInput
    """
    step_up.assert_fresh(actor)
    if last and needs_password_for_last(user) and not password_shown:
        raise invalid("password", "Type your password.")


def needs_password_for_last(user: User) -> bool:
    """Tell whether taking the last factor away asks for the password too."""
    return Role(user.role) in STAFF


def is_last(found: Factors, *, app: bool) -> bool:
    """Tell whether nothing that was set up stays once the app, or else one passkey, is gone."""
    return found.passkeys == 0 if app else found.passkeys == 1 and not found.is_app_confirmed


def remove_app(session: Session, user_id: str, *, actor: Actor, password_shown: bool) -> None:
    """Take away a person's own code app.

    Writes: users, event_log, audit_log, mails. Emits: user.changed.
    Raises: Conflict, Forbidden STEP_UP_REQUIRED, InvalidInput. Transaction: caller's.
    """
    user = locked(session, user_id)
    found = factors(session, user)
    if not found.has_app:
        raise Conflict("No code app is set up.")
    last = is_last(found, app=True)
    assert_may_remove(user, last=last, actor=actor, password_shown=password_shown)
    _clear_app(user)
    tell(session, user, "second_factor.remove", actor=actor, after={"factor": "app"})


def reset(session: Session, user_id: str, *, actor: Actor, reason: str) -> None:
    """Take every factor away from somebody who lost theirs, and sign them out everywhere.

    Writes: users, passkeys, desk_sessions, revoked_tokens, mails, event_log, audit_log.
    Emits: user.changed, session.revoked.
    Raises: Forbidden (STEP_UP_REQUIRED), SamePerson, Conflict. Transaction: caller's.
    """
    if actor.role != Role.ADMIN or not actor.may(Permission.USERS_ADMINISTER):
        raise Forbidden
    step_up.assert_fresh(actor)
    user = locked(session, user_id)
    if people.person_of(session, actor) == people.person_of(session, sessions.actor_of(user)):
        raise SamePerson("Somebody else must reset your second factor.")
    found = factors(session, user)
    if not found.any:
        raise Conflict("This person has no second factor.")
    _clear_app(user)
    session.execute(delete(Passkey).where(Passkey.user_id == user.id))
    before: dict[str, Json] = {"app": found.has_app, "passkeys": found.passkeys}
    tell(session, user, "second_factor.reset", actor=actor, before=before, reason=reason)
    sessions.end_all(session, user.id, actor=actor)


def drop_handed_out(user: User) -> None:
    """Take away a secret that its person did not set up themselves.

    Writes: users. Transaction: caller's.
    """
    if user.totp_confirmed_at is None:
        user.totp_sealed = user.totp_last_counter = None


def _clear_app(user: User) -> None:
    user.totp_sealed = user.totp_pending_sealed = None
    user.totp_confirmed_at = user.totp_last_counter = None


def tell(
    session: Session,
    user: User,
    action: str,
    *,
    actor: Actor,
    before: dict[str, Json] | None = None,
    after: dict[str, Json] | None = None,
    reason: str | None = None,
) -> None:
    """Write down that a person's factors changed; let them know, and the open pages.

    Writes: event_log, audit_log, mails. Emits: user.changed. Transaction: caller's.
    """
    session.flush()
    source = f"user:{actor.id}"
    body: dict[str, Json] = {"userId": user.id, "what": "second_factor"}
    told = events.row("user.changed", people.about_user(user.id), source=source, body=body)
    events.append(session, [told])
    audit.write(
        session,
        action,
        actor=actor,
        object_kind="user",
        object_id=user.id,
        source=source,
        reason=reason,
        before=before,
        after=after,
    )
    proof_letters.tell(session, user, action)
