"""Rendering of the few pages that people see; escapes everything, holds no logic."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sandbox.stripe.wire import Reply

HERE = Path(__file__).parent
# Challenge and card pages are shown inside the merchant's page, so framing stays allowed.
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
_POLICY += "connect-src 'self'; base-uri 'none'"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def page(name: str, *, status: int = 200, framed: bool = True, **context: object) -> Reply:
    """Render a page."""
    policy = _POLICY if framed else f"{_POLICY}; frame-ancestors 'none'"
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    text = _environment().get_template(name).render(**context)
    return Reply(status, text.encode(), headers)


def redirect(url: str) -> Reply:
    """Send the browser on with a GET."""
    return Reply(303, headers={"Location": url, "Cache-Control": "no-store"})


def static(name: str) -> Reply | None:
    """Return a script or style sheet, or None when there is none of that name."""
    path = HERE / "static" / name
    if path.suffix not in _TYPES or path.parent != HERE / "static" or not path.is_file():
        return None
    headers = {
        "Content-Type": f"{_TYPES[path.suffix]}; charset=utf-8",
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    return Reply(200, path.read_bytes(), headers)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "html"), autoescape=True, undefined=StrictUndefined
    )
