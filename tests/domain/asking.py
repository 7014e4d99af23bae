"""Asking for something that takes two, and agreeing to it, in tests of the domain."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from core.states import Role
from domain import database
from domain.actors import Actor
from domain.control import approvals
from domain.control.approvals import Decision
from domain.payments import marking
from domain.payments.marking import Wanted
from models.control import Approval
from models.payments import Payment
from tests.domain import cast


@dataclass
class Staff:
    """Who asks and who decides."""

    fin: Actor
    flo: Actor
    ada: Actor


def staff() -> Staff:
    """Add and sign in all of them."""
    people = (("fin", Role.FINANCE), ("flo", Role.FINANCE), ("ada", Role.ADMIN))
    return Staff(*(cast.person(name, role) for name, role in people))


def asked(payment: Payment, actor: Actor, reference: str = "BANK-1") -> Approval:
    wanted = Wanted("completed", reference)
    with database.transaction() as session:
        return marking.ask(
            session, payment.id, wanted, actor=actor, source="test", note="seen at the bank"
        )


def agree(row: Approval, actor: Actor, *, content_hash: str | None = None) -> Decision:
    with database.transaction() as session:
        shown = content_hash or row.content_hash
        return approvals.agree(session, row.id, actor=actor, content_hash=shown, reason=None)


def read(row: Approval) -> Approval:
    with database.reading() as session:
        return session.get_one(Approval, row.id)


def count(model: type, *conditions: object) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0  # type: ignore[arg-type]
