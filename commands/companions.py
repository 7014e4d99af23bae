"""What runs beside the work in every web and worker process: numbering, the beat, counts of credentials."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core import ids
from core.errors import AppError
from domain import presence
from domain.database import transaction
from domain.listening import waker
from domain.presence import Identity
from domain.secrets import credential_uses, secrets
from domain.sequencer import bell

log = structlog.get_logger()


@dataclass(frozen=True)
class Companions:
    """The companions of one running process."""

    who: Identity
    ended: threading.Event
    threads: tuple[threading.Thread, ...]

    def stop(self) -> None:
        """Number what is left and take this process off the list of the living."""
        self.ended.set()
        bell.stop()
        waker.stop()
        for thread in self.threads:
            thread.join(timeout=5)


def start(kind: str) -> Companions:
    """Start the companions of this process; after a fork, never before it."""
    who, ended = presence.identify(kind), threading.Event()
    bell.wake_locally(waker.wake)
    bell.start()
    threads = (
        threading.Thread(target=_beat, args=(who, ended), name="beat", daemon=True),
        threading.Thread(target=_write_counts, args=(ended,), name="counts", daemon=True),
    )
    for thread in threads:
        thread.start()
    return Companions(who, ended, threads)


def leave_at_once(code: int = 0) -> None:
    """End this process now that nothing is left to tidy; taking the interpreter apart takes a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _write_counts(ended: threading.Event) -> None:
    _warm()
    while not ended.wait(ids.jittered(credential_uses.FLUSH_SECONDS)):
        _flush()
        _warm()
    _flush()


def _warm() -> None:
    try:
        secrets.keep_warm()
    except (SQLAlchemyError, AppError) as error:
        # Whoever needs it reads it then.
        log.warning("secrets.not_read", error=type(error).__name__)


def _flush() -> None:
    try:
        credential_uses.flush()
    except (SQLAlchemyError, AppError) as error:
        # They are kept and written the next time.
        log.warning("credential_uses.not_written", error=type(error).__name__)


def _beat(who: Identity, ended: threading.Event) -> None:
    while not ended.is_set():
        _write(who)
        ended.wait(ids.jittered(presence.BEAT_SECONDS))
    _write(who, leaving=True)


def _write(who: Identity, *, leaving: bool = False) -> None:
    try:
        with transaction() as session:
            (presence.leave if leaving else presence.beat)(session, who)
    except (SQLAlchemyError, AppError) as error:
        # The next beat tells it; an outage shows elsewhere, and louder.
        log.warning("presence.not_written", error=type(error).__name__)
