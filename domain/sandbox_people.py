"""The people of a sandbox: two of each staff role, a merchant's, a buyer, a seller, and another tenant's."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.states import Kyc, Role
from domain import keyring, people
from domain.actors import system
from models.people import Merchant, User

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
    """One login of the sandbox, to be printed. merchant: whose people they are, or None."""

    email: str
    name: str
    role: Role
    password: str
    merchant: str | None


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
    return everybody


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


def find_sandbox_merchant(session: Session) -> Merchant | None:
    """Find the merchant that the demo's orders belong to."""
    return people.find_merchant(session, _MEL)
