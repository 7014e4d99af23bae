"""Notices about a rail that is late or down: opened and closed by a person, read by everybody.

Reading them is `domain/delays/notice_queries.py`; what an open one changes is `windows.py` and `eta.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Conflict, NotFound, invalid
from core.redaction import holds_card_number
from core.states import Inbound
from core.strictjson import Json
from domain import audit, database, events
from domain.transitions import Why
from models.delays import DelayNotice
from models.inbound import InboundEvent
from providers import registry

KINDS = ("delay", "outage")
LONGEST_TEXT = 300
LONGEST_WINDOW_HOURS = 30 * 24
SHORTEST_REASON, LONGEST_REASON = 3, 500


@dataclass(frozen=True)
class Wanted:
    """What to say. provider: empty for every provider of the rail; text: what everybody reads."""

    rail: str
    kind: str
    text: str
    reason: str
    provider: str = ""
    eta_at: datetime | None = None
    retry_window_hours: int | None = None


def open_notice(session: Session, wanted: Wanted, *, why: Why) -> DelayNotice:
    """Say in public that a rail is late or down, from this commit on.

    One of a kind is open for a rail and provider at a time; a unique key stands behind it.
    Writes: delay_notices, event_log, audit_log. Emits: notice.opened. Raises: InvalidInput, Conflict with
    the one that is open. Transaction: caller's.
    """
    values = _values(_checked(wanted), why)
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(DelayNotice).values(values).on_conflict_do_nothing()
    made = session.execute(statement.returning(DelayNotice.id)).scalar()
    known = select(DelayNotice).where(DelayNotice.open_key == values["open_key"])
    row = session.scalars(known).one_or_none()
    if made is None or row is None:
        raise _is_open(row)
    _tell(session, "notice.opened", row, why=why)
    return row


def _is_open(row: DelayNotice | None) -> Conflict:
    return Conflict(
        "A notice of this kind is open for this rail. Close it first.",
        details={"noticeId": row.id, "link": f"/api/notices?rail={row.rail}"} if row else None,
    )


def _values(wanted: Wanted, why: Why) -> dict[str, object]:
    return {
        "id": ids.new("dly"),
        "rail": wanted.rail,
        "provider": wanted.provider,
        "kind": wanted.kind,
        "text": wanted.text,
        "eta_at": wanted.eta_at,
        "retry_window_hours": wanted.retry_window_hours,
        "open_key": f"{wanted.rail}:{wanted.provider}:{wanted.kind}",
        "reason": wanted.reason,
        "opened_by": why.actor.id,
        "opened_at": clock.now(),
    }


def rails() -> list[str]:
    """List the rails that there are.

    Transaction: none.
    """
    return sorted({rail.rail for rail in registry.every()})


def assert_rail(rail: str, provider: str = "", *, field: str = "rail") -> None:
    """Check that there is such a rail, and that the provider, if one is named, serves it.

    Raises: InvalidInput
    """
    known = rails()
    if rail not in known:
        raise invalid(field, f"A rail is one of {', '.join(known)}.", code="unknown_value")
    own = sorted(each.name for each in registry.every() if each.rail == rail)
    if provider and provider not in own:
        raise invalid("provider", f"This rail has {', '.join(own)}.", code="unknown_value")


def _checked(wanted: Wanted) -> Wanted:
    assert_rail(wanted.rail, wanted.provider)
    if wanted.kind not in KINDS:
        raise invalid("kind", f"A kind is one of {', '.join(KINDS)}.", code="unknown_value")
    words = " ".join(wanted.text.split())
    if not words:
        raise invalid("text", "Write what everybody shall read.")
    if len(words) > LONGEST_TEXT:
        raise invalid("text", f"At most {LONGEST_TEXT} characters.", code="too_long")
    if holds_card_number(words):
        raise invalid("text", "Card numbers are never kept here.", code="card_number")
    if wanted.eta_at is not None and wanted.eta_at <= clock.now():
        raise invalid("etaAt", "This time has passed.")
    hours = wanted.retry_window_hours
    if hours is not None and not 1 <= hours <= LONGEST_WINDOW_HOURS:
        raise invalid("retryWindowHours", f"From 1 to {LONGEST_WINDOW_HOURS} hours.")
    assert_reason(wanted.reason)
    return Wanted(
        wanted.rail, wanted.kind, words, wanted.reason, wanted.provider, wanted.eta_at, hours
    )


def assert_reason(reason: str | None) -> None:
    """Check that a reason can be kept.

    Raises: InvalidInput
    """
    if reason is None or not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise invalid("reason", f"Say why in {SHORTEST_REASON} to {LONGEST_REASON} characters.")
    if holds_card_number(reason):
        raise invalid("reason", "Card numbers are never kept here.", code="card_number")


def close_notice(session: Session, notice_id: str, *, why: Why) -> DelayNotice:
    """Take a notice back. What waited for longer because of it is tried at once; one that is closed stays so.

    Writes: delay_notices, inbound_events.due_at, event_log, audit_log. Emits: notice.closed.
    Raises: NotFound, InvalidInput. Transaction: caller's.
    """
    assert_reason(why.reason)
    statement = select(DelayNotice).where(DelayNotice.id == notice_id).with_for_update()
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    if row is None:
        raise NotFound
    if row.closed_at is not None:
        return row
    row.open_key, row.closed_at = None, clock.now()
    row.closed_by, row.closed_reason = why.actor.id, why.reason
    session.flush()
    _tell(session, "notice.closed", row, why=why)
    _try_again(session, row)
    return row


def _try_again(session: Session, row: DelayNotice) -> None:
    """Make due what came while the rail was late and could not be applied yet."""
    providers = [each.name for each in registry.every() if each.rail == row.rail]
    session.execute(
        update(InboundEvent)
        .where(
            InboundEvent.provider.in_([row.provider] if row.provider else providers),
            InboundEvent.state.in_((Inbound.UNMATCHED.value, Inbound.FAILED.value)),
            InboundEvent.due_at > clock.now(),
            InboundEvent.received_at >= row.opened_at,
        )
        .values(due_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    database.mark(session, "work")


def _tell(session: Session, kind: str, row: DelayNotice, *, why: Why) -> None:
    body: dict[str, Json] = {
        "noticeId": row.id,
        "rail": row.rail,
        "kind": row.kind,
        "etaAt": clock.rfc3339(row.eta_at),
    }
    is_open = kind == "notice.opened"
    # Whoever sells hears of it as it happens; everybody else reads it on the pages.
    about = events.About(object_id=row.id, audience="held")
    status = "open" if is_open else "closed"
    told = events.row(kind, about, source=why.source, status=status, body=body)
    events.append(session, [told])
    audit.write(
        session,
        "notice.open" if is_open else "notice.close",
        actor=why.actor,
        object_kind="notice",
        object_id=row.id,
        source=why.source,
        reason=why.reason,
        after={"rail": row.rail, "kind": row.kind, "retryWindowHours": row.retry_window_hours},
    )
