"""Writes down, at most once a minute, that a session or key was used; otherwise GET changes nothing."""

from __future__ import annotations

import threading

import structlog
from flask import Blueprint, Response, g

from core import clock
from domain.database import transaction
from domain.people import keys, sessions
from web.extensions import is_outage
from web.identity import Principal

blueprint = Blueprint("touch", __name__)
log = structlog.get_logger()
SECONDS = 60.0
LARGEST = 4096
_lock = threading.Lock()
_touched: dict[str, float] = {}


def _is_due(principal: Principal) -> bool:
    """Tell whether this process has not written it down within the last minute."""
    if not principal.is_due:
        return False
    name = principal.actor.session_id or principal.actor.id
    now = clock.monotonic()
    with _lock:
        if now - _touched.get(name, -SECONDS) < SECONDS:
            return False
        if len(_touched) >= LARGEST:
            _touched.clear()
        _touched[name] = now
    return True


def _write(principal: Principal) -> None:
    actor = principal.actor
    with transaction() as session:
        if principal.kind == "key":
            keys.touch(session, actor.id)
        elif actor.session_id:
            sessions.touch(session, actor.session_id, user_id=actor.id)


@blueprint.after_app_request
def touch(response: Response) -> Response:
    """Note the use of what let the caller in."""
    principal: Principal | None = g.get("paydesk_principal")
    if principal is None or not _is_due(principal):
        return response
    try:
        _write(principal)
    except Exception as error:
        if not is_outage(error):
            raise
        # Nothing depends on it; the answer is ready and stays good.
        log.warning("touch.not_written", error=type(error).__name__)
    return response
