"""Lets the engines of one test process share what compiling their statements gives."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.util import LRUCache

SIZE = 5000
_kept: dict[str, LRUCache[Any, Any]] = {}


class Shared(MutableMapping[Any, Any]):
    """What was compiled for one dialect, whichever engine asked: tests make an engine each, all alike."""

    def __init__(self, dialect: str) -> None:
        self._compiled = _kept.setdefault(dialect, LRUCache(SIZE))

    @staticmethod
    def _within(key: tuple[Any, ...]) -> tuple[Any, ...]:
        # The first part is the engine's own dialect object.
        return key[1:]

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return self._compiled.get(self._within(key), default)

    def __getitem__(self, key: tuple[Any, ...]) -> Any:
        return self._compiled[self._within(key)]

    def __setitem__(self, key: tuple[Any, ...], value: Any) -> None:
        self._compiled[self._within(key)] = value

    def __delitem__(self, key: tuple[Any, ...]) -> None:
        del self._compiled[self._within(key)]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._compiled)

    def __len__(self) -> int:
        return len(self._compiled)


def _of(engine: Engine) -> Shared:
    return Shared(engine.dialect.name)


def _ignore(engine: Engine, own: object) -> None:
    """Leave aside the cache that an engine makes for itself."""


def share() -> None:
    """Compile each statement once a process and database: a fifth of the time of most tests."""
    Engine._compiled_cache = property(_of, _ignore)  # type: ignore[assignment]
