"""The one HTTP client of rails that have no SDK: bounded in time and size, no redirects, no proxies, errors in our words."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

import requests

from core import strictjson
from core.errors import ProviderReference, ProviderRefused, ProviderUnavailable, ProviderUnknown
from core.strictjson import Json

CONNECT_SECONDS, READ_SECONDS = 3.0, 8.0
LARGEST_ANSWER = 1024 * 1024
LONGEST_WAIT_SECONDS = 600
_CHUNK = 64 * 1024
# Certainly before the request left: nothing was done.
_BEFORE_SENDING = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.SSLError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
)
Refusal = Callable[[int, dict[str, Json]], ProviderReference]
_T = TypeVar("_T")


def never_sent(error: BaseException | None) -> bool:
    """Tell whether a request certainly never reached its server."""
    if isinstance(error, _BEFORE_SENDING):
        return True
    return isinstance(error, requests.exceptions.ConnectionError) and (
        "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)
    )


def session() -> requests.Session:
    """Make a session that follows no redirect and takes no proxy or password from the environment."""
    made = requests.Session()
    made.trust_env = False
    made.max_redirects = 0
    adapter = requests.adapters.HTTPAdapter(pool_connections=4, pool_maxsize=64)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made


def seconds_to_wait(headers: Mapping[str, str]) -> int:
    """Read `Retry-After` in seconds, ten minutes at most; five when it says nothing we understand."""
    text = str(headers.get("Retry-After", "")).strip()
    is_number = text.isascii() and text.isdigit() and len(text) < 10
    return min(int(text), LONGEST_WAIT_SECONDS) if is_number else 5


@dataclass(frozen=True)
class Answer:
    """What a server answered. body: as it came, no larger than was allowed."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Line:
    """The line to one provider. label: its name for people; refusal: finds its reference and code in an error."""

    label: str
    base: str
    refusal: Refusal
    session: requests.Session = field(default_factory=session, repr=False)
    read_seconds: float = READ_SECONDS

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        changes: bool,
    ) -> Answer:
        """Send one request and read its whole answer.

        changes: whether it could do something, so that a lost answer leaves us not knowing.
        Raises: ProviderUnavailable, ProviderUnknown. Calls: the provider, once.
        """
        try:
            with self.session.request(
                method,
                self.base + path,
                headers=dict(headers),
                data=body,
                params=query,
                timeout=(CONNECT_SECONDS, self.read_seconds),
                allow_redirects=False,
                stream=True,
            ) as found:
                content = self._content(found, changes=changes)
                return Answer(found.status_code, found.headers, content)
        except requests.exceptions.RequestException as error:
            if never_sent(error):
                raise ProviderUnavailable(
                    f"{self.label} cannot be reached. Nothing was done."
                ) from None
            self.lost(changes=changes)

    def _content(self, found: requests.Response, *, changes: bool) -> bytes:
        parts, size = [], 0
        for part in found.iter_content(_CHUNK):
            size += len(part)
            if size > LARGEST_ANSWER:
                self.lost(changes=changes)
            parts.append(part)
        return b"".join(parts)

    def lost(self, *, changes: bool) -> NoReturn:
        """Say that no answer came that can be used. Raises: ProviderUnavailable, ProviderUnknown."""
        if changes:
            raise ProviderUnknown
        raise ProviderUnavailable(f"{self.label} does not answer.")

    def judge(self, answer: Answer, *, changes: bool) -> dict[str, Json]:
        """Give what a good answer says; raise our error for any other.

        401 and 403 mean our own key, which somebody must look at; 409 and 5xx may have done it.
        Raises: ProviderRefused, ProviderUnavailable, ProviderUnknown
        """
        status = answer.status
        if 200 <= status < 300:
            return self._read(answer, changes=changes)
        if status in (401, 403):
            raise ProviderUnavailable(
                f"{self.label} does not accept our key. An administrator must look."
            )
        if status == 429:
            raise ProviderUnavailable(
                f"{self.label} asks us to slow down. Try again shortly.",
                retry_after=seconds_to_wait(answer.headers),
            )
        if status >= 500 or status in (408, 409) or status < 400:
            self.lost(changes=changes)
        try:
            said = strictjson.loads_object(answer.body)
        except strictjson.Unreadable:
            said = {}
        raise ProviderRefused(
            f"{self.label} refused the request.", provider=self.refusal(status, said)
        )

    def _read(self, answer: Answer, *, changes: bool) -> dict[str, Json]:
        if not answer.body:
            return {}
        try:
            return strictjson.loads_object(answer.body)
        except strictjson.Unreadable:
            self.lost(changes=changes)


def encoded(value: Mapping[str, Json]) -> bytes:
    """Write a request's body, always the same bytes for the same content: they are signed and sent again."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def surely(call: Callable[[], _T]) -> _T:
    """Make a call that changes something; a first unknown outcome is asked once more, same key and bytes.

    Raises: as the call; what is unavailable at the second try may have been done at the first.
    """
    with contextlib.suppress(ProviderUnknown):
        return call()
    try:
        return call()
    except ProviderUnavailable:
        raise ProviderUnknown from None
