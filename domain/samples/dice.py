"""Repeatable chance for sample rows: the same seed gives the same rows; never for ids or secrets that guard."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from core import ids

_MASK = (1 << 64) - 1
_TO_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ids.ALPHABET.encode())
_T = TypeVar("_T")


class Dice:
    """A stream of numbers from a seed.

    Source: SplitMix64, Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014)
    """

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def number(self) -> int:
        """Give the next 64 bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def below(self, limit: int) -> int:
        """Give a whole number from 0 to limit - 1."""
        return self.number() % limit

    def between(self, low: int, high: int) -> int:
        """Give a whole number from low to high, both included."""
        return low + self.number() % (high - low + 1)

    def permille(self, chance: int) -> bool:
        """Say yes in `chance` of 1000 cases."""
        return self.number() % 1000 < chance

    def pick(self, choices: Sequence[_T]) -> _T:
        """Choose one, all alike."""
        return choices[self.number() % len(choices)]

    def weighted(self, choices: Sequence[tuple[_T, int]]) -> _T:
        """Choose one of (choice, weight)."""
        place = self.number() % sum(weight for _, weight in choices)
        for choice, weight in choices:
            place -= weight
            if place < 0:
                return choice
        raise AssertionError("the weights add up")


class Namer:
    """Makes public ids that sort by a time of the past, as `core.ids` makes them for the present."""

    def __init__(self) -> None:
        # Fresh for each load, so that a second load with the same seed does not collide.
        self._salt = ids.token(16).encode()
        self._count = 0

    def chance(self, length: int) -> str:
        """Give `length` letters, at most 24, that no earlier call gave."""
        self._count += 1
        digest = hashlib.blake2b(self._count.to_bytes(8, "big"), digest_size=15, key=self._salt)
        letters = base64.b32encode(digest.digest()).translate(_TO_CROCKFORD)
        return letters[:length].decode()

    def at(self, prefix: str, when: datetime) -> str:
        """Make the id of something that came to be at `when`."""
        milliseconds = int(when.timestamp() * 1000)
        # 50 bits in ten letters, the two topmost zero.
        moment = base64.b32encode((milliseconds << 6).to_bytes(7, "big"))[:10]
        return f"{prefix}_{moment.translate(_TO_CROCKFORD).decode()}{self.chance(20)}"
