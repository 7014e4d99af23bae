"""Many calls that wait, in one process of their own: `python -m bench.held URL PATH`, whom to wait for on stdin.

Prints `sent` when all have asked. At the end of its input it prints, as one JSON line, when each was
answered with `succeeded`; on Linux this clock is the same for all processes.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from urllib.parse import urlsplit

DONE = b'"status":"succeeded"'


def _ask(url: str, path: str, token: str) -> socket.socket:
    parts = urlsplit(url)
    client = socket.create_connection((str(parts.hostname), parts.port or 80), timeout=30)
    head = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
    client.sendall(head.encode())
    client.setblocking(False)
    return client


def main() -> None:
    """Ask for all of them, note when each is answered, until told to stop."""
    url, path = sys.argv[1], sys.argv[2]
    wanted = json.loads(sys.stdin.readline())
    poll, waiting = select.epoll(), {}
    for name in wanted["ids"]:
        client = _ask(url, path.replace("{id}", name), wanted["token"])
        waiting[client.fileno()] = (name, client, bytearray())
        poll.register(client.fileno(), select.EPOLLIN)
    print("sent", flush=True)
    poll.register(sys.stdin.fileno(), select.EPOLLIN)
    answered: dict[str, float] = {}
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == sys.stdin.fileno():
                print(json.dumps(answered), flush=True)
                return
            name, client, read = waiting[descriptor]
            chunk = client.recv(65_536)
            read += chunk
            if DONE in read and name not in answered:
                answered[name] = time.perf_counter()
            if not chunk or DONE in read:
                poll.unregister(descriptor)


if __name__ == "__main__":
    main()
