"""Paths that browsers open: challenge, scripts, styles; every other path is not found."""

from __future__ import annotations

import re
from collections.abc import Callable

from sandbox.stripe import challenge_page, pages
from sandbox.stripe.wire import Reply, Request
from sandbox.stripe.world import World

Show = Callable[..., Reply]

_PAGES: list[tuple[str, re.Pattern[str], Show]] = [
    ("GET", re.compile(r"/3ds/([A-Za-z0-9]+)"), challenge_page.show),
    ("POST", re.compile(r"/3ds/([A-Za-z0-9]+)"), challenge_page.decide),
]


def answer(world: World, request: Request) -> Reply:
    """Answer a page, a script or a style sheet."""
    method = "GET" if request.method == "HEAD" else request.method
    for allowed, pattern, show in _PAGES:
        match = pattern.fullmatch(request.path)
        if match and allowed == method:
            return show(world, request, *match.groups())
    if request.path.startswith("/static/") and method == "GET":
        found = pages.static(request.path.removeprefix("/static/"))
        if found is not None:
            return found
    return pages.page("not_found.html", status=404)
