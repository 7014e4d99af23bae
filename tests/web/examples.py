"""Addresses that fit a rule of the app, with ids that belong to nothing."""

from __future__ import annotations


def address(rule: str) -> str:
    """Fill every placeholder of a rule: a number with 1, a choice with its first word, an id with x_1 and what follows it."""
    return "/".join(_part(part) for part in rule.replace(", ", ",").split("/"))


def _part(part: str) -> str:
    if part.startswith("<int:"):
        return "1" + part.partition(">")[2]
    if part.startswith("<any("):
        return part.removeprefix("<any(").split(",")[0]
    return f"x_1{part.partition('>')[2]}" if part.startswith("<") else part
