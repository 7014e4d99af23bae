"""The product's own gunicorn settings, and hooks that arm one web process with a crash point.

The master stays; the next worker it forks takes the point that the file `RIG_ARMED` names, once.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

_PRODUCT = Path(__file__).parents[2] / "gunicorn.conf.py"
exec(compile(_PRODUCT.read_text(encoding="utf-8"), str(_PRODUCT), "exec"))

# Each process that dies is followed by another; importing once saves a second of each. gevent's
# replacements must come first, as they do in a worker of its own.
if worker_class == "gevent":  # type: ignore[name-defined]  # noqa: F821  # from the product's file
    from gevent import monkey

    monkey.patch_all()
import_module("wsgi")


def pre_fork(_server: Arbiter, _worker: Worker) -> None:
    """Let the worker to come read its crash point from the environment."""
    armed = Path(os.environ["RIG_ARMED"])
    os.environ["PAYDESK_CRASHPOINT"] = armed.read_text() if armed.exists() else ""
    armed.unlink(missing_ok=True)


def post_fork(_server: Arbiter, worker: Worker) -> None:
    """Tell the test which process serves now, and what it is armed with."""
    with Path(os.environ["RIG_BORN"]).open("a") as born:
        born.write(f"{worker.pid} {os.environ['PAYDESK_CRASHPOINT']}\n")
