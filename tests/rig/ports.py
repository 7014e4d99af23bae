"""Free TCP ports on loopback."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody listens on now.

    Below the range from which the kernel takes the ports of outgoing connections where possible, so
    that a client of another test does not take it before its server has bound it.
    """
    for _ in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        shifted = 10_000 + port % 20_000
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", shifted))
            except OSError:
                continue
        return shifted
    raise RuntimeError("no free port on 127.0.0.1")
