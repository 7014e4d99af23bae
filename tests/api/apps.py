"""Applications beyond the one that the rig lends: each with settings of its own, all put away after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask

import config
import wsgi
from domain import database

Make = Callable[..., Flask]


@contextmanager
def maker(environ: dict[str, str]) -> Iterator[Make]:
    """Lend a function that makes an app from the test's settings and some more."""
    engines = []

    def make(**more: str) -> Flask:
        app = wsgi.create_app(config.load(environ | more))
        engines.append(database.engine())
        return app

    yield make
    for engine in engines:
        engine.dispose()
