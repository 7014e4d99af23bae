"""The timetable: what the stand-in does by itself later (settle, expire); knows no resource."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sandbox.common.clock import Clock
from sandbox.common.store import Store

log = logging.getLogger("sandbox")

IDLE_SECONDS = 5.0


class Timetable:
    """Jobs in the store, run by one thread when they fall due; they survive a restart."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._wake = threading.Event()
        self._stop = False
        self._run: Callable[[str, str], None] | None = None
        self._thread = threading.Thread(target=self._loop, name="timetable", daemon=True)

    def start(self, run: Callable[[str, str], None]) -> None:
        """Begin to call `run(name, subject)` for due jobs."""
        self._run = run
        self._thread.start()

    def stop(self) -> None:
        """Finish the current job and end."""
        self._stop = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def put(self, name: str, subject: str, *, due_at: float) -> None:
        """Add a job. Writes: jobs. Transaction: caller's."""
        with self._store.locked() as db:
            db.execute(
                "INSERT INTO jobs (due_at, name, subject) VALUES (?, ?, ?)", (due_at, name, subject)
            )

    def wake(self) -> None:
        """Look at the table again now."""
        self._wake.set()

    def _loop(self) -> None:
        while not self._stop:
            wait = self._run_due()
            self._wake.wait(timeout=wait)
            self._wake.clear()

    def _run_due(self) -> float:
        """Run everything due and return the seconds until the next job."""
        while not self._stop:
            with self._store.locked() as db:
                row = db.execute(
                    "SELECT id, due_at, name, subject FROM jobs ORDER BY due_at LIMIT 1"
                ).fetchone()
            if row is None:
                return IDLE_SECONDS
            ahead = float(row[1]) - self._clock.now()
            if ahead > 0:
                return min(ahead, IDLE_SECONDS)
            self._run_one(row[0], row[2], row[3])
        return 0.0

    def _run_one(self, job_id: int, name: str, subject: str) -> None:
        try:
            if self._run is not None:
                self._run(name, subject)
        except Exception:
            log.exception("job %s for %s failed and is dropped", name, subject)
        with self._store.transaction() as db:
            db.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
