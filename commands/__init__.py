"""The `flask` commands: thin, each prints for people or, with `--json`, for programs."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from flask import Flask

# Each has `register(app)`.
MODULES = (
    "commands.people",
    "commands.run",
    "commands.checks",
    "commands.freeze",
    "commands.samples",
    "commands.docs",
    "commands.documents",
    "commands.erasing",
)


def register(app: Flask) -> None:
    """Add every command to the app's command line."""
    for name in MODULES:
        if find_spec(name) is not None:
            import_module(name).register(app)
