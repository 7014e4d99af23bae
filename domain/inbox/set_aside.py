"""Telling people of deliveries that were set aside at the door; also of those whose telling was lost.

A delivery is stored and acknowledged first, whatever happens to the telling, so a sweep looks for what
nobody was told of.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, Select, exists, literal, or_, select
from sqlalchemy.orm import Session, defer

from core import clock
from core.states import Inbound
from core.strictjson import Json
from domain import events
from domain.actors import system
from domain.cases import cases
from domain.cases.cases import Finding
from domain.transitions import Why
from models.cases import ExceptionCase
from models.inbound import InboundEvent

BATCH = 100
# Whoever stored it tells of it at once; only after this long somebody else does.
PATIENCE = timedelta(seconds=60)


def tell(
    session: Session, inbound_id: str, *, provider: str, provider_type: str, verdict: str | None
) -> bool:
    """Tell of a delivery that was quarantined at the door. Gives whether it was news.

    Writes: exception_cases, event_log. Emits: inbound.quarantined, exception.opened.
    Transaction: caller's.
    """
    source = f"inbound:{inbound_id}"
    sentence = f"A signed delivery was set aside: {verdict}."
    finding = Finding("QUARANTINED", inbound_id, sentence, inbound_id=inbound_id)
    if cases.open_case(session, finding, why=Why(system("inbox"), source)) is None:
        return False
    body: dict[str, Json] = {
        "inboundId": inbound_id,
        "provider": provider,
        "providerType": provider_type,
        "attempts": 0,
    }
    about = events.about_staff(inbound_id)
    told = events.row("inbound.quarantined", about, source=source, status="quarantined", body=body)
    events.append(session, [told])
    return True


def _untold() -> Select[InboundEvent]:
    at_the_door = (InboundEvent.state == Inbound.QUARANTINED.value) & (InboundEvent.attempts == 0)
    return (
        select(InboundEvent)
        .options(defer(InboundEvent.body_sealed))
        .where(
            or_(at_the_door, InboundEvent.state == Inbound.DEAD.value),
            InboundEvent.received_at < clock.now() - PATIENCE,
            ~_has_case("QUARANTINED"),
            ~_has_case("DEAD_LETTER"),
        )
        .order_by(InboundEvent.received_at)
        .limit(BATCH)
    )


def _has_case(kind: str) -> ColumnElement[bool]:
    return exists().where(ExceptionCase.subject_key == literal(f"{kind}:").concat(InboundEvent.id))


def is_untold(session: Session) -> bool:
    """Tell whether anything waits for `sweep`. Transaction: caller's, reads only."""
    return session.scalars(_untold().limit(1)).first() is not None


def sweep(session: Session) -> int:
    """Tell of what was set aside or given up and has no case. Gives how many were told of.

    What a worker sets aside has its case in the same transaction; only what was quarantined at the
    door, before any attempt, can have lost its own. Dead ones are looked at all the same.
    Writes, emits: as `tell`. Transaction: caller's.
    """
    return sum(_tell_late(session, row) for row in session.scalars(_untold()).all())


def _tell_late(session: Session, row: InboundEvent) -> bool:
    if row.state == Inbound.QUARANTINED.value:
        return tell(
            session, row.id, provider=row.provider, provider_type=row.type, verdict=row.verdict
        )
    sentence = f"{row.type} could not be applied after {row.attempts} attempts: {row.last_error}"
    finding = Finding("DEAD_LETTER", row.id, sentence, inbound_id=row.id)
    why = Why(system("inbox"), f"inbound:{row.id}")
    return cases.open_case(session, finding, why=why) is not None
