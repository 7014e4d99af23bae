"""People at the desk, freshly proved, and the cases that payments of the world run into."""

from __future__ import annotations

import itertools
from dataclasses import replace

from sqlalchemy import select

from core import clock
from core.case_kinds import Verb
from core.money import Money, asset
from core.states import Kyc, Role
from domain import database
from domain.actors import Actor, system
from domain.cases import case_resolving, case_subjects, case_verbs
from domain.cases.case_resolving import Resolved
from domain.cases.case_subjects import Subject
from domain.cases.case_verbs import Wanted
from domain.control import approvals
from domain.control.approvals import Decision
from domain.jobs import worker
from domain.people import people, sessions
from models.cases import ExceptionCase
from models.control import Approval
from models.inbound import InboundEvent
from models.ledger import JournalEntry, Posting
from models.orders import Order
from models.payments import Payment
from tests.domain.world import World

_numbers = itertools.count(1)


def at_desk(role: Role) -> Actor:
    """Add somebody of a role and put them before the desk with a fresh proof."""
    name = f"{role.value}{next(_numbers)}"
    wanted = people.NewUser(f"{name}@desk.test", role, name=name.capitalize(), kyc=Kyc.APPROVED)
    with database.transaction() as session:
        user = people.create_user(session, wanted, actor=system("test"), source="test")
        actor = sessions.actor_of(user)
    return replace(actor, session_id=f"ses_{name}", stepped_up_at=clock.now())


def paid(world: World, received: int, *, total: int = 12_500, deposit: int = 2_500) -> Payment:
    """Have a deposit paid with another sum than was asked; gives the payment."""
    payment = world.payment(total=total, deposit=deposit)
    world.deliver_and_apply(world.paid(payment, received))
    return world.read(payment)


def paid_late(world: World, received: int = 2_500) -> Payment:
    """Have money arrive for an attempt that was cancelled; gives the payment."""
    payment = world.payment()
    world.deliver_and_apply(world.event("payment_intent.canceled", payment, status="canceled"))
    world.deliver_and_apply(world.paid(payment, received))
    return world.read(payment)


def unmatched(world: World, received: int = 2_500) -> tuple[Payment, ExceptionCase]:
    """Have an event come that names no payment, often enough that a person must look."""
    payment = world.payment()
    body = world.paid(payment, received)
    stranger = body.replace(str(payment.provider_reference).encode(), b"pi_stranger").replace(
        payment.id.encode(), b"nobody"
    )
    got = world.deliver(stranger)
    for _ in range(6):
        with database.transaction() as session:
            session.get_one(InboundEvent, got.inbound_id).due_at = clock.now()
        worker.work_until_idle()
    return world.read(payment), case("UNMATCHED")


def case(kind: str) -> ExceptionCase:
    """Give the only case of a kind."""
    with database.reading() as session:
        return session.scalars(select(ExceptionCase).where(ExceptionCase.kind == kind)).one()


def read_case(row: ExceptionCase) -> ExceptionCase:
    with database.reading() as session:
        return session.get_one(ExceptionCase, row.id)


def order_of(payment: Payment) -> Order:
    with database.reading() as session:
        return session.get_one(Order, payment.order_id)


def subject(row: ExceptionCase) -> Subject:
    with database.reading() as session:
        return case_subjects.load_one(session, session.get_one(ExceptionCase, row.id))


def answer(row: ExceptionCase, verb: Verb) -> case_verbs.Answer:
    return case_verbs.answer(subject(row), verb)


def resolve(row: ExceptionCase, verb: Verb, actor: Actor, **more: object) -> Resolved:
    """Settle a case as the desk does."""
    wanted = Wanted(verb, "because", **more)  # type: ignore[arg-type]
    with database.transaction() as session:
        source = f"user:{actor.id}"
        return case_resolving.resolve(session, row.id, wanted, actor=actor, source=source)


def agree(approval: Approval | None, actor: Actor) -> Decision:
    assert approval is not None, "nothing was asked for"
    with database.transaction() as session:
        shown = approval.content_hash
        return approvals.agree(session, approval.id, actor=actor, content_hash=shown, reason="yes")


def refuse(approval: Approval | None, actor: Actor) -> Decision:
    assert approval is not None, "nothing was asked for"
    with database.transaction() as session:
        return approvals.refuse(session, approval.id, actor=actor, reason="ask the buyer first")


def balance(address: str) -> int:
    """Sum an account in EUR: debits positive."""
    with database.reading() as session:
        lines = select(Posting.amount_minor).where(Posting.address == address)
        return sum(session.scalars(lines))


def entries(kind: str) -> list[JournalEntry]:
    with database.reading() as session:
        return list(session.scalars(select(JournalEntry).where(JournalEntry.kind == kind)))


def euros(minor: int) -> Money:
    return Money(minor, asset("EUR"))
