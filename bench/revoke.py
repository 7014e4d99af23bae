"""How soon every web process refuses deliveries signed with a secret that somebody revoked, and that none takes one after."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import itertools
import json
import threading
import time
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from bench import control, rig
from bench.report import Report
from bench.rig import Bench
from core import ids
from core.states import Kyc, Role
from domain import database
from domain.actors import system
from domain.people import people, sessions, tokens
from domain.people.people import NewUser
from domain.secrets import rotation, secret_queries, secrets
from domain.secrets.rotation import Rotation
from domain.secrets.secret_queries import SecretSeen
from domain.transitions import Why
from providers.deliveries import LiveSecret
from tests.rig.process import Running

REVOKE_SECONDS = 5.0
WEBHOOK = "/api/webhooks/stripe"
_PAUSE_SECONDS = 0.01
_WHY = Why(system("bench"), "bench", "measured")
_numbers = itertools.count(1)


def measure(*, rounds: int = 10, engines: tuple[str, ...] = rig.ENGINES) -> Report:
    """Deliver to four web processes all the time, revoke through one of them, see who refuses when."""
    report = Report("revoke", f"python -m bench revoke --requests {rounds}")
    for engine in engines:
        with rig.ground(engine) as ground, ground.bound(), control.running(ground) as webs:
            _revokes(report, ground, webs, rounds)
    return report


@dataclass
class Sender:
    """Delivers to one process again and again. answers: when each was sent, and whether it was refused."""

    web: Running
    secret: str
    answers: list[tuple[float, float, bool]] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        """Deliver until told to stop."""
        connection = control.connect(self.web)
        while not stop.wait(_PAUSE_SECONDS):
            sent = time.perf_counter()
            status = deliver(connection, self.secret)
            if status not in (200, 401):
                raise SystemExit(f"a delivery was answered {status}")
            self.answers.append((sent, time.perf_counter(), status == 401))
        connection.close()

    def taken_until(self) -> float:
        """Give when the last delivery was sent that was still taken."""
        return max((sent for sent, _, refused in self.answers if not refused), default=0.0)

    @property
    def refuses(self) -> bool:
        """Whether the last delivery was refused."""
        return bool(self.answers) and self.answers[-1][2]


def deliver(connection: http.client.HTTPConnection, secret: str) -> int:
    """Deliver an event without effect. Gives the status."""
    name = f"evt_bench_{next(_numbers)}_{ids.new('x')}"
    event = {"id": name, "object": "event", "type": "customer.created", "livemode": False}
    subject = {"object": {"id": f"cus_{name}", "object": "customer"}}
    now = int(time.time())
    body = json.dumps(event | {"created": now, "data": subject}).encode()
    mac = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={now},v1={mac}", "Content-Type": "application/json"}
    connection.request("POST", WEBHOOK, body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _revokes(report: Report, ground: Bench, webs: list[Running], rounds: int) -> None:
    headers = _headers()
    rig.wait_idle()
    calls: list[float] = []
    everywhere: list[float] = []
    delivered = 0
    for _ in range(rounds):
        senders = [Sender(web, _in_use().value) for web in webs]
        number = _rotate(webs)
        began, returned = _round(senders, number, headers)
        calls.append(returned - began)
        everywhere.append(max(each.taken_until() for each in senders) - began)
        delivered += sum(len(each.answers) for each in senders)
    report.add(
        engine=ground.engine,
        processes=len(webs),
        rounds=rounds,
        deliveries=delivered,
        revoke_call_p50_ms=control.milliseconds(calls, 0.5),
        last_taken_after_the_call_began_p50_ms=control.milliseconds(everywhere, 0.5),
        last_taken_after_the_call_began_max_ms=control.milliseconds(everywhere, 1.0),
        load=rig.load(),
    )
    sentence = (
        f"{ground.engine}: all {len(webs)} processes refuse {REVOKE_SECONDS:.0f} s after the call"
    )
    report.expect(sentence, holds=max(everywhere) <= REVOKE_SECONDS)


def _seen(session: Session) -> SecretSeen:
    return secret_queries.list_secrets(session, kinds=["webhook"])[0]


def _in_use() -> LiveSecret:
    secrets.forget_cached()
    return secrets.live("stripe")[0]


def _rotate(webs: list[Running]) -> int:
    """Rotate, and wait until every process knows the new version. Gives the old one's number."""
    with database.transaction() as session:
        seen = _seen(session)
        rotation.rotate(session, seen.row.id, Rotation(), why=_WHY)
    new = _in_use().value
    for web in webs:
        connection = control.connect(web)
        control.wait_until(lambda known=connection: deliver(known, new) == 200)  # type: ignore[misc]
        connection.close()
    return seen.versions[0].row.version


def _round(senders: list[Sender], number: int, headers: dict[str, str]) -> tuple[float, float]:
    """Revoke while everybody delivers, until each process has refused for a while."""
    stop = threading.Event()
    threads = [threading.Thread(target=each.run, args=(stop,)) for each in senders]
    for thread in threads:
        thread.start()
    try:
        control.wait_until(lambda: all(len(each.answers) >= 3 for each in senders))
        with database.reading() as session:
            secret_id = _seen(session).row.id
        path = f"/api/secrets/{secret_id}/versions/{number}/revoke"
        connection = control.connect(senders[0].web)
        began = time.perf_counter()
        status, said = control.post(connection, path, {"reason": "measured"}, headers)
        returned = time.perf_counter()
        connection.close()
        if status != 200:
            raise SystemExit(f"the revocation was answered {status}: {said[:200]!r}")
        control.wait_until(lambda: all(each.refuses for each in senders))
        # Whoever would take one after all is caught.
        time.sleep(secrets.CACHE_SECONDS)
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=control.PATIENCE_SECONDS)
    return began, returned


def _headers() -> dict[str, str]:
    with database.transaction() as session:
        wanted = NewUser("ada@bench.example", Role.ADMIN, name="Ada", kyc=Kyc.APPROVED)
        user = people.create_user(session, wanted, actor=_WHY.actor, source="bench")
        issued = tokens.issue(user.id, role=user.role, kyc=user.kyc, stepped_up=True)
        sessions.note_token(session, user, issued.jti, address=None, stepped_up=True)
    return {"Authorization": f"Bearer {issued.token}", "Content-Type": "application/json"}
