"""Setting up codes: a new secret is kept aside until a code proves that the person's app has it."""

from __future__ import annotations

from dataclasses import dataclass

import pyotp
from sqlalchemy.orm import Session

from core import clock, strictjson
from core.errors import Conflict
from core.strictjson import Json
from domain.actors import Actor
from domain.people import people, second_factor
from domain.secrets import person_keys
from domain.secrets.person_keys import Whose
from models.people import User

LIVES_SECONDS = 15 * 60
ISSUER = "Paydesk"


@dataclass(frozen=True)
class Pending:
    """A secret that waits for its first code. uri: what an app reads from the picture."""

    secret: str
    uri: str


def pending_place(user_id: str) -> str:
    """Name where a secret that waits is sealed."""
    return f"users|totp_pending|{user_id}"


def begin_app(session: Session, user_id: str, *, actor: Actor, password_shown: bool) -> None:
    """Make a new secret for a person's code app; what they have stays until this one is confirmed.

    Only the session that asked can see and confirm it, for a quarter of an hour.
    Writes: users.totp_pending_sealed. Raises: Forbidden STEP_UP_REQUIRED, InvalidInput.
    Transaction: caller's.
    """
    user = second_factor.locked(session, user_id)
    second_factor.assert_may_add(session, user, actor=actor, password_shown=password_shown)
    until = clock.unix() + LIVES_SECONDS
    kept = f'{{"secret":"{pyotp.random_base32()}","session":"{actor.session_id}","until":{until}}}'
    place = pending_place(user.id)
    user.totp_pending_sealed = person_keys.seal_text(
        session, Whose(user.id), kept, purpose=second_factor.PURPOSE, place=place
    )
    session.flush()


def find_pending(user: User, *, actor: Actor) -> Pending | None:
    """Find the secret that this session began to set up, while it may still be confirmed."""
    if user.totp_pending_sealed is None:
        return None
    place = pending_place(user.id)
    text = person_keys.open_text(
        user, user.totp_pending_sealed, purpose=second_factor.PURPOSE, place=place
    )
    kept = strictjson.loads_object(text.encode())
    secret, until = kept["secret"], kept["until"]
    assert isinstance(secret, str)
    assert isinstance(until, int)
    if kept["session"] != actor.session_id or until <= clock.unix():
        return None
    codes = pyotp.TOTP(secret, interval=second_factor.STEP_SECONDS)
    return Pending(secret, codes.provisioning_uri(name=people.email_of(user), issuer_name=ISSUER))


def confirm_app(session: Session, user_id: str, code: str, *, actor: Actor) -> bool:
    """Put the new secret in the place of any older one, once a code shows that the app has it.

    Writes: users, event_log, audit_log, mails. Emits: user.changed.
    Raises: Conflict when nothing waits here. Transaction: caller's.
    """
    user = second_factor.locked(session, user_id)
    waiting = find_pending(user, actor=actor)
    if waiting is None:
        raise Conflict("This took too long, or was begun elsewhere. Begin again.")
    counter = second_factor.matching_counter(waiting.secret, code)
    if counter is None:
        return False
    place = second_factor.place(user.id)
    replaced = user.totp_confirmed_at is not None
    user.totp_sealed = person_keys.seal_text(
        session, Whose(user.id), waiting.secret, purpose=second_factor.PURPOSE, place=place
    )
    user.totp_pending_sealed = None
    user.totp_confirmed_at = clock.now()
    user.totp_last_counter = counter
    after: dict[str, Json] = {"factor": "app", "replaced": replaced}
    second_factor.tell(session, user, "second_factor.set_up", actor=actor, after=after)
    return True
