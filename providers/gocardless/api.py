"""One call to GoCardless through its own library, over our line: bounded, not repeated, its errors in our words.

The library's transport follows redirects, takes proxies from the environment and waits for a minute, and
its services repeat a creation by themselves, so that an error would tell of the last try only. Paths,
envelopes and headers are the library's; sending, repeating and judging are ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

from gocardless_pro import services  # type: ignore[import-untyped]
from gocardless_pro.api_client import ApiClient  # type: ignore[import-untyped]

from core import clock, strictjson
from core.errors import (
    ProviderReference,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnknown,
    RailNotConfigured,
)
from core.strictjson import Json
from providers.gocardless import secrets
from providers.http import LONGEST_WAIT_SECONDS, Answer, Line, encoded
from providers.lacking import refuse
from providers.seam import Keys
from providers.values import Thing, thing, things, word

REQUESTS, FLOWS = services.BillingRequestsService, services.BillingRequestFlowsService
PAYMENTS, REFUNDS = services.PaymentsService, services.RefundsService
PAYOUTS, PAYOUT_ITEMS = services.PayoutsService, services.PayoutItemsService
EVENTS = services.EventsService
# One of the above.
Service: TypeAlias = Any
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
# A list that never ends is no list.
MOST_PAGES, PAGE_SIZE = 1000, 100


class AlreadyMade(Exception):
    """The key has made something before. reference: what GoCardless calls it."""

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.reference = reference


def problem(status: int, said: Thing) -> ProviderReference:
    """Find the id by which GoCardless' support finds a refusal, and its reason.

    Source: https://developer.gocardless.com/api-reference/#api-usage-errors
    """
    error = thing(said.get("error"))
    reasons = [word(each.get("reason"), longest=64) for each in things(error.get("errors"))]
    kind = word(error.get("type"), longest=64)
    code = next((each for each in reasons if each), None) or kind or str(status)
    return ProviderReference(word(error.get("request_id"), longest=128), code)


def named(reference: str) -> str:
    """Give a name for use in a path. Raises: ProviderRefused for what GoCardless never calls anything."""
    if not _NAME.fullmatch(reference):
        raise ProviderRefused(
            "GoCardless knows nothing of this name.",
            provider=ProviderReference(None, "resource_not_found"),
        )
    return reference


@dataclass(frozen=True)
class _Said:
    """An answer as the library reads one."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes
    body: Thing

    def json(self) -> Thing:
        return self.body


class _Transport(ApiClient):  # type: ignore[misc]  # published without types
    """The library's client, sending over our line."""

    def __init__(self, line: Line, token: str) -> None:
        super().__init__(line.base, token)
        self._line = line

    def get(self, path: str, params: Mapping[str, str] | None = None, headers: Any = None) -> _Said:
        return self._sent("GET", path, headers, query=params)

    def post(self, path: str, body: Mapping[str, Json] | None, headers: Any = None) -> _Said:
        return self._sent("POST", path, headers, body=encoded(body or {}))

    def put(self, *_: object, **__: object) -> _Said:
        refuse("way to change what is there")

    def delete(self, *_: object, **__: object) -> _Said:
        refuse("way to take away what is there")

    def _sent(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> _Said:
        changes = method != "GET"
        answer = self._line.send(
            method,
            self._validate_path(path),
            headers=self._headers(headers),
            body=body,
            query=query,
            changes=changes,
        )
        if changes and answer.status == 409:
            _tell_what_was_made(answer)
        said = self._line.judge(_told_when(answer), changes=changes)
        # The library would take anything for an object.
        envelope = said.get(path.split("/")[1])
        if not isinstance(envelope, dict | list):
            self._line.lost(changes=changes)
        return _Said(answer.status, answer.headers, answer.body, said)


def _tell_what_was_made(answer: Answer) -> None:
    """Read a conflict of keys. Raises: AlreadyMade when it names what the key has made.

    Source: https://developer.gocardless.com/api-reference/#making-requests-idempotency-keys
    """
    try:
        error = thing(strictjson.loads_object(answer.body).get("error"))
    except strictjson.Unreadable:
        return
    for each in things(error.get("errors")):
        made = word(thing(each.get("links")).get("conflicting_resource_id"), longest=64)
        if each.get("reason") == "idempotent_creation_conflict" and made:
            raise AlreadyMade(made)


def _told_when(answer: Answer) -> Answer:
    """Put the end of a rate limit, which GoCardless says as a time of day, where waiting is read.

    Source: https://developer.gocardless.com/api-reference/#making-requests-rate-limiting
    """
    headers = answer.headers
    if answer.status != 429 or headers.get("Retry-After"):
        return answer
    try:
        until = parsedate_to_datetime(str(headers.get("RateLimit-Reset", "")))
        seconds = int(until.timestamp()) - clock.unix()
    except (ValueError, OverflowError):
        return answer
    wait = str(max(1, min(seconds, LONGEST_WAIT_SECONDS)))
    return Answer(answer.status, {**headers, "Retry-After": wait}, answer.body)


@dataclass(frozen=True)
class Api:
    """GoCardless' API. keys: gives the access token as it is now."""

    line: Line
    keys: Keys = field(repr=False)
    rail: str

    def _service(self, service: Service) -> Any:
        """Give one of the library's services: it makes one try, and leaves a conflict of keys to us."""
        token = self.keys(secrets.PROVIDER_KEY, True)
        if not token:
            raise RailNotConfigured(self.rail)
        return service(_Transport(self.line, token), 1, 0, True)

    def get(self, service: Service, reference: str) -> Thing:
        """Ask for one object.

        Raises: ProviderRefused, ProviderUnavailable, RailNotConfigured. Calls: GoCardless.
        """
        return thing(self._service(service).get(named(reference)).attributes)

    def create(self, service: Service, asked: Mapping[str, Json], *, key: str) -> Thing:
        """Ask for something to be made, once for a key.

        Raises: AlreadyMade, ProviderRefused, ProviderUnavailable, ProviderUnknown, RailNotConfigured.
        Calls: GoCardless.
        """
        headers = {"Idempotency-Key": key}
        return thing(self._service(service).create(params=dict(asked), headers=headers).attributes)

    def cancel(self, reference: str, *, key: str) -> Thing:
        """End a billing request. Raises: as `create`, but never AlreadyMade. Calls: GoCardless."""
        service, headers = self._service(REQUESTS), {"Idempotency-Key": key}
        try:
            return thing(service.cancel(named(reference), headers=headers).attributes)
        except AlreadyMade:
            raise ProviderUnknown from None

    def page(
        self, service: Service, query: Mapping[str, str], *, after: str | None = None
    ) -> tuple[list[Thing], str | None]:
        """Read one page of a list; give what the next one is asked for with. Raises: as `get`."""
        asked = {"limit": str(PAGE_SIZE), **query, **({"after": after} if after else {})}
        found = self._service(service).list(params=asked)
        following = word(found.after, longest=255)
        return [thing(each.attributes) for each in found.records], following

    def pages(self, service: Service, query: Mapping[str, str]) -> Iterator[Thing]:
        """Read the objects of a list, newest first, page by page. Raises: as `get`."""
        after: str | None = None
        for _ in range(MOST_PAGES):
            items, following = self.page(service, query, after=after)
            yield from items
            if following is None:
                return
            if following == after:
                break
            after = following
        raise ProviderUnavailable("GoCardless' list does not end.")
