"""Repeatable chance for sample rows: the same seed gives the same rows; never for ids or secrets that guard."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from core import ids

_MASK = (1 << 64) - 1
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
        return _letters(int.from_bytes(digest.digest(), "big"), 24)[:length]

    def at(self, prefix: str, when: datetime) -> str:
        """Make the id of something that came to be at `when`."""
        milliseconds = int(when.timestamp() * 1000)
        return f"{prefix}_{_letters(milliseconds, 10)}{self.chance(20)}"


_PAIRS = [first + second for first in ids.ALPHABET for second in ids.ALPHABET]


def _letters(number: int, count: int) -> str:
    """Write a number in an even count of letters; two at a time, for there are millions of ids."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(count * 5 - 10, -1, -10)])
