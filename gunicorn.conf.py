"""How gunicorn serves Paydesk: gevent on PostgreSQL, threads on SQLite; read in its master process.

Nothing of ours that makes locks or thread-locals may be imported here: gevent replaces them in the
workers, after the fork.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

# `config` itself is the name of one of gunicorn's settings.
from config import load as _load

if TYPE_CHECKING:
    from flask import Flask
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

    from commands.companions import Companions

# A waiting SQLite writer would stop all of a gevent worker, so there each request has a thread. As many
# threads as API_THREADS are always left for requests; streams and held requests may occupy the others.
API_THREADS = 16
STREAM_THREADS = 24
WAIT_THREADS = 64
OPEN_FILES = 65_536

_settings = _load()
_is_sqlite = _settings.database_url.startswith("sqlite")

bind = f"{_settings.host}:{_settings.port}"
workers = int(os.environ.get("WEB_CONCURRENCY") or "2")
worker_class = "gthread" if _is_sqlite else "gevent"
threads = API_THREADS + STREAM_THREADS + WAIT_THREADS if _is_sqlite else 1
worker_connections = 1000 if _is_sqlite else 4000
wsgi_app = "wsgi:create_app()"
proc_name = "paydesk"

timeout = 30
# Streams are told to come back within a second of SIGTERM; this is for requests under way.
graceful_timeout = 4
# Also how long a client may take to send its head; a thousand streams that come back at once need some.
keepalive = 15
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# The server's own command socket is one more door, in the home folder.
control_socket_disable = True
# Requests are logged by the application, as JSON.
accesslog = None
loglevel = os.environ.get("GUNICORN_LOG_LEVEL", "info")
# A heartbeat file on a disk under load would stall the workers.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # as advised by gunicorn
# Whose X-Forwarded-* is believed: the proxy's address, nothing else.
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return  # macOS has a lower limit of its own that it does not tell


_raise_open_files()
_running: list[Companions] = []


def post_worker_init(worker: Worker) -> None:
    """Start what every process of ours has beside its work, now that modules are gevent's or native."""
    from commands import companions
    from web import stream, waiting
    from web.keeper import keeper

    keeper.stop_when(lambda: not worker.alive)
    if _is_sqlite:
        app: Flask = worker.wsgi
        stream.slots_of(app).cap(STREAM_THREADS)
        waiting.slots_of(app).cap(WAIT_THREADS)
    _running.append(companions.start("web"))


def worker_int(_worker: Worker) -> None:
    """Send streams away on a quick stop too."""
    from web.keeper import keeper

    keeper.farewell()


def worker_exit(_server: Arbiter, _worker: Worker) -> None:
    """Number the last events and leave the list of the living."""
    if not _running:
        return  # it did not come up; gunicorn must see how it ended
    from commands.companions import leave_at_once

    _running.pop().stop()
    leave_at_once()
