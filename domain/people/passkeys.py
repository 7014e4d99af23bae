"""Passkeys: set up, listed, shown and removed; each answer signs a challenge of ours, used once.

Source: Web Authentication level 3, sections 7.1 and 7.2
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import webauthn
from cryptography.exceptions import UnsupportedAlgorithm
from sqlalchemy import and_, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import (
    bytes_to_base64url,
    options_to_json,
    parse_authentication_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from core import clock, ids
from core.errors import Conflict, InvalidInput, NotFound, invalid
from core.strictjson import Json
from domain import audit
from domain.actors import Actor
from domain.people import challenges, people, second_factor, sessions
from domain.people.challenges import Asked, Purpose
from models.people import User
from models.proofs import Passkey

MOST, LONGEST_NAME, LONGEST_ANSWER = 10, 60, 16_384
_VERIFY = UserVerificationRequirement.PREFERRED
# What the library raises for an answer that was made up, beside its own errors.
_MADE_UP = (
    *(WebAuthnException, ValueError, TypeError, KeyError, AttributeError, IndexError),
    *(RecursionError, OverflowError, MemoryError, UnsupportedAlgorithm),
)


@dataclass(frozen=True)
class Site:
    """Where passkeys count: the name of this installation's host, and its origin."""

    host: str
    origin: str

    @property
    def is_named(self) -> bool:
        """Passkeys belong to a name; browsers refuse bare addresses."""
        try:
            ipaddress.ip_address(self.host.strip("[]"))
        except ValueError:
            return bool(self.host)
        return False


def list_passkeys(session: Session, user_id: str) -> list[Passkey]:
    """List a person's passkeys, oldest first."""
    statement = select(Passkey).where(Passkey.user_id == user_id)
    return list(session.scalars(statement.order_by(Passkey.created_at, Passkey.id)))


def get_passkey(session: Session, passkey_id: str, *, user_id: str) -> Passkey:
    """Fetch a person's own passkey.

    Raises: NotFound
    """
    row = session.get(Passkey, passkey_id)
    if row is None or row.user_id != user_id:
        raise NotFound
    return row


def _descriptors(rows: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(id=webauthn.base64url_to_bytes(row.credential_id))
        for row in rows
    ]


def clean_name(name: str) -> str:
    """Check what a passkey is to be called.

    Raises: InvalidInput
    """
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise invalid("name", f"A name has 1 to {LONGEST_NAME} characters.")
    return name


def ask_new(
    session: Session, user_id: str, *, actor: Actor, site: Site, password_shown: bool
) -> tuple[Asked, str]:
    """Ask a browser to make a passkey. Gives the challenge and the options as JSON.

    Writes: challenges. Raises: Forbidden STEP_UP_REQUIRED, InvalidInput, Conflict.
    Transaction: caller's.
    """
    user = second_factor.locked(session, user_id)
    second_factor.assert_may_add(session, user, actor=actor, password_shown=password_shown)
    rows = list_passkeys(session, user.id)
    if len(rows) >= MOST:
        raise Conflict(f"A person has at most {MOST} passkeys. Remove one first.")
    asked = challenges.ask(session, user.id, Purpose.ENROL, place=actor.session_id or "")
    email = people.email_of(user)
    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name="Paydesk",
        user_id=user.id.encode(),
        user_name=email,
        user_display_name=user.name or email,
        challenge=asked.challenge,
        timeout=challenges.LIVES_SECONDS * 1000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=_VERIFY
        ),
        exclude_credentials=_descriptors(rows),
    )
    return asked, options_to_json(options)


def use_new(session: Session, user_id: str, challenge_id: str, *, actor: Actor) -> bytes | None:
    """Use up the challenge by which a passkey was asked for; None when it counts no more.

    Writes: challenges. Transaction: caller's, committed before the answer is looked at.
    """
    place = actor.session_id or ""
    return challenges.use(
        session, challenge_id, user_id=user_id, purpose=Purpose.ENROL, place=place
    )


def read_new(answer: str, *, challenge: bytes, site: Site) -> VerifiedRegistration:
    """Check what the browser answered when asked to make a passkey.

    Raises: InvalidInput
    """
    try:
        return webauthn.verify_registration_response(
            credential=_short(answer),
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
        )
    except _MADE_UP as error:
        raise InvalidInput("The passkey could not be set up. Begin again.") from error


def add(
    session: Session, user_id: str, made: VerifiedRegistration, name: str, *, actor: Actor
) -> Passkey:
    """Keep a passkey; a secret that was only handed out goes.

    Writes: passkeys, users, event_log, audit_log, mails. Emits: user.changed.
    Raises: Conflict when it is somebody's already. Transaction: caller's.
    """
    user = second_factor.locked(session, user_id)
    row = Passkey(
        id=ids.new("pky"),
        user_id=user.id,
        credential_id=bytes_to_base64url(made.credential_id),
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        name=clean_name(name),
        is_backed_up=made.credential_backed_up,
        created_at=clock.now(),
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise Conflict("This passkey is set up already.") from error
    # What was handed out is no secret; it must not open what a passkey now guards.
    second_factor.drop_handed_out(user)
    after: dict[str, Json] = {"factor": "passkey", "passkeyId": row.id}
    second_factor.tell(session, user, "second_factor.set_up", actor=actor, after=after)
    return row


def ask(
    session: Session, user: User, purpose: Purpose, *, place: str, site: Site
) -> tuple[Asked, str]:
    """Ask a browser to show one of a person's passkeys. Gives the challenge and the options as JSON.

    Writes: challenges. Raises: Conflict when the person has none. Transaction: caller's.
    """
    rows = list_passkeys(session, user.id)
    if not rows:
        raise Conflict("No passkey is set up.")
    asked = challenges.ask(session, user.id, purpose, place=place)
    options = webauthn.generate_authentication_options(
        rp_id=site.host,
        challenge=asked.challenge,
        timeout=challenges.LIVES_SECONDS * 1000,
        allow_credentials=_descriptors(rows),
        user_verification=_VERIFY,
    )
    return asked, options_to_json(options)


def accept(session: Session, user: User, answer: str, *, challenge: bytes, site: Site) -> bool:
    """Accept the signature of one of a person's own passkeys, whose counter has gone on.

    Writes: passkeys, audit_log. Transaction: caller's.
    """
    try:
        shown = parse_authentication_credential_json(_short(answer))
        row = _find(session, user.id, bytes_to_base64url(shown.raw_id))
        read = None if row is None else _verified(shown, row, challenge, site)
    except _MADE_UP:
        return False
    if row is None or read is None:
        return False
    if _count_on(session, row, read):
        return True
    # Two authenticators sign as one: the key was copied.
    audit.write(
        session,
        "passkey.counter_went_back",
        actor=sessions.actor_of(user),
        object_kind="user",
        object_id=user.id,
        source=f"user:{user.id}",
        after={"passkeyId": row.id},
        refused=True,
    )
    return False


def _short(answer: str) -> str:
    if len(answer) > LONGEST_ANSWER:
        raise ValueError("too long for an answer")
    return answer


def _find(session: Session, user_id: str, credential_id: str) -> Passkey | None:
    return session.scalars(
        select(Passkey).where(Passkey.credential_id == credential_id, Passkey.user_id == user_id)
    ).first()


def _verified(
    shown: AuthenticationCredential, row: Passkey, challenge: bytes, site: Site
) -> VerifiedAuthentication:
    return webauthn.verify_authentication_response(
        credential=shown,
        expected_challenge=challenge,
        expected_rp_id=site.host,
        expected_origin=site.origin,
        credential_public_key=row.public_key,
        # The counter is compared where it is written, so that two answers at once cannot both pass.
        credential_current_sign_count=0,
    )


def _count_on(session: Session, row: Passkey, read: VerifiedAuthentication) -> bool:
    count = read.new_sign_count
    # An authenticator that does not count says nought for ever.
    goes_on = Passkey.sign_count < count
    never_counts = and_(Passkey.sign_count == 0, literal(count) == 0)
    changed = session.execute(
        update(Passkey)
        .where(Passkey.id == row.id, or_(goes_on, never_counts))
        .values(sign_count=count, last_used_at=clock.now())
        .returning(Passkey.id)
        .execution_options(synchronize_session=False)
    ).first()
    return changed is not None


def remove(
    session: Session, user_id: str, passkey_id: str, *, actor: Actor, password_shown: bool
) -> None:
    """Take away one of a person's own passkeys.

    Writes: passkeys, event_log, audit_log, mails. Emits: user.changed.
    Raises: NotFound, Forbidden STEP_UP_REQUIRED, InvalidInput. Transaction: caller's.
    """
    user = second_factor.locked(session, user_id)
    row = get_passkey(session, passkey_id, user_id=user.id)
    last = second_factor.is_last(second_factor.factors(session, user), app=False)
    second_factor.assert_may_remove(user, last=last, actor=actor, password_shown=password_shown)
    session.delete(row)
    after: dict[str, Json] = {"factor": "passkey", "passkeyId": row.id}
    second_factor.tell(session, user, "second_factor.remove", actor=actor, after=after)
