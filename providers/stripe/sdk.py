"""Stripe's SDK as we use it: a pinned version, an explicit client, our keys, timeouts and errors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar, cast

import requests
import stripe

from core import strictjson
from core.errors import ProviderUnavailable, ProviderUnknown
from core.strictjson import Json
from providers.stripe.errors import translate
from providers.stripe.things import Thing

# The version the SDK 16.1 was generated for; events are compared with it.
API_VERSION = "2026-10-28.endive"
API, FILES = "https://api.stripe.com", "https://files.stripe.com"
CONNECT_SECONDS = 3
_T = TypeVar("_T")
_Listed = TypeVar("_Listed", bound=stripe.StripeObject)


def client(secret_key: str, api_base: str, timeout_seconds: int) -> stripe.StripeClient:
    """Make the one client of this process: no redirects, no proxies from the environment.

    The SDK does not retry by itself: after a retry its error would tell of the last try only, and
    a first try with an unknown outcome would look like one that never left.
    """
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    adapter = requests.adapters.HTTPAdapter(pool_connections=4, pool_maxsize=64)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    transport = stripe.RequestsClient(timeout=(CONNECT_SECONDS, timeout_seconds), session=session)
    return stripe.StripeClient(
        secret_key,
        stripe_version=API_VERSION,
        base_addresses={"api": api_base, "files": _files_base(api_base)},
        max_network_retries=0,
        http_client=transport,
    )


def _files_base(api_base: str) -> str:
    """Files go to an address of their own at Stripe; whoever stands in for it takes both at one."""
    return FILES if api_base == API else api_base


def asked(call: Callable[[], _T]) -> _T:
    """Make a call that only reads. Raises: ProviderUnavailable, ProviderRefused."""
    try:
        return call()
    except stripe.StripeError as error:
        translate(error, changes=False)


def done(call: Callable[[], _T]) -> _T:
    """Make a call that changes something; a first unknown outcome is asked once more, same key."""
    try:
        return call()
    except stripe.StripeError as error:
        with contextlib.suppress(ProviderUnknown):
            translate(error, changes=True)
    try:
        return call()
    except stripe.StripeError as error:
        try:
            translate(error, changes=True)
        except ProviderUnavailable:
            raise ProviderUnknown from None


def plain(answer: stripe.StripeObject) -> Thing:
    """Give an answer as the JSON that it was."""
    return cast(Thing, answer.to_dict())


def every(call: Callable[[], stripe.ListObject[_Listed]]) -> list[Thing]:
    """Read all pages of a list."""
    return asked(lambda: [plain(found) for found in call().auto_paging_iter()])


def through(api: stripe.StripeClient, path: str, params: Mapping[str, Json]) -> Iterator[Thing]:
    """Read a list, newest first, page by page, and no further than somebody wants.

    In plain JSON: after an outage hundreds look through the same list for what is theirs, and objects
    of the SDK, made of all that is not, would cost five times the call itself.
    """
    after: dict[str, Json] = {}
    while True:
        page = _page(api, path, {**params, **after})
        found = cast(list[Thing], page["data"])
        yield from found
        if not found or page.get("has_more") is not True:
            return
        after = {"starting_after": found[-1]["id"]}


def through_exactly(
    api: stripe.StripeClient, path: str, params: Mapping[str, Json]
) -> Iterator[Thing]:
    """Read a list as `through` does, its decimals from their text: the SDK would make them floats.

    Raises: ProviderUnavailable, also when the answer is no JSON.
    """
    after: dict[str, Json] = {}
    while True:
        sent = {**params, **after}
        answer = asked(lambda sent=sent: api.raw_request("get", f"/v1/{path}", **sent))  # type: ignore[misc]
        try:
            page = strictjson.loads_object(answer.body.encode())
        except strictjson.Unreadable as error:
            raise ProviderUnavailable("Stripe's answer cannot be read.") from error
        found = cast(list[Thing], page.get("data") or [])
        yield from found
        if not found or page.get("has_more") is not True:
            return
        after = {"starting_after": found[-1]["id"]}


def _page(api: stripe.StripeClient, path: str, params: Mapping[str, Json]) -> Thing:
    answer = asked(lambda: api.raw_request("get", f"/v1/{path}", **params))
    return cast(Thing, answer.data)
