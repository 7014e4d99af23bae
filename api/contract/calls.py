"""What a view receives: who calls, what they sent, and the claim on their idempotency key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar

from domain.actors import Actor
from domain.idempotency import Claim
from domain.people import step_up
from web.identity import Principal


class NoBody(BaseModel):
    """Nothing is sent."""

    model_config = ConfigDict(extra="forbid")


class NoQuery(BaseModel):
    """Nothing can be asked for."""

    model_config = ConfigDict(extra="forbid")


Body = TypeVar("Body", bound=BaseModel, default=NoBody)
Asked = TypeVar("Asked", bound=BaseModel, default=NoQuery)


@dataclass
class Call(Generic[Body, Asked]):
    """One checked call. path: the ids in the address; claim: None when no key was sent or heeded."""

    caller: Principal | None
    body: Body
    query: Asked
    path: dict[str, str]
    request_id: str
    claim: Claim | None = None
    address: str = ""
    file: bytes = b""
    _given: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def actor(self) -> Actor:
        """Who calls.

        Raises: RuntimeError on a route that anybody may call
        """
        if self.caller is None:
            raise RuntimeError("nobody is signed in on an open route")
        return self.caller.actor

    @property
    def source(self) -> str:
        """The caller as the source of a change: `user:…` or `key:…`."""
        return f"{self.actor.kind}:{self.actor.id}"

    @property
    def livemode(self) -> bool:
        """The mode of what this call makes: a key's own mode, test for everybody else."""
        return bool(self.actor.livemode)

    def assert_stepped_up(self) -> None:
        """Check that a second factor was shown within the last minutes.

        Raises: Forbidden STEP_UP_REQUIRED
        """
        step_up.assert_fresh(self.actor)
