"""What both APIs' doors do alike: find the operation, note the request, run it once per key."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

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


def find(routes: Sequence[Route], request: Request) -> tuple[Route, tuple[str, ...]] | None:
    """Return the route of a request and the ids in its path."""
    for route in routes:
        match = route.pattern.fullmatch(request.path) if route.method == request.method else None
        if match:
            return route, match.groups()
    return None


def noted(world: World, request: Request, answer: Callable[[Obj], Reply]) -> Reply:
    """Answer, and keep what was asked and answered for the rehearsal to read."""
    note: Obj = {"at": world.clock.now(), "method": request.method, "path": request.path,
                 "op": None, "status": None, "fault": None, "replayed": False,
                 "idempotency_key": request.headers.get("idempotency-key")}  # fmt: skip
    world.requests.append(note)
    reply = answer(note)
    note["status"] = None if reply.dropped else reply.status
    return reply


@dataclass(frozen=True)
class Asked:
    """One operation, ready to run."""

    world: World
    route: Route
    ids: tuple[str, ...]
    path: str
    sent: Obj
    fault: Fault | None
    manners: Manners

    def execute(self, key: str | None = None) -> Reply:
        """Run the operation in one unit of work; its answer is stored with its effects.

        A fault changes what the client hears, not what is kept: the key finds the effect.
        """
        door.during(self.fault)
        with unit(self.world, request_id=uuid4().hex) as call:
            status, body = self.route.act(call, self.sent, *self.ids)
            reply = json_reply(status, body)
            if key is not None:
                kept = answers.kept_of(self.path, self.sent, reply, call.request_id)
                answers.keep(call, key, kept)
            return door.kept(self.fault, reply, self.manners)

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
