"""The HTTP server: threads, keep-alive, bytes in and out; decides nothing."""

from __future__ import annotations

import logging
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import urlsplit

from sandbox.common.wire import Reply, Request

log = logging.getLogger("sandbox")

MAX_BODY = 1_048_576
IDLE_SECONDS = 75


class Doors(Protocol):
    """Who answers, and how much may be sent where."""

    def answer(self, request: Request) -> Reply:
        """Answer a request."""

    def broken(self) -> Reply:
        """Return what is answered when the stand-in itself fails."""

    def most(self, path: str) -> int:
        """Return how many bytes a body at this path may have."""


class Server(ThreadingHTTPServer):
    """One thread per connection; `doors` is set before the first request is served."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    doors: Doors

    def __init__(self, host: str, port: int) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet about connections that clients cut."""
        log.debug("connection %s of %s ended early", request, client_address)


class Connection(BaseHTTPRequestHandler):
    """One connection with any number of requests."""

    protocol_version = "HTTP/1.1"
    server_version = "nginx"
    sys_version = ""
    timeout = IDLE_SECONDS
    wbufsize = 65_536
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Answer."""
        self._serve()

    do_POST = do_PUT = do_DELETE = do_OPTIONS = do_HEAD = do_GET  # noqa: N815 - names the base class wants

    def log_message(self, template: str, *values: object) -> None:
        """Keep the base class from writing to stderr."""
        log.debug(template, *values)

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            return
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, parts.path, parts.query, headers, body)
        try:
            reply = self.server.doors.answer(request)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            reply = self.server.doors.broken()
        self._send(reply)

    def _body(self) -> bytes | None:
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        length = self.headers.get("Content-Length", "0")
        most = self.server.doors.most(self.path)
        if not chunked and length.isdecimal() and int(length) <= most:
            return self.rfile.read(int(length))
        self.close_connection = True
        self._send(Reply(411 if chunked else 413 if length.isdecimal() else 400))
        return None

    def _send(self, reply: Reply) -> None:
        if reply.dropped:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
        self.wfile.flush()
        if reply.cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
