"""TrueLayer's access tokens: one held for all threads of a process until shortly before it lapses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from core import clock
from core.errors import ProviderRefused, ProviderUnavailable
from providers.http import Line
from providers.values import word

# It is asked for anew before it lapses: a call that begins with it must also arrive with it.
MARGIN_SECONDS = 60
LONGEST_SECONDS = 24 * 3600
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


@dataclass(frozen=True)
class _Held:
    token: str = field(repr=False)
    secret: str = field(repr=False)
    until: float


class Tokens:
    """The token of one client. line: to where TrueLayer signs clients in."""

    def __init__(
        self, line: Line, client_id: str, now: Callable[[], float] = clock.monotonic
    ) -> None:
        self._line = line
        self._client_id = client_id
        self._now = now
        self._lock = threading.Lock()
        self._held: _Held | None = None

    def get(self, secret: str) -> str:
        """Give a token, asking for one where none is held for this client secret.

        Whoever comes meanwhile waits for the same answer. Calls: TrueLayer.
        Raises: ProviderUnavailable; nothing else was asked for yet.
        Source: https://docs.truelayer.com/reference/generateaccesstoken
        """
        with self._lock:
            held = self._held
            if held is None or held.secret != secret or held.until <= self._now():
                held = self._held = self._ask(secret)
            return held.token

    def drop(self, token: str) -> None:
        """Forget a token that was not accepted, unless another one has come since."""
        with self._lock:
            if self._held is not None and self._held.token == token:
                self._held = None

    def _ask(self, secret: str) -> _Held:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": secret,
            "scope": "payments",
        }
        began = self._now()
        body = urlencode(form).encode()
        answer = self._line.send("POST", "/connect/token", headers=_FORM, body=body, changes=False)
        try:
            said = self._line.judge(answer, changes=False)
        except ProviderRefused as error:
            # It did nothing, and may do it once an administrator has looked at the credentials.
            raise ProviderUnavailable(
                "TrueLayer does not accept our client secret. An administrator must look."
            ) from error
        token, lasts = word(said.get("access_token")), said.get("expires_in")
        if token is None or isinstance(lasts, bool) or not isinstance(lasts, int):
            raise ProviderUnavailable("TrueLayer's answer to our sign-in cannot be read.")
        usable = min(lasts, LONGEST_SECONDS) - MARGIN_SECONDS
        return _Held(token, secret, began + max(usable, 0))
