"""Lets the applications of one test process share what compiling their routes gives."""

from __future__ import annotations

from typing import Any

from werkzeug.routing import Rule

_compile = Rule.compile
_COMPILED = ("_parts", "_trace", "_converters", "arguments", "_build", "_build_unknown")
_made: dict[tuple[object, ...], dict[str, Any]] = {}


def _remembered(rule: Rule) -> None:
    place = (rule.host, rule.subdomain, rule.rule)
    of = (*place, rule.merge_slashes, rule.strict_slashes, repr(rule.defaults))
    if of not in _made:
        _compile(rule)
        _made[of] = {name: vars(rule)[name] for name in _COMPILED}
    # Nothing of it changes once made. The builders stay bound to the first rule of their address,
    # of which they read only the converters; our addresses use none that knows its map.
    vars(rule).update(_made[of])


def share() -> None:
    """Compile each route once a process: most of the time that an application takes to make."""
    Rule.compile = _remembered  # type: ignore[assignment,method-assign]
