"""The garbage collector of a process that runs thousands of tests."""

from __future__ import annotations

import gc

# Objects made before the youngest are looked through. Python's own 700 means a look at every few rows read,
# and those that outlive it are soon looked through with all that was ever loaded.
YOUNG = 50_000
_OLDER, _OLDEST = 20, 50


def settle() -> None:
    """Leave out of every later look what is there now, all tests and what they import, and look less often.

    Call it once, when everything is loaded. Nothing is lost: what is no more referred to is freed at once
    as ever, and cycles are found, only later.
    Source: https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, _OLDER, _OLDEST)
