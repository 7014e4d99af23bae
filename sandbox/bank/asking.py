"""What both APIs' doors do alike: find the operation, note the request, run it once per key."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sandbox.bank.payments import WrongState
from sandbox.bank.world import World, unit
from sandbox.common import answers, door
from sandbox.common.door import Manners
from sandbox.common.faults import Fault
from sandbox.common.wire import Obj, Reply, Request, json_reply


@dataclass(frozen=True)
class Route:
    """One operation. `makes` names what it creates, where a key leads back to that."""

    method: str
    pattern: re.Pattern[str]
    op: str
    act: Callable[..., tuple[int, Obj]]
    makes: str | None = None


class Refusal(Exception):
    """A refused request, in the words of its wire."""

    def __init__(self, status: int, body: Obj) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body

    def reply(self) -> Reply:
        """Return the refusal as an answer."""
        return json_reply(self.status, self.body)


@dataclass(frozen=True)
class Begun:
    """A request whose operation is known, and whose fault strikes no earlier than its work."""

    route: Route
    ids: tuple[str, ...]
    fault: Fault | None
    note: Obj


@dataclass(frozen=True)
class Door:
    """One API: its operations, and how it words what they all may be refused for."""

    routes: Sequence[Route]
    manners: Manners
    lost: Callable[[], Refusal]
    wrong_state: Callable[[str], Refusal]

    def answer(
        self, world: World, request: Request, work: Callable[[World, Request, Begun], Reply]
    ) -> Reply:
        """Answer, and keep what was asked and answered for the rehearsal to read."""
        note: Obj = {"at": world.clock.now(), "method": request.method, "path": request.path,
                     "op": None, "status": None, "fault": None, "replayed": False,
                     "idempotency_key": request.headers.get("idempotency-key")}  # fmt: skip
        world.requests.append(note)
        try:
            reply = self._answer(world, request, work, note)
        except Refusal as refusal:
            reply = refusal.reply()
        except WrongState as error:
            reply = self.wrong_state(str(error)).reply()
        note["status"] = None if reply.dropped else reply.status
        return reply

    def _answer(
        self,
        world: World,
        request: Request,
        work: Callable[[World, Request, Begun], Reply],
        note: Obj,
    ) -> Reply:
        for route in self.routes:
            match = route.pattern.fullmatch(request.path)
            if match and route.method == request.method:
                fault = world.faults.take_for_request(route.op)
                note |= {"op": route.op, "fault": fault.kind if fault else None}
                begun = Begun(route, match.groups(), fault, note)
                early = door.before(fault, self.manners)
                return early or door.after(fault, work(world, request, begun))
        raise self.lost()


@dataclass(frozen=True)
class Asked:
    """One operation, ready to run."""

    world: World
    begun: Begun
    path: str
    sent: Obj
    manners: Manners

    def execute(self, key: str | None = None) -> Reply:
        """Run the operation in one unit of work; its answer is stored with its effects.

        A fault changes what the client hears, not what is kept: the key finds the effect.
        """
        door.during(self.begun.fault)
        with unit(self.world, request_id=uuid4().hex) as call:
            status, body = self.begun.route.act(call, self.sent, *self.begun.ids)
            reply = json_reply(status, body)
            if key is not None:
                kept = answers.kept_of(self.path, self.sent, reply, call.request_id)
                answers.keep(call, key, kept)
            return door.kept(self.begun.fault, reply, self.manners)

    def execute_once(
        self, key: str, *, kept_seconds: float, again: Callable[[Any], Reply]
    ) -> Reply:
        """Run the operation unless its key has, in which case `again` words the answer.

        Raises: answers.KeyInUse
        """
        kept = answers.claim(self.world, key, kept_seconds=kept_seconds)
        if kept is not None:
            return again(kept)
        try:
            return self.execute(key)
        finally:
            answers.release(self.world, key)
