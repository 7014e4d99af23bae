"""Which door answers a request: one of the two APIs, the control door or a page."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.bank import control, site
from sandbox.bank.gocardless import api as gocardless
from sandbox.bank.truelayer import api as truelayer
from sandbox.bank.truelayer import keys
from sandbox.bank.world import World, unit
from sandbox.common import door
from sandbox.common.server import MAX_BODY
from sandbox.common.wire import Reply, Request, json_reply


@dataclass(frozen=True)
class Doors:
    """The doors of one running stand-in."""

    world: World

    def answer(self, request: Request) -> Reply:
        """Answer a request."""
        if request.path.startswith("/_sandbox"):
            return control.answer(self.world, request)
        if request.path == "/connect/token" and request.method == "POST":
            return truelayer.token(self.world, request)
        if request.path.startswith("/v3/"):
            return truelayer.answer(self.world, request)
        if request.path == "/.well-known/jwks" and request.method == "GET":
            return self._jwks()
        if gocardless.is_for(request):
            return gocardless.answer(self.world, request)
        return site.answer(self.world, request)

    def _jwks(self) -> Reply:
        fault = self.world.faults.take_for_request("truelayer.jwks")
        early = door.before(fault, truelayer.MANNERS)
        if early is not None:
            return early
        door.during(fault)
        with unit(self.world) as call:
            reply = json_reply(200, keys.jwks(call), {"Cache-Control": "max-age=300"})
        return door.after(fault, reply)

    def broken(self) -> Reply:
        """Say that the stand-in itself failed."""
        return json_reply(500, {"error": "The sandbox itself failed; see its log."})

    def most(self, _path: str) -> int:
        """Return how many bytes a body may have."""
        return MAX_BODY
