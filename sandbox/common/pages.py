"""Rendering of the few pages that people see; escapes everything, holds no logic."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sandbox.common.wire import Reply, Request

# Method, path, and what shows the page.
Table = Sequence[tuple[str, re.Pattern[str], Callable[..., Reply]]]

SHARED = Path(__file__).parent
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
_POLICY += "connect-src 'self'; base-uri 'none'"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Pages:
    """The pages, scripts and styles of one stand-in: its own folder's, and those that all share."""

    folder: Path

    def page(
        self, name: str, *, status: int = 200, framed: bool = True, **context: object
    ) -> Reply:
        """Render a page; an unframed one may not be shown inside another."""
        policy = _POLICY if framed else f"{_POLICY}; frame-ancestors 'none'"
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        text = self._environment.get_template(name).render(**context)
        return Reply(status, text.encode(), headers)

    def static(self, name: str) -> Reply | None:
        """Return a script or style sheet, or None when there is none of that name."""
        for home in (self.folder / "static", SHARED / "static"):
            path = home / name
            if path.suffix in _TYPES and path.parent == home and path.is_file():
                headers = {
                    "Content-Type": f"{_TYPES[path.suffix]}; charset=utf-8",
                    "Cache-Control": "no-cache",
                    "X-Content-Type-Options": "nosniff",
                }
                return Reply(200, path.read_bytes(), headers)
        return None

    def answer(self, table: Table, request: Request, *given: object) -> Reply:
        """Answer with the page of a table, a script or a style; else say that nothing is there."""
        method = "GET" if request.method == "HEAD" else request.method
        for allowed, pattern, show in table:
            match = pattern.fullmatch(request.path)
            if match and allowed == method:
                return show(*given, request, *match.groups())
        if request.path.startswith("/static/") and method == "GET":
            found = self.static(request.path.removeprefix("/static/"))
            if found is not None:
                return found
        return self.page("not_found.html", status=404)

    @cached_property
    def _environment(self) -> Environment:
        loader = FileSystemLoader([self.folder / "html", SHARED / "html"])
        return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def redirect(url: str) -> Reply:
    """Send the browser on with a GET."""
    return Reply(303, headers={"Location": url, "Cache-Control": "no-store"})
