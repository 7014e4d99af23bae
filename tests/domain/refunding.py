"""What tests of refunds share: people at the desk, a paid payment, asking, sending, agreeing, looking."""

from __future__ import annotations

from sqlalchemy import func, select

from core import clock
from core.money import Money, asset
from core.states import Role
from domain import database
from domain.actors import Actor
from domain.books import ledger, verification
from domain.control import approvals, freezes
from domain.jobs import refunding
from domain.payments import payments
from domain.refunds import refunds
from domain.secrets import keyring
from domain.transitions import Why
from models.cases import ExceptionCase
from models.control import Approval
from models.events import EventLog
from models.operations import Operation
from models.payments import Payment
from models.people import User
from models.refunds import Refund
from tests.domain.world import World, actor

EUR = asset("EUR")


def person(name: str, role: Role, **more: object) -> Actor:
    """Put a member of the staff in, signed in at the desk with a fresh second factor."""
    user_id = f"usr_{name}"
    place = f"users|email|{user_id}"
    sealed = keyring.seal_text(f"{user_id}@example.com", purpose="email", place=place)
    with database.transaction() as session:
        if session.get(User, user_id) is None:
            session.add(
                User(
                    id=user_id,
                    email_sealed=sealed,
                    email_index=f"index-{name}".encode(),
                    name=name,
                    role=role.value,
                    kyc="approved",
                    state="active",
                    demo=False,
                    created_at=clock.now(),
                )
            )
    desk = {"session_id": f"ses_{name}", "stepped_up_at": clock.now()}
    return actor(user_id, role, **(desk | more))


def paid(world: World, amount: int = 2_500) -> Payment:
    payment = world.payment(total=max(amount, 12_500), deposit=amount)
    world.deliver_and_apply(world.paid(payment))
    return world.read(payment)


def ask(payment: Payment, minor: int, who: Actor, **more: str) -> Refund:
    with database.transaction() as session:
        own = payments.get_payment(session, payment.id, actor=who)
        return refunds.ask(
            session, own, Money(minor, EUR), actor=who, reason="Broken leg", source="test", **more
        )


def send_all() -> None:
    while refunding.send_next():
        pass


def one(refund: Refund) -> Refund:
    with database.reading() as session:
        return session.get_one(Refund, refund.id)


def agree(refund: Refund, who: Actor) -> approvals.Decision:
    with database.transaction() as session:
        row = session.get_one(Approval, refund.approval_id)
        return approvals.agree(
            session, row.id, actor=who, content_hash=row.content_hash, reason="Seen it"
        )


def told(kind: str) -> int:
    with database.reading() as session:
        found = select(func.count()).select_from(EventLog).where(EventLog.type == kind)
        return session.scalar(found) or 0


def cases() -> list[str]:
    with database.reading() as session:
        return sorted(session.scalars(select(ExceptionCase.kind)))


def balances(payment: Payment) -> tuple[int, int, int]:
    with database.reading() as session:
        hold = f"order:{payment.order_id}:escrow_hold"
        addresses = (hold, "provider:stripe:clearing", "buyer:usr_bo:funds")
        return tuple(ledger.balance(session, each, "EUR/2") for each in addresses)  # type: ignore[return-value]


def assert_proved() -> None:
    report = verification.verify()
    assert report.ok, [check.first_bad for check in report.checks if not check.ok]


def make_due(**values: object) -> None:
    with database.transaction() as session:
        for row in session.scalars(select(Operation).where(Operation.due_at.is_not(None))):
            row.due_at, row.lease_until = clock.now(), None
            for name, value in values.items():
                setattr(row, name, value)


def freeze(scope: str, scope_id: str) -> str:
    why = Why(actor("usr_fin", Role.FINANCE), "test", "Something is odd")
    with database.transaction() as session:
        row, _ = freezes.engage(
            session, freezes.Wanted(scope, scope_id, "Something is odd"), why=why
        )
        return row.id
