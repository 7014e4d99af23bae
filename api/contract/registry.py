"""Every endpoint of the API as it was declared: what is checked, what is answered, what is documented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import BaseModel

from core.permissions import Permission

Key: TypeAlias = Literal["R", "O"] | None
Style: TypeAlias = Literal["api", "record", "v1"]


@dataclass(frozen=True)
class Open:
    """A route that anybody may call. why: what makes that safe; signed: the view verifies a signature."""

    why: str
    signed: bool = False


Who: TypeAlias = Permission | Open


@dataclass(frozen=True)
class Endpoint:
    """One row of the surface. path: as documented, with `{placeholders}`; answers: status → record.

    key: whether an Idempotency-Key is required (`R`) or heeded (`O`); money: the KYC gate stands
    before it; deviation: what differs from the source it comes from, and why; is_checked: the
    checks of `endpoint` stand before the view, rather than the view doing everything itself;
    takes_file: the body is a form with one file and, as texts, the fields of `body`.
    """

    method: str
    path: str
    who: Who
    summary: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    answers: Mapping[int, type[BaseModel] | None] | None = None
    key: Key = None
    money: bool = False
    errors: Sequence[str] = ()
    events: Sequence[str] = ()
    requirement: str = ""
    style: Style = "api"
    tag: str = ""
    deviation: str | None = None
    media: str = "application/json"
    takes: str = "application/json"
    is_checked: bool = True
    takes_file: bool = False

    @property
    def name(self) -> str:
        """The route as idempotency and messages name it."""
        return f"{self.method} {self.path}"


ENDPOINTS: dict[str, Endpoint] = {}


def add(found: Endpoint) -> None:
    """Keep an endpoint.

    Raises: RuntimeError when its route is declared twice
    """
    known = ENDPOINTS.get(found.name)
    if known is not None and known != found:
        raise RuntimeError(f"{found.name} is declared twice")
    ENDPOINTS[found.name] = found
