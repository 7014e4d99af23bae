"""Which providers there are: one line each, loaded on first use; badges, filters and URLs are drawn from it."""

from __future__ import annotations

from importlib import import_module

from config import Settings
from core.errors import NotFound, RailNotConfigured
from providers.seam import Rail

# name → module with `build(settings) -> Rail`
PROVIDERS = {
    "stripe": "providers.stripe.rail",
}
_built: dict[str, Rail] = {}


def configure(settings: Settings) -> None:
    """Build every provider from the settings of this process."""
    _built.clear()
    for name, module in PROVIDERS.items():
        _built[name] = import_module(module).build(settings)


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


def every() -> list[Rail]:
    """List all providers."""
    return list(_built.values())
