"""The people of a sandbox: two of each staff role, a merchant's, a buyer, a seller, and another tenant's.

Each has a password and a secret for codes, handed out: it proves them at guarded acts, and no sign-in
asks for it until they set up their own.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pyotp
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.states import Kyc, Role
from domain.actors import system
from domain.people import people, second_factor
from domain.secrets import keyring, person_keys
from domain.secrets.person_keys import Whose
from models.people import User

_MEL, _EVE = "Meadow Market", "Evergreen Goods"
_WHO = (
    ("sue", Role.SUPPORT, None),
    ("sam", Role.SUPPORT, None),
    ("fin", Role.FINANCE, None),
    ("flo", Role.FINANCE, None),
    ("ada", Role.ADMIN, None),
    ("abe", Role.ADMIN, None),
    ("ed", Role.ENGINEER, None),
    ("eli", Role.ENGINEER, None),
    ("ann", Role.AUDITOR, None),
    ("art", Role.AUDITOR, None),
    ("mel", Role.MERCHANT, _MEL),
    ("bo", Role.BUYER, None),
    ("sal", Role.SELLER, None),
    ("eve", Role.MERCHANT, _EVE),
)


@dataclass(frozen=True)
class SandboxPerson:
    """One login of the sandbox, to be printed. totp: the secret of their codes; merchant: whose people
    they are, or None.
    """

    email: str
    name: str
    role: Role
    password: str
    totp: str
    merchant: str | None


def _totp(name: str) -> str:
    """Give the secret of a person's codes, derived like their password."""
    digits = keyring.vault().blind_index(name, purpose="sandbox second factor")
    return base64.b32encode(bytes.fromhex(digits)[:20]).decode()


def _password(name: str) -> str:
    """Give a person's password: chance to a stranger, the same at every start of this installation."""
    digits = keyring.vault().blind_index(name, purpose="sandbox password")
    return "-".join((name, digits[:4], digits[4:8], digits[8:12]))


def list_sandbox_people() -> list[SandboxPerson]:
    """List the sandbox's people with their passwords."""
    return [
        SandboxPerson(
            email=f"{name}@sandbox.example",
            name=name.capitalize(),
            role=role,
            password=_password(name),
            totp=_totp(name),
            merchant=merchant,
        )
        for name, role, merchant in _WHO
    ]


def seed_sandbox(session: Session) -> list[SandboxPerson]:
    """Add the sandbox's people and their merchants, those that are missing. Gives them all.

    Writes: merchants, users, event_log, audit_log. Transaction: caller's.
    """
    actor = system("sandbox")
    everybody = list_sandbox_people()
    for person in everybody:
        if people.find_user(session, person.email) is not None:
            continue
        wanted = people.NewUser(
            email=person.email,
            role=person.role,
            name=person.name,
            password=person.password,
            merchant_id=_merchant_id(session, person.merchant),
            kyc=Kyc.APPROVED,
            demo=True,
        )
        people.create_user(session, wanted, actor=actor, source="sandbox")
    hand_out(session)
    return everybody


def hand_out(session: Session) -> None:
    """Give the sandbox's people their secrets, those who have set up nothing of their own.

    Writes: users. Transaction: caller's.
    """
    for person in list_sandbox_people():
        user = people.find_user(session, person.email)
        if user is None or not user.demo or second_factor.factors(session, user).is_set_up:
            continue
        if _handed_out(user) == person.totp:
            continue
        place = second_factor.place(user.id)
        user.totp_sealed = person_keys.seal_text(
            session, Whose(user.id), person.totp, purpose=second_factor.PURPOSE, place=place
        )
        user.totp_last_counter = None
    session.flush()


def _handed_out(user: User) -> str | None:
    if user.totp_sealed is None or user.totp_confirmed_at is not None:
        return None
    place = second_factor.place(user.id)
    return person_keys.open_text(user, user.totp_sealed, purpose=second_factor.PURPOSE, place=place)


def current_code(user: User) -> str | None:
    """Give the next code that a sandbox's person can show; None for a secret of their own.

    Only a sandbox may ask: what is handed out is known to everybody there.
    """
    secret = _handed_out(user) if user.demo else None
    known = {person.email: person.totp for person in list_sandbox_people()}
    if secret is None or known.get(people.email_of(user)) != secret:
        return None
    now, last = clock.unix() // second_factor.STEP_SECONDS, user.totp_last_counter or 0
    # The code of this step may have been shown already; the next one is accepted a step early.
    counter = max(now, last + 1)
    codes = pyotp.TOTP(secret, interval=second_factor.STEP_SECONDS)
    return codes.generate_otp(counter) if counter <= now + 1 else None


def _merchant_id(session: Session, name: str | None) -> str | None:
    if name is None:
        return None
    merchant = people.find_merchant(session, name) or people.create_merchant(
        session, name, actor=system("sandbox"), state="approved", kyc=Kyc.APPROVED
    )
    return merchant.id


def is_empty(session: Session) -> bool:
    """Tell whether nobody was ever added here."""
    return session.scalars(select(User.id).limit(1)).first() is None
