"""Legal holds: while one stands on a person or a payment, nothing of theirs is dropped or erased."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from core import clock, ids
from core.errors import Conflict, Forbidden, NotFound, invalid
from core.permissions import Permission
from core.redaction import holds_card_number
from domain import audit, database
from domain.actors import Actor
from domain.people import step_up
from models.payments import Payment
from models.people import User
from models.personal import LegalHold

USER, PAYMENT = "user", "payment"
SHORTEST_REASON, LONGEST_REASON = 3, 500
MOST_LISTED = 200
_OBJECTS: dict[str, type[User | Payment]] = {USER: User, PAYMENT: Payment}


def assert_may(actor: Actor) -> None:
    """Check that somebody may hold, lift or erase: an admin who has just proved themselves, or the operator.

    Raises: Forbidden, also STEP_UP_REQUIRED
    """
    if actor.kind == "system":
        return
    if not actor.may(Permission.USERS_APPROVE):
        raise Forbidden("Only an admin does this.")
    step_up.assert_fresh(actor)


def assert_reason(reason: str) -> str:
    """Give a reason as it is kept. Raises: InvalidInput."""
    reason = reason.strip()
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON or holds_card_number(reason):
        raise invalid("reason", "Say why in a few words, without a card number.")
    return reason


def place(
    session: Session, object_kind: str, object_id: str, *, actor: Actor, source: str, reason: str
) -> LegalHold:
    """Hold everything of a person or a payment; from the commit on nothing of it is dropped or erased.

    Writes: legal_holds, audit_log. Raises: Forbidden, NotFound, InvalidInput, Conflict HELD_ALREADY.
    Transaction: caller's.
    """
    assert_may(actor)
    reason = assert_reason(reason)
    model = _OBJECTS.get(object_kind)
    if model is None:
        raise invalid("objectKind", "A hold is on a user or a payment.")
    # Whoever erases or drops has this row locked too: one of the two comes first.
    locked = select(model.id).where(model.id == object_id).with_for_update(key_share=True)
    if session.scalar(locked) is None:
        raise NotFound
    values: dict[str, object] = {
        "id": ids.new("lgh"),
        "object_kind": object_kind,
        "object_id": object_id,
        "open_key": f"{object_kind}:{object_id}",
        "reason": reason,
        "placed_by": actor.id,
        "placed_at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(LegalHold).values(values).on_conflict_do_nothing()
    made = session.scalar(statement.returning(LegalHold.id))
    if made is None:
        raise Conflict("A hold stands on this already.", code="HELD_ALREADY")
    row = session.get_one(LegalHold, made)
    _note(session, "legal_hold.place", row, actor=actor, source=source, reason=reason)
    return row


def lift(session: Session, hold_id: str, *, actor: Actor, source: str, reason: str) -> LegalHold:
    """End a hold; a second time changes nothing.

    Writes: legal_holds, audit_log. Raises: Forbidden, NotFound, InvalidInput. Transaction: caller's.
    """
    assert_may(actor)
    reason = assert_reason(reason)
    statement = select(LegalHold).where(LegalHold.id == hold_id).with_for_update()
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    if row is None:
        raise NotFound
    if row.lifted_at is not None:
        return row
    row.open_key = None
    row.lifted_at, row.lifted_by, row.lifted_reason = clock.now(), actor.id, reason
    session.flush()
    _note(session, "legal_hold.lift", row, actor=actor, source=source, reason=reason)
    return row


def _note(
    session: Session, action: str, row: LegalHold, *, actor: Actor, source: str, reason: str
) -> None:
    audit.write(
        session,
        action,
        actor=actor,
        object_kind=row.object_kind,
        object_id=row.object_id,
        source=source,
        reason=reason,
        after={"holdId": row.id},
    )


def of_person(session: Session, user_id: str) -> list[LegalHold]:
    """List the holds that stand in the way of erasing somebody: on them, or on a payment of theirs.

    Transaction: caller's, reads only.
    """
    theirs = select(Payment.id).where(
        or_(Payment.buyer_id == user_id, Payment.seller_id == user_id)
    )
    on_payment = (LegalHold.object_kind == PAYMENT) & LegalHold.object_id.in_(theirs)
    on_person = (LegalHold.object_kind == USER) & (LegalHold.object_id == user_id)
    statement = select(LegalHold).where(LegalHold.open_key.is_not(None), on_person | on_payment)
    return list(session.scalars(statement.order_by(LegalHold.placed_at, LegalHold.id)))


def get_open(session: Session, hold_id: str) -> LegalHold:
    """Fetch a hold that stands. Raises: NotFound. Transaction: caller's, reads only."""
    row = session.get(LegalHold, hold_id)
    if row is None or row.open_key is None:
        raise NotFound
    return row


def list_open(session: Session) -> list[LegalHold]:
    """List what stands, newest first. Transaction: caller's, reads only."""
    statement = select(LegalHold).where(LegalHold.open_key.is_not(None))
    newest = (LegalHold.placed_at.desc(), LegalHold.id.desc())
    return list(session.scalars(statement.order_by(*newest).limit(MOST_LISTED)))


def count_open(session: Session) -> int:
    """Count what stands. Transaction: caller's, reads only."""
    statement = select(func.count()).where(LegalHold.open_key.is_not(None))
    return session.scalar(statement) or 0


def frees_user(
    user_id: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
) -> ColumnElement[bool]:
    """Give the condition of rows whose person nobody holds. user_id: the column that names them."""
    held = select(LegalHold.id).where(LegalHold.open_key == literal("user:").concat(user_id))
    return ~held.exists()


def frees_payment(
    payment_id: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
) -> ColumnElement[bool]:
    """Give the condition of rows whose payment nobody holds, nor its payer or seller.

    payment_id: the column that names it.
    """
    held = select(LegalHold.id).where(LegalHold.open_key == literal("payment:").concat(payment_id))
    party = (
        select(Payment.id)
        .join(
            LegalHold,
            or_(
                LegalHold.open_key == literal("user:").concat(Payment.buyer_id),
                LegalHold.open_key == literal("user:").concat(Payment.seller_id),
            ),
        )
        .where(Payment.id == payment_id)
    )
    return ~held.exists() & ~party.exists()
