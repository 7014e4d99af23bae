"""Which providers there are: one line each, loaded on first use; badges, filters and URLs are drawn from it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module

from config import BadSettings, Settings
from core.errors import BadSignature, NotFound, RailNotConfigured
from providers.seam import Rail

# name → module with `build(settings, keys) -> Rail`
PROVIDERS = {
    "stripe": "providers.stripe.rail",
    "truelayer": "providers.truelayer.rail",
    "gocardless": "providers.gocardless.rail",
}
# rail → the setting that names its provider where there are several
CHOICES = {
    "bank": "BANK_PROVIDER",
}
_built: dict[str, Rail] = {}
_chosen: dict[str, str] = {}


def configure(
    settings: Settings, *, keys: Callable[[str, str, bool], str | None] | None = None
) -> None:
    """Build every provider from the settings of this process.

    keys: gives a provider's secret of a kind as it is now, and hears whether a call is about to be made
    with it; without it those of the settings stand.
    Raises: BadSettings
    """
    _built.clear()
    _chosen.clear()
    for name, module in PROVIDERS.items():
        own = partial(keys, name) if keys is not None else None
        _built[name] = import_module(module).build(settings, own)
    for rail, setting in CHOICES.items():
        if chosen := settings.given(setting):
            own_names = [each.name for each in _built.values() if each.rail == rail]
            if chosen not in own_names:
                raise BadSettings(f"{setting} must be one of {', '.join(own_names) or 'none yet'}.")
            _chosen[rail] = chosen


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


def of_rail(rail: str, *, livemode: bool | None = None) -> Rail:
    """Give the provider of a rail that new payments go to: the chosen one, else the first that can be called.

    Raises: RailNotConfigured
    """
    if chosen := _chosen.get(rail):
        return configured(chosen, livemode=livemode)
    for each in _built.values():
        is_meant = livemode is None or livemode == (each.mode == "live")
        if each.rail == rail and each.is_configured and is_meant:
            return each
    raise RailNotConfigured(rail)


def find_of_rail(rail: str, *, livemode: bool) -> Rail | None:
    """Give the provider of a rail that new payments of a mode go to, or None when none can be called."""
    try:
        return of_rail(rail, livemode=livemode)
    except RailNotConfigured:
        return None


def rails() -> list[str]:
    """List the kinds of rails, each once."""
    return list(dict.fromkeys(each.rail for each in _built.values()))


def signing(header: Callable[[str], str | None], *, below: str) -> Rail:
    """Find who sent a delivery to a shared door, by the header that carries the signature.

    below: the shared door; only those whose own doors lie below it are meant.
    Raises: BadSignature when none of them signs so, or several would.
    """
    found = [
        each
        for each in _built.values()
        if each.door.startswith(f"{below}/") and header(each.signed_by) is not None
    ]
    if len(found) != 1:
        raise BadSignature
    return found[0]


def at_door(door: str) -> Rail:
    """Look up whose deliveries come in at a door.

    Raises: NotFound
    """
    for each in _built.values():
        if each.door == door:
            return each
    raise NotFound


def mode() -> str:
    """Say which mode this installation is in when nobody says otherwise: `live` or `test`.

    That of the first provider which can be called; all of one installation are of one mode.
    """
    for each in _built.values():
        if each.is_configured:
            return each.mode
    return next(iter(_built.values())).mode


def names() -> list[str]:
    """List the names of all providers."""
    return list(PROVIDERS)


def every() -> list[Rail]:
    """List all providers."""
    return list(_built.values())
