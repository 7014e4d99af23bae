"""Runs every check of style and structure at once and prints what each has to say; `make lint`."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
ROOMS = (
    *("wsgi.py", "config.py", "commands", "core", "models", "domain", "providers", "printing"),
    *("web", "api", "dashboard", "sandbox", "bench", "scripts"),
)
CHECKS = {
    "style": ("ruff", "check", "--output-format", "concise", "."),
    "format": ("ruff", "format", "--check", "--output-format", "concise", "."),
    "import contracts": ("lint-imports", "--no-logo"),
    "templates": ("djlint", "templates", "--lint", "--quiet"),
    "known-bad patterns": ("bandit", "-q", "-lll", "-c", "pyproject.toml", "-r"),
}


def check(name: str) -> tuple[str, int, str, float]:
    """Run one check; gives its name, exit code, words and seconds."""
    program, *arguments = CHECKS[name]
    if program == "bandit":
        arguments += [room for room in ROOMS if (ROOT / room).exists()]
    begun = time.monotonic()
    done = subprocess.run(
        [BIN / program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return name, done.returncode, done.stdout + done.stderr, time.monotonic() - begun


def main() -> int:
    """Run all checks; every one of them is run even when an earlier one has failed."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = list(pool.map(check, CHECKS))
    for name, code, words, seconds in answers:
        print(f"{'FAILED' if code else 'ok    '} {name} ({seconds:.1f} s)")
        if code:
            print(words)
    return int(any(code for _, code, _, _ in answers))


if __name__ == "__main__":
    raise SystemExit(main())
