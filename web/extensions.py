"""The Flask extensions of one process and the engine they make; the only file here that knows SQLAlchemy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

import models
from config import Settings
from domain import database

# Our tables derive from our own Base; `db` brings the engine and the command line, nothing else.
db = SQLAlchemy(metadata=models.Base.metadata)
migrate = Migrate()
csrf = CSRFProtect()
limiter = Limiter(
    key_func=get_remote_address,
    storage_uri="memory://",
    strategy="fixed-window",
)
CONNECT_SECONDS = 5
POOL_WAIT_SECONDS = 10

__all__ = [
    "IntegrityError",
    "csrf",
    "db",
    "is_outage",
    "limiter",
    "migrate",
    "start",
]


def is_outage(error: BaseException) -> bool:
    """Tell whether an error means that the database cannot work now, not that we asked wrongly.

    Source: PEP 249 exceptions; SQLSTATE classes 08, 53, 57 (PostgreSQL 15, appendix A)
    """
    if isinstance(error, (OperationalError, InterfaceError, PoolTimeout)):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def engine_options(url: URL) -> dict[str, Any]:
    """Choose pool and connection settings. Pools are sized for threads; none connects before first use."""
    if url.get_backend_name() == "sqlite":
        connect: dict[str, Any] = {"check_same_thread": False}
        return {"connect_args": connect, "pool_size": 20, "max_overflow": 20} | _waits()
    connect = {
        "connect_timeout": CONNECT_SECONDS,
        "options": "-c timezone=UTC",
        "application_name": "paydesk",
    }
    pool = {"pool_size": 10, "max_overflow": 10, "pool_pre_ping": True}
    return {"connect_args": connect} | pool | _waits()


def _waits() -> dict[str, Any]:
    # Errors must not carry parameters: they hold what people sent.
    return {"pool_timeout": POOL_WAIT_SECONDS, "hide_parameters": True}


def start(app: Flask, settings: Settings) -> Engine:
    """Start the extensions on an app and bind its engine to this process."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(make_url(settings.database_url))
    app.config["RATELIMIT_ENABLED"] = settings.rate_limits
    db.init_app(app)
    migrate.init_app(app, db, directory=str(Path(app.root_path) / "migrations"))
    csrf.init_app(app)
    # Named beforehand, it adds no hooks of its own: `web/limits.py` counts where it is due, so
    # that the webhook path pays nothing.
    app.extensions.setdefault("limiter", set()).add(limiter)
    limiter.init_app(app)
    with app.app_context():
        engine = db.engine
    database.bind(engine)
    return engine
