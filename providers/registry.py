"""Which providers there are: one line each, loaded on first use; badges, filters and URLs are drawn from it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module

from config import Settings
from core.errors import NotFound, RailNotConfigured
from providers.seam import Rail

# name → module with `build(settings, keys) -> Rail`
PROVIDERS = {
    "stripe": "providers.stripe.rail",
}
_built: dict[str, Rail] = {}


def configure(settings: Settings, *, keys: Callable[[str, bool], str | None] | None = None) -> None:
    """Build every provider from the settings of this process.

    keys: gives a provider's API key as it is now, and hears whether a call is about to be made with
    it; without it the one of the settings stands.
    """
    _built.clear()
    for name, module in PROVIDERS.items():
        own = partial(keys, name) if keys is not None else None
        _built[name] = import_module(module).build(settings, own)


def get(name: str) -> Rail:
    """Look a provider up.

    Raises: NotFound
    """
    if name not in _built:
        raise NotFound
    return _built[name]


def configured(name: str, *, livemode: bool | None = None) -> Rail:
    """Look up a provider that can be called, in the mode asked for.

    Raises: NotFound, RailNotConfigured
    """
    rail = get(name)
    if not rail.is_configured or (livemode is not None and livemode != (rail.mode == "live")):
        raise RailNotConfigured(rail.rail)
    return rail


def names() -> list[str]:
    """List the names of all providers."""
    return list(PROVIDERS)


def every() -> list[Rail]:
    """List all providers."""
    return list(_built.values())
