"""Notices about rails that are late or down: read by everybody, opened and closed by the staff."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint
from pydantic import Field, StringConstraints

from api.contract import (
    Answer,
    Call,
    In,
    Instant,
    Listed,
    NoQuery,
    Open,
    Out,
    PageQuery,
    Session,
    Several,
    endpoint,
    place_of,
    run_once,
)
from api.contract.calls import NoBody
from api.contract.paging import cursor
from core.permissions import Permission
from domain.database import reading
from domain.delays import notice_queries, notices
from domain.delays.notice_queries import NoticeFilter
from domain.delays.notices import Wanted
from domain.payments.payments import Page
from domain.transitions import Why

blueprint = Blueprint("notices", __name__)
Kind = Literal["delay", "outage"]
Reason = Annotated[
    str,
    StringConstraints(
        min_length=notices.SHORTEST_REASON,
        max_length=notices.LONGEST_REASON,
        strip_whitespace=True,
    ),
]


class NoticeOut(Out):
    """What is said of a rail. `provider`: null for every provider of it. Why, by whom and the window: staff only."""

    notice_id: str
    rail: str
    provider: str | None
    kind: Kind
    text: str
    eta_at: str | None
    state: Literal["open", "closed"]
    since: str
    retry_window_hours: int | None = None
    reason: str | None = None
    opened_by: str | None = None
    closed_by: str | None = None
    closed_reason: str | None = None
    closed_at: str | None = None


class NoticeIn(In):
    """What everybody shall read of a rail. retryWindowHours: for how long we go on trying by ourselves."""

    rail: str = Field(min_length=1, max_length=32)
    provider: str | None = Field(default=None, min_length=1, max_length=32)
    kind: Kind
    text: Annotated[
        str,
        StringConstraints(min_length=1, max_length=notices.LONGEST_TEXT, strip_whitespace=True),
    ]
    eta_at: Instant | None = None
    retry_window_hours: int | None = Field(default=None, ge=1, le=notices.LONGEST_WINDOW_HOURS)
    reason: Reason


class NoticeCloseIn(In):
    """Why it is over."""

    reason: Reason


class NoticeQuery(PageQuery):
    """Which notices; who is not staff reads only those that are open."""

    rail: Several = ()
    state: Literal["open", "closed"] | None = None


@endpoint(
    blueprint,
    "GET",
    "/api/notices",
    access=Open("what is late is said to everybody; who says so and why only to staff"),
    query=NoticeQuery,
    answers={200: Listed[NoticeOut]},
    summary="What is late or down, in words for everybody? Staff also read what is over.",
    requirement="S65",
)
def index(call: Call[NoBody, NoticeQuery]) -> Answer:
    is_staff = call.caller is not None and call.caller.actor.may(Permission.NOTICES_READ)
    state = call.query.state or "" if is_staff else notice_queries.OPEN
    wanted = NoticeFilter(rail=call.query.rail, state=state)
    place = place_of(call.query)
    page = Page(place.limit, place.before)
    with reading() as session:
        rows, more = notice_queries.list_notices(session, wanted, page=page)
    items = [notice_queries.wire(row, for_staff=is_staff) for row in rows]
    return Answer(200, {"items": items, "nextCursor": cursor(more) if more else None})


@endpoint(
    blueprint,
    "POST",
    "/api/notices",
    access=Permission.NOTICES_MANAGE,
    body=NoticeIn,
    answers={201: NoticeOut},
    key="O",
    errors=["CONFLICT"],
    events=["notice.opened"],
    summary="Say in public that a rail is late or down, and have us try longer meanwhile.",
    requirement="S65",
)
def open_one(call: Call[NoticeIn, NoQuery]) -> Answer:
    said = call.body
    wanted = Wanted(
        said.rail,
        said.kind,
        said.text,
        said.reason,
        said.provider or "",
        said.eta_at,
        said.retry_window_hours,
    )

    def work(session: Session) -> Answer:
        why = Why(call.actor, call.source, said.reason)
        row = notices.open_notice(session, wanted, why=why)
        return Answer(201, notice_queries.wire(row, for_staff=True), location="/api/notices")

    return run_once(call, work)


@endpoint(
    blueprint,
    "POST",
    "/api/notices/{noticeId}/close",
    access=Permission.NOTICES_MANAGE,
    body=NoticeCloseIn,
    answers={200: NoticeOut},
    key="O",
    errors=["NOT_FOUND"],
    events=["notice.closed"],
    summary="Take a notice back; what waited for longer because of it is tried at once.",
    requirement="S65",
)
def close(call: Call[NoticeCloseIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        why = Why(call.actor, call.source, call.body.reason)
        row = notices.close_notice(session, call.path["noticeId"], why=why)
        return Answer(200, notice_queries.wire(row, for_staff=True))

    return run_once(call, work)
