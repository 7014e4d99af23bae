"""One call to TrueLayer: with a token, signed where it changes something, its errors in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from core import strictjson
from core.errors import (
    ProviderReference,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnknown,
    RailNotConfigured,
)
from core.strictjson import Json
from providers.http import Answer, Line, encoded
from providers.seam import Keys
from providers.truelayer import secrets, signing
from providers.truelayer.signing import SigningKey
from providers.truelayer.tokens import Tokens
from providers.values import Thing, thing, things, word

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
# A list that never ends is no list.
MOST_PAGES = 1000


def problem(status: int, said: Thing) -> ProviderReference:
    """Find the trace by which TrueLayer's support finds a refusal, and its code.

    Source: https://docs.truelayer.com/docs/error-types (RFC 9457; the code is the type's fragment)
    """
    kind = word(said.get("type"), longest=255) or ""
    code = kind.rpartition("#")[2] or word(said.get("error"), longest=64) or str(status)
    return ProviderReference(word(said.get("trace_id"), longest=128), code[:64])


def named(reference: str) -> str:
    """Give a name for use in a path. Raises: ProviderRefused for what TrueLayer never calls anything."""
    if not _NAME.fullmatch(reference):
        raise ProviderRefused(
            "TrueLayer knows nothing of this name.", provider=ProviderReference(None, "not-found")
        )
    return reference


@dataclass(frozen=True)
class Api:
    """TrueLayer's API. keys: gives the client secret and the signing key as they are now."""

    line: Line
    tokens: Tokens
    keys: Keys = field(repr=False)
    rail: str

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Thing:
        """Ask for an object or a page.

        Raises: ProviderRefused, ProviderUnavailable, RailNotConfigured. Calls: TrueLayer.
        """
        headers = {"Accept": "application/json", "tl-enable-pagination": "true"}
        answer = self._send("GET", path, headers, query=query, changes=False)
        return self.line.judge(answer, changes=False)

    def post(
        self, path: str, body: Mapping[str, Json] | None, *, key: str, conflict_is_no: bool = False
    ) -> Thing:
        """Ask for something to be done, once for a key. conflict_is_no: a 409 says that it cannot be done.

        Raises: ProviderRefused, ProviderUnavailable, ProviderUnknown, RailNotConfigured. Calls: TrueLayer.
        """
        content = encoded(body) if body is not None else b""
        headers = {
            "Accept": "application/json",
            "Idempotency-Key": key,
            signing.SIGNATURE: signing.sign(
                self._signing_key(), "POST", path, idempotency_key=key, body=content.decode()
            ),
        }
        if content:
            headers["Content-Type"] = "application/json; charset=UTF-8"
        answer = self._send("POST", path, headers, body=content, changes=True)
        self._refuse_key(answer, conflict_is_no=conflict_is_no)
        return self.line.judge(answer, changes=True)

    def pages(self, path: str, query: Mapping[str, str]) -> Iterator[Thing]:
        """Read the objects of a list, page by page. Raises: as `get`."""
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = self.get(path, {**query, **({"cursor": cursor} if cursor else {})})
            yield from things(page.get("items"))
            before, cursor = cursor, next_cursor(page)
            if cursor is None:
                return
            if cursor == before:
                break
        raise ProviderUnavailable("TrueLayer's list does not end.")

    def _signing_key(self) -> SigningKey:
        key = secrets.read_key(self.keys(secrets.SIGNING_KEY, True) or "")
        if key is None:
            raise RailNotConfigured(self.rail)
        return key

    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        changes: bool,
    ) -> Answer:
        """Send with a token; one that is not accepted is renewed once, for it did nothing."""
        secret = self.keys(secrets.PROVIDER_KEY, True)
        if not secret:
            raise RailNotConfigured(self.rail)
        token = self.tokens.get(secret)
        answer = self._with(token, method, path, headers, body=body, query=query, changes=changes)
        if answer.status != 401:
            return answer
        self.tokens.drop(token)
        token = self.tokens.get(secret)
        return self._with(token, method, path, headers, body=body, query=query, changes=changes)

    def _with(
        self,
        token: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        body: bytes | None,
        query: Mapping[str, str] | None,
        changes: bool,
    ) -> Answer:
        return self.line.send(
            method,
            path,
            headers={**headers, "Authorization": f"Bearer {token}"},
            body=body or None,
            query=query,
            changes=changes,
        )

    def _refuse_key(self, answer: Answer, *, conflict_is_no: bool) -> None:
        """Read what is said of our key: used for other words it made something, which we do not know then.

        Raises: ProviderUnknown, ProviderRefused
        """
        if answer.status not in (409, 422):
            return
        try:
            said = strictjson.loads_object(answer.body)
        except strictjson.Unreadable:
            said = {}
        found = problem(answer.status, said)
        if "idempotency" in (found.code or ""):
            raise ProviderUnknown(provider=found)
        if answer.status == 409 and conflict_is_no and thing(said).get("type"):
            self._final(found)

    def _final(self, found: ProviderReference) -> NoReturn:
        raise ProviderRefused(f"{self.line.label} refused the request.", provider=found)


def next_cursor(page: Thing) -> str | None:
    """Give what the next page is asked for with; None: this is the last one."""
    return word(thing(page.get("pagination")).get("next_cursor"), longest=1024)
