"""Plain HTTP for the demo traffic: one request per connection, JSON or form in, no redirects followed."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT_SECONDS = 30.0
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Answered:
    """What a server said. body: parsed when it is JSON, else empty; location: where it sends us."""

    status: int
    body: dict[str, Any]
    location: str | None

    @property
    def is_success(self) -> bool:
        """Whether it was done."""
        return self.status < 400


def send(
    method: str,
    url: str,
    *,
    document: Mapping[str, object] | None = None,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answered:
    """Make one request.

    Raises: OSError, http.client.HTTPException when there is no answer
    """
    parts = urlsplit(url)
    body, sent = _body(document, form)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(
        str(parts.hostname), parts.port or 80, timeout=TIMEOUT_SECONDS
    )
    try:
        connection.request(method, target, body=body, headers=sent | dict(headers or {}))
        answer = connection.getresponse()
        return Answered(answer.status, _parsed(answer), answer.getheader("Location"))
    finally:
        connection.close()


def _body(
    document: Mapping[str, object] | None, form: Mapping[str, str] | None
) -> tuple[bytes | None, dict[str, str]]:
    if document is not None:
        return json.dumps(document).encode(), {"Content-Type": "application/json"}
    if form is not None:
        return urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    return None, {}


def _parsed(answer: http.client.HTTPResponse) -> dict[str, Any]:
    content = answer.read(MOST_BYTES)
    if not answer.headers.get_content_type().endswith("json") or not content:
        return {}
    found = json.loads(content)
    return found if isinstance(found, dict) else {}
