"""The rehearsal's own door, `/_sandbox`: what every stand-in's has; JSON in, JSON out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.common.faults import BadFault
from sandbox.common.wire import Obj, Reply, Request, json_reply
from sandbox.common.world import World

Act = Callable[..., object]
Acts = Mapping[tuple[str, str], Act]

ROOT = "/_sandbox"


class BadControl(ValueError):
    """A control request that makes no sense; says why."""


def answer(world: Any, request: Request, acts: Acts) -> Reply:
    """Answer one control request. Keys of `acts` are a method and a path, `{id}` being any word."""
    if "origin" in request.headers:
        return json_reply(403, {"error": "the control door is not for web pages"})
    found = _find(acts, request.method, request.path.removeprefix(ROOT).strip("/"))
    if found is None:
        return json_reply(404, {"error": f"no such control: {request.method} {request.path}"})
    act, ids = found
    try:
        sent = json.loads(request.body) if request.body else request.asked()
        wrapped: Obj = {"lines": sent} if isinstance(sent, list) else dict(sent)
        said = act(world, wrapped, *ids)
        return said if isinstance(said, Reply) else json_reply(200, said)
    except (BadFault, BadControl, KeyError, TypeError, ValueError) as error:
        return json_reply(400, {"error": f"{type(error).__name__}: {error}"})


def _find(acts: Acts, method: str, path: str) -> tuple[Act, tuple[str, ...]] | None:
    for (wanted, pattern), act in acts.items():
        match = re.fullmatch(pattern.replace("{id}", "([A-Za-z0-9_-]+)"), path)
        if match and wanted == method:
            return act, match.groups()
    return None


def _add_faults(world: World, sent: Obj) -> object:
    world.faults.add(sent.get("lines", [sent]))
    return world.faults.shown()


def _faults(world: World, _sent: Obj) -> object:
    return world.faults.shown()


def _clear_faults(world: World, _sent: Obj) -> object:
    world.faults.clear()
    return []


def _deliveries(world: World, _sent: Obj) -> Obj:
    with world.store.locked() as db:
        rows = db.execute(
            "SELECT d.id, d.event, d.type, d.endpoint, d.state, d.due_at, d.attempts"
            " FROM deliveries d ORDER BY d.seq"
        ).fetchall()
    names = ("id", "event", "type", "endpoint", "state", "due_at")
    shown = [dict(zip(names, r, strict=False)) | {"attempts": json.loads(r[6])} for r in rows]
    return {"data": shown}


def _requests(world: World, _sent: Obj) -> Obj:
    return {"data": list(world.requests)}


def _advance(world: World, sent: Obj) -> Obj:
    now = world.clock.advance(float(sent["advance_seconds"]))
    world.timetable.wake()
    return {"now": now}


def _reset(world: World, _sent: Obj) -> Obj:
    world.faults.clear()
    with world.store.transaction():
        world.store.wipe()
    world.clock.reset()
    world.courier.forget()
    world.requests.clear()
    return {"ok": True}


SHARED: dict[tuple[str, str], Act] = {
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_faults,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "deliveries"): _deliveries,
    ("GET", "requests"): _requests,
    ("POST", "clock"): _advance,
    ("POST", "reset"): _reset,
}
