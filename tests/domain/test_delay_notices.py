"""A notice says in public that a rail is late: one of a kind at a time, closed once, told and written down."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import select

from core import clock
from core.errors import Conflict, InvalidInput, NotFound
from domain import database, health
from domain.delays import notice_queries, notices
from domain.delays.notice_queries import NoticeFilter
from domain.payments.payments import Page
from models.audit import AuditRow
from models.delays import DelayNotice
from models.events import EventLog
from tests.domain.delaying import TEXT, field_of, hence, late, over, why
from tests.domain.world import World


def told(kind: str) -> list[EventLog]:
    with database.reading() as session:
        found = select(EventLog).where(EventLog.type == kind).order_by(EventLog.id)
        return list(session.scalars(found))


def open_now() -> list[str]:
    with database.reading() as session:
        return [row.id for row in notice_queries.live(session)]


def test_opening_and_closing_is_told_and_written_down(world: World) -> None:
    notice = late(world.fin, eta_at=hence(5))
    [event] = told("notice.opened")
    assert event.body == {
        "noticeId": notice.id,
        "rail": "card",
        "kind": "delay",
        "etaAt": clock.rfc3339(notice.eta_at),
    }
    assert (event.audience, event.status, open_now()) == ("held", "open", [notice.id])
    closed = over(notice, world.fin)
    assert (closed.closed_by, closed.closed_reason) == (world.fin.id, "they caught up")
    assert open_now() == []
    assert [event.status for event in told("notice.closed")] == ["closed"]
    with database.reading() as session:
        rows = session.scalars(
            select(AuditRow).where(AuditRow.object_id == notice.id).order_by(AuditRow.id)
        ).all()
    assert [(row.action, row.reason) for row in rows] == [
        ("notice.open", "the provider says so"),
        ("notice.close", "they caught up"),
    ]


def test_one_of_a_kind_is_open_for_a_rail_at_a_time(world: World) -> None:
    first = late(world.fin)
    with pytest.raises(Conflict) as refused:
        late(world.fin)
    assert refused.value.details["noticeId"] == first.id
    # An outage is another kind, and one provider is less than all of them.
    late(world.fin, kind="outage")
    late(world.fin, provider="stripe")
    over(first, world.fin)
    late(world.fin)
    assert len(open_now()) == 3


def test_two_who_open_the_same_at_once_open_it_once(world: World) -> None:
    together, made, refused = Barrier(6), list[str](), list[str]()

    def press() -> None:
        together.wait()
        try:
            made.append(late(world.fin).id)
        except Conflict as error:
            refused.append(error.code)

    threads = [Thread(target=press) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), refused, open_now()) == (1, ["CONFLICT"] * 5, made)


def test_closing_twice_closes_once_and_nothing_that_is_not_there(world: World) -> None:
    notice = late(world.fin)
    first, second = over(notice, world.fin), over(notice, world.eve)
    assert (first.closed_at, first.closed_by) == (second.closed_at, world.fin.id)
    assert len(told("notice.closed")) == 1
    with database.transaction() as session, pytest.raises(NotFound):
        notices.close_notice(session, "dly_none", why=why(world.fin))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"rail": "pigeon"}, "rail"),
        ({"provider": "wise"}, "provider"),
        ({"kind": "rumour"}, "kind"),
        ({"text": "  "}, "text"),
        ({"text": "x" * 301}, "text"),
        ({"text": "card 4242 4242 4242 4242"}, "text"),
        ({"eta_at": clock.now() - timedelta(hours=1)}, "etaAt"),
        ({"retry_window_hours": 0}, "retryWindowHours"),
        ({"retry_window_hours": 721}, "retryWindowHours"),
        ({"reason": "x"}, "reason"),
    ],
)
def test_what_cannot_be_said_is_refused_by_field(
    world: World, more: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        late(world.fin, **more)
    assert field_of(refused.value) == field
    assert open_now() == []


def test_public_status_takes_over_what_a_notice_says_and_never_makes_it_better(
    world: World,
) -> None:
    def card() -> dict[str, object]:
        with database.reading() as session:
            (found,) = health.rail_states(session)
        return dict(found)

    assert (card()["state"], card()["etaAt"]) == ("ok", None)
    notice = late(world.fin, eta_at=hence(5))
    assert card() == {
        "rail": "card",
        "state": "degraded",
        "text": TEXT,
        "etaAt": clock.rfc3339(notice.eta_at),
    }
    down = late(world.fin, kind="outage", text="Cards cannot be charged.")
    assert (card()["state"], card()["text"]) == ("outage", "Cards cannot be charged.")
    # What is over says nothing, and a moment that has passed is no news.
    over(down, world.fin)
    with database.transaction() as session:
        session.get_one(DelayNotice, notice.id).eta_at = clock.now() - timedelta(minutes=1)
    assert (card()["state"], card()["etaAt"]) == ("degraded", None)


def test_list_goes_on_where_a_page_ended_and_narrows_by_state(world: World) -> None:
    made = [over(late(world.fin), world.fin).id for _ in range(3)] + [late(world.fin).id]

    def listed(state: str = "", **page: object) -> tuple[list[str], object]:
        with database.reading() as session:
            rows, more = notice_queries.list_notices(
                session,
                NoticeFilter(("card",), state),
                page=Page(2, **page),  # type: ignore[arg-type]
            )
        return [row.id for row in rows], more

    first, place = listed()
    second, end = listed(before=place)
    assert (first + second, end) == (made[::-1], None)
    assert (listed("open")[0], listed("closed")[0]) == (made[3:], [made[2], made[1]])
