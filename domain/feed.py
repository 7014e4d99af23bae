"""Reading the numbered log for those who follow it: the hub, a resumed stream, the pull feed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, desc, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.errors import NotFound, Unavailable
from domain import database, events, topics
from domain.actors import Actor
from domain.topics import Topic
from models.events import EventLog

PAGE = 500


@contextmanager
def outages_told() -> Iterator[None]:
    """Turn a failing database into the error that says so, where no request would translate it.

    Raises: Unavailable
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise Unavailable from error


@contextmanager
def _reading() -> Iterator[Session]:
    """Read with rows that stay readable afterwards.

    Raises: Unavailable
    """
    with outages_told(), database.reading() as session:
        yield session
        session.expunge_all()


def head() -> int:
    """Give the newest place in the order.

    Raises: Unavailable. Transaction: opens its own, read only.
    """
    with _reading() as session:
        return events.last_seq(session)


class Follower:
    """Reads the log on a connection of its own, so that no crowd of requests can hold it up."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    def read_after(self, seq: int, limit: int = PAGE) -> list[EventLog]:
        """Read what was numbered after a place, oldest first, whoever may see it.

        Raises: Unavailable
        """
        with self.reading() as session:
            return events.list_after(session, seq, limit=limit)

    def read_before(self, seq: int, count: int) -> list[EventLog]:
        """Read the last events up to and with a place, oldest first.

        Raises: Unavailable
        """
        statement = select(EventLog).where(EventLog.seq <= seq).order_by(desc(EventLog.seq))
        with self.reading() as session:
            return list(session.scalars(statement.limit(count)))[::-1]

    def close(self) -> None:
        """Give the connection back."""
        held, self._connection = self._connection, None
        if held is not None:
            with suppress(SQLAlchemyError):
                held.close()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Read anything on the follower's connection, with rows that stay readable afterwards.

        Raises: Unavailable
        """
        try:
            if self._connection is None:
                self._connection = database.engine().connect()
                if not database.is_sqlite():
                    # Each read is one query, so that no round trip is spent on beginning and ending.
                    autocommit = self._connection.execution_options(isolation_level="AUTOCOMMIT")
                    self._connection = autocommit
            with Session(self._connection, autoflush=False) as session:
                yield session
                session.expunge_all()
        except SQLAlchemyError as error:
            self.close()
            raise Unavailable from error


def read_backlog(
    after: int, until: int, *, actor: Actor, asked: tuple[Topic, ...], limit: int = PAGE
) -> list[EventLog]:
    """Read what a principal may see of the places after `after` up to and with `until`.

    Raises: Unavailable. Transaction: opens its own, read only.
    """
    conditions = [EventLog.seq <= until, *topics.condition(asked, actor=actor)]
    with _reading() as session:
        return events.list_after(session, after, actor=actor, limit=limit, conditions=conditions)


def newest_id(session: Session) -> str | None:
    """Give the id of the newest numbered event, or None when the log is empty.

    Transaction: caller's.
    """
    statement = select(EventLog.id).where(EventLog.seq.is_not(None)).order_by(desc(EventLog.seq))
    return session.scalar(statement.limit(1))


def list_page(
    session: Session,
    after: int,
    *,
    actor: Actor,
    asked: tuple[Topic, ...] = (),
    types: Sequence[str] = (),
    limit: int = 50,
) -> list[EventLog]:
    """List one page of the pull feed, oldest first.

    Transaction: caller's.
    """
    conditions = topics.condition(asked, actor=actor)
    return events.list_after(
        session, after, actor=actor, limit=limit, types=types, conditions=conditions
    )


def place_of(event_id: str) -> int:
    """Give the place of an event that a client saw.

    Raises: Gone, Unavailable. Transaction: opens its own, read only.
    """
    with _reading() as session:
        return events.position_of(session, event_id)


def id_at(seq: int) -> str | None:
    """Give the id of the event at a place, or None at the beginning.

    Raises: Unavailable. Transaction: opens its own, read only.
    """
    with _reading() as session:
        return session.scalar(select(EventLog.id).where(EventLog.seq == seq))


def get_event(session: Session, event_id: str, *, actor: Actor) -> EventLog:
    """Fetch one numbered event that the actor may see and receive.

    Raises: NotFound. Transaction: caller's.
    """
    event = events.get_event(session, event_id, actor=actor)
    if not topics.may_receive(actor, event):
        raise NotFound
    return event
