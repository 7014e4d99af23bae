"""The printer's process: contents on standard input, documents on standard output, one after the other.

Started by `printing/printers.py` without any of our settings or secrets. It loads what drawing needs,
gives up every right that it can, and then waits. It ends when its input does.
"""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

from printing import frames, lettering, limits

MISSING = (
    "Documents cannot be printed: a system library is missing. "
    "Debian, Ubuntu: sudo apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0. "
    "macOS: brew install pango."
)


def _own_output() -> BinaryIO:
    """Keep standard output for answers alone: whatever a library prints goes to standard error."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "wb")


def main() -> int:
    """Serve until the input ends. Gives the exit code."""
    answers = _own_output()
    limits.leave_the_network()
    limits.step_aside()
    lettering.use_only_ours()
    try:
        from printing import serving

        serving.prepare()
    except OSError:
        # cffi finds no libpango.
        frames.write_answer(answers, frames.MISSING, MISSING.encode())
        return 3
    finally:
        lettering.forget_config()
    limits.apply()
    frames.write_answer(answers, frames.READY)
    while (body := frames.read_request(sys.stdin.buffer)) is not None:
        with limits.one_document():
            serving.answer(answers, body)
    return 0


if __name__ == "__main__":
    sys.exit(main())
