"""Logs as JSON lines: an event's constant name with its fields, the request's name, nothing secret."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from core.redaction import MASK, mask_text
from core.vault import Secret
from web.requests import request_id

_NEVER = frozenset(
    "password secret token authorization cookie api_key key_value totp code body payload email "
    "card number cvc client_secret csrf_token raw headers".split()
)
Event = MutableMapping[str, Any]


def _clean(value: object) -> object:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return {
            name: MASK if str(name).lower() in _NEVER else _clean(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return (
        value if isinstance(value, int | float | bool) or value is None else mask_text(repr(value))
    )


def redact(_: object, __: str, event: Event) -> Event:
    """Mask what must not be logged, by the field's name and by the look of its text."""
    for name, value in event.items():
        event[name] = MASK if name in _NEVER or isinstance(value, Secret) else _clean(value)
    return event


def name_request(_: object, __: str, event: Event) -> Event:
    """Add the name of the request that is being answered."""
    if name := request_id():
        event.setdefault("request_id", name)
    return event


def processors() -> list[Any]:
    """List what happens to an event before it is written."""
    stack = structlog.tracebacks.ExceptionDictTransformer(
        show_locals=False, max_frames=20, use_rich=False
    )
    return [
        structlog.contextvars.merge_contextvars,
        name_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(stack),
        redact,
    ]


class _Lines(logging.Handler):
    """Writes what libraries log through the same processors; only warnings and worse."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(record.levelno, "library.said", logger=record.name, text=record.getMessage())


def configure(*, level: int = logging.INFO) -> None:
    """Set logging up for this process."""
    structlog.configure(
        processors=[*processors(), structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Looked up at each line: whoever swaps the stream (a test, a supervisor) gets what follows.
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    if not any(isinstance(handler, _Lines) for handler in root.handlers):
        root.addHandler(_Lines(level=logging.WARNING))
