"""Parameters of source 002 that are still taken, have no effect, and say so in a header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from flask import Response, after_this_request

from api.contract.registry import Endpoint

# Resolution C22: a wait ends at any terminal status, whatever else was asked for.
RETIRED = frozenset({"awaitResolved"})
# RFC 9745: since when, as a structured date; here the day of the first version of this API.
SINCE = "@1795219200"
SUCCESSOR = '</v1/stripe/transactions>; rel="successor-version"'
Value = TypeVar("Value")


def left_out(found: Endpoint, given: Mapping[str, Value]) -> dict[str, Value]:
    """Leave out what has no effect any more, and have the answer say that it was sent."""
    if found.style != "v1" or not RETIRED & given.keys():
        return dict(given)
    after_this_request(_tell)
    return {name: value for name, value in given.items() if name not in RETIRED}


def _tell(response: Response) -> Response:
    response.headers["Deprecation"] = SINCE
    response.headers["Link"] = SUCCESSOR
    return response
