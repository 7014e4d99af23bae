"""Calling this installation through its own public URL, as somebody from outside would; for self-tests only."""

from __future__ import annotations

import http.client
import socket
import ssl
from urllib.parse import urlsplit

SECONDS = 5.0


def connect(public_url: str) -> http.client.HTTPConnection:
    """Prepare a connection to the public URL; it is opened by the first request.

    Calls: our own public URL, and nothing else.
    """
    parts = urlsplit(public_url)
    host = parts.hostname or "localhost"
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=context)
    return http.client.HTTPConnection(host, parts.port, timeout=SECONDS)


def path(public_url: str, own: str) -> str:
    """Give the path of a route of ours under the public URL."""
    return f"{urlsplit(public_url).path.rstrip('/')}{own}"


def sentence(error: Exception, public_url: str) -> str:
    """Say in words why the public URL could not be reached."""
    if isinstance(error, socket.gaierror):
        return f"The name in PUBLIC_URL ({public_url}) cannot be resolved from this machine."
    if isinstance(error, ssl.SSLError):
        return f"TLS of {public_url} failed: {error.reason or 'unknown reason'}."
    if isinstance(error, TimeoutError):
        return f"Nothing came through {public_url} within {SECONDS:.0f} seconds."
    return f"{public_url} cannot be reached from this machine ({type(error).__name__})."
