"""Addresses that fit a rule of the app, with ids that belong to nothing."""

from __future__ import annotations


def address(rule: str) -> str:
    """Fill every placeholder of a rule: a number with 1, a choice with its first word, an id with x_1."""
    return "/".join(_part(part) for part in rule.replace(", ", ",").split("/"))


def _part(part: str) -> str:
    if part.startswith("<int:"):
        return "1"
    if part.startswith("<any("):
        return part.removeprefix("<any(").split(",")[0]
    return "x_1" if part.startswith("<") else part
