"""How soon every web process refuses money out after somebody froze it, and that none lets one pass after."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sqlalchemy import select

from bench import rig, stock
from bench.report import Report, percentile
from bench.rig import Bench
from core import ids
from core.states import Freeze as State
from core.states import Kyc, Role
from domain import database
from domain.actors import system
from domain.control import freezes
from domain.people import people, sessions, tokens
from domain.people.people import NewUser
from domain.transitions import Why
from models.control import Freeze
from tests.rig.process import Running

PROCESSES = 4
FREEZE_SECONDS = 1.0
_WHY = Why(system("bench"), "bench", "measured")
PATIENCE_SECONDS = 20.0
_HELD, _NOTHING_TO_REFUND = 423, 409


def measure(*, rounds: int = 20, engines: tuple[str, ...] = rig.ENGINES) -> Report:
    """Ask four web processes for refunds without pause, freeze through one of them, see who refuses when."""
    report = Report("control", f"python -m bench control --requests {rounds}")
    for engine in engines:
        with (
            rig.ground(engine, STRIPE_SECRET_KEY="sk_test_bench") as ground,
            ground.bound(),
            running(ground) as webs,
        ):
            _freezes(report, ground, webs, rounds)
    return report


@contextmanager
def running(ground: Bench) -> Iterator[list[Running]]:
    """Start each process by itself, so that each can be asked by its own address."""
    webs: list[Running] = []
    try:
        # One by one: what was started is ended, also when a later one does not start.
        for _ in range(PROCESSES):
            webs.append(ground.web(processes=1))  # noqa: PERF401  # `finally` must know each of them
        yield webs
    finally:
        for web in webs:
            web.stop()


@dataclass
class Asker:
    """Asks one process for a refund again and again. answers: when it was sent, answered, and refused.

    The payment has not been paid, so whatever no freeze holds is told that there is nothing to refund.
    """

    web: Running
    path: str
    headers: dict[str, str]
    answers: list[tuple[float, float, bool]] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        """Ask until told to stop."""
        connection = connect(self.web)
        while not stop.is_set():
            sent = time.perf_counter()
            status, _ = post(connection, self.path, {"reason": "measured"}, self.headers)
            if status not in (_HELD, _NOTHING_TO_REFUND):
                raise SystemExit(f"a request of a refund was answered {status}")
            self.answers.append((sent, time.perf_counter(), status == _HELD))
        connection.close()

    def refused_at(self, since: float) -> float | None:
        """Give when the first refusal came that was asked for after `since`."""
        return next((told for sent, told, held in self.answers if held and told > since), None)

    def passed_after(self, at: float) -> int:
        """Count what was asked for after a moment and was not refused."""
        return sum(1 for sent, _, held in self.answers if sent > at and not held)


def _freezes(report: Report, ground: Bench, webs: list[Running], rounds: int) -> None:
    headers = _headers()
    path = f"/api/payments/{stock.add_pending(1)[0].payment_id}/refunds"
    rig.wait_idle()
    engaging: list[float] = []
    everywhere: list[float] = []
    passed = asked = 0
    for _ in range(rounds):
        askers = [Asker(web, path, headers) for web in webs]
        began, returned = _round(askers, webs[0], headers)
        last = max(at for each in askers if (at := each.refused_at(began)) is not None)
        engaging.append(returned - began)
        everywhere.append(max(0.0, last - returned))
        passed += sum(each.passed_after(returned) for each in askers)
        asked += sum(len(each.answers) for each in askers)
    report.add(
        engine=ground.engine,
        processes=len(webs),
        rounds=rounds,
        requests=asked,
        freeze_call_p50_ms=milliseconds(engaging, 0.5),
        freeze_call_max_ms=milliseconds(engaging, 1.0),
        answer_to_refused_everywhere_p50_ms=milliseconds(everywhere, 0.5),
        answer_to_refused_everywhere_max_ms=milliseconds(everywhere, 1.0),
        passed_after_the_answer=passed,
        load=rig.load(),
    )
    worst = max(call + rest for call, rest in zip(engaging, everywhere, strict=True))
    sentence = (
        f"{ground.engine}: all {len(webs)} processes refuse {FREEZE_SECONDS:.0f} s after the call"
    )
    report.expect(sentence, holds=worst <= FREEZE_SECONDS)
    report.expect(f"{ground.engine}: nothing passes after its answer", holds=passed == 0)


def _round(askers: list[Asker], web: Running, headers: dict[str, str]) -> tuple[float, float]:
    """Freeze while everybody asks, until each process has refused; then let go again."""
    stop = threading.Event()
    threads = [threading.Thread(target=each.run, args=(stop,)) for each in askers]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: all(len(each.answers) >= 3 for each in askers))
        connection = connect(web)
        began = time.perf_counter()
        wanted = {"scope": "all", "reason": "measured"}
        status, _ = post(connection, "/api/freezes", wanted, headers)
        returned = time.perf_counter()
        connection.close()
        if status != 201:
            raise SystemExit(f"the freeze was answered {status}")
        wait_until(lambda: all(each.refused_at(began) is not None for each in askers))
        time.sleep(0.1)
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=PATIENCE_SECONDS)
    _let_go()
    return began, returned


def wait_until(is_done: Callable[[], bool]) -> None:
    """Wait for a condition, but not for ever."""
    until = time.perf_counter() + PATIENCE_SECONDS
    while not is_done():
        if time.perf_counter() > until:
            raise SystemExit("a process did not answer as it should in time")
        time.sleep(0.005)


def _let_go() -> None:
    with database.transaction() as session:
        found = session.scalars(select(Freeze.id).where(freezes.is_on())).one()
        row = freezes.lock(session, found)
        freezes.end(session, row, to=State.LIFTED, why=_WHY)


def _headers() -> dict[str, str]:
    with database.transaction() as session:
        wanted = NewUser("fin@bench.example", Role.FINANCE, name="Fin", kyc=Kyc.APPROVED)
        user = people.create_user(session, wanted, actor=_WHY.actor, source="bench")
        issued = tokens.issue(user.id, role=user.role, kyc=user.kyc)
        sessions.note_token(session, user, issued.jti, address=None, stepped_up=False)
    return {"Authorization": f"Bearer {issued.token}", "Content-Type": "application/json"}


def connect(web: Running) -> http.client.HTTPConnection:
    """Open a connection to one process."""
    parts = urlsplit(web.url)
    return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=PATIENCE_SECONDS)


def post(
    connection: http.client.HTTPConnection, path: str, body: object, headers: dict[str, str]
) -> tuple[int, bytes]:
    """Send JSON under a key of its own. Gives the status and what was said."""
    more = {"Idempotency-Key": ids.new("key")}
    connection.request("POST", path, json.dumps(body), headers | more)
    answer = connection.getresponse()
    return answer.status, answer.read()


def milliseconds(values: list[float], share: float) -> float:
    """Give a percentile of seconds in milliseconds."""
    return round(percentile(sorted(values), share) * 1000, 2)
