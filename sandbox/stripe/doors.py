"""Which door answers a request: the API, the control door or a page."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.common.server import MAX_BODY
from sandbox.common.wire import Reply, Request, json_reply
from sandbox.stripe import api, control, files, site
from sandbox.stripe.world import World


@dataclass(frozen=True)
class Doors:
    """The doors of one running stand-in."""

    world: World

    def answer(self, request: Request) -> Reply:
        """Answer a request."""
        if request.path.startswith("/v1/"):
            return api.answer(self.world, request)
        if request.path.startswith("/_sandbox"):
            return control.answer(self.world, request)
        return site.answer(self.world, request)

    def broken(self) -> Reply:
        """Return Stripe's error for a failure of its own."""
        error = {"message": "The sandbox itself failed; see its log.", "type": "api_error"}
        return json_reply(500, {"error": error})

    def most(self, path: str) -> int:
        """Return how many bytes a body at this path may have."""
        return files.LARGEST if path.startswith(files.PATH) else MAX_BODY
