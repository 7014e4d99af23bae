"""Whose account with a provider is meant: of several modes each has its own balance."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Book:
    """The account that one provider keeps for us in one mode."""

    provider: str
    livemode: bool
