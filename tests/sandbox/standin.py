"""A handle on a running stand-in: its address, its control door, an SDK client for it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

# The SDK's typed parameters refuse what these tests send on purpose.
Client = Any

SECRET_KEY = "sk_test_paydesk"
PUBLISHABLE_KEY = "pk_test_paydesk"
PAID: dict[str, Any] = {
    "amount": 2500,
    "currency": "eur",
    "payment_method_types": ["card"],
    "confirm": True,
}


@dataclass(frozen=True)
class StandIn:
    """One running stand-in."""

    process: subprocess.Popen[bytes]
    url: str

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Call the control door and return its JSON."""
        content = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/_sandbox/{path}", data=content, method=method)
        with urlopen(request, timeout=10) as response:
            return json.load(response)

    def fault(self, **line: object) -> None:
        """Script one fault."""
        self.control("POST", "faults", line)


def body_of(refused: Any) -> Any:
    """Return the error object that a caught refusal of the SDK carries."""
    return refused.value.error
