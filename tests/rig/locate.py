"""Finds the browser and the PostgreSQL binaries of this machine; installs nothing."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLDEST_POSTGRES = 15
# Where scripts/provide.py unpacks PostgreSQL when the machine has none and we are not root.
UNPACKED_POSTGRES = ROOT / ".venv" / "postgres"

# The headless shell is the same engine without a browser's own windows: half the processor time.
_BROWSER_NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
_BROWSER_PLACES = (
    "/usr/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "~/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "~/.cache/ms-playwright/chromium-*/chrome-linux*/chrome",
    "~/Library/Caches/ms-playwright/chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
)
_POSTGRES_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    f"{UNPACKED_POSTGRES}/*/pginstall*/bin",
)

NO_BROWSER = """\
No Chromium or Chrome was found, and the browser tests need one.
  Debian:      sudo apt-get install chromium-headless-shell
  macOS:       install Google Chrome, or: .venv/bin/playwright install chromium
  elsewhere:   .venv/bin/playwright install --with-deps chromium
Another place: PAYDESK_TEST_BROWSER=/path/to/chrome
To leave these tests out on purpose: PAYDESK_TEST_BROWSER=none"""

NO_DRIVER = """\
Playwright's own driver does not start; a small system may lack a library that it needs:
  Debian, Ubuntu: sudo apt-get install libatomic1
To leave the browser tests out on purpose: PAYDESK_TEST_BROWSER=none"""

NO_POSTGRES = f"""\
No PostgreSQL {OLDEST_POSTGRES} or newer was found (initdb and postgres), and the suite runs on it.
  Debian, Ubuntu: sudo apt-get install postgresql
  macOS:          brew install postgresql@17
Another place: PAYDESK_TEST_POSTGRES=/path/to/bin
To leave these tests out on purpose: PAYDESK_TEST_POSTGRES=none"""


def wanted(name: str) -> bool:
    """Say whether PAYDESK_TEST_<name> leaves these tests in."""
    return os.environ.get(f"PAYDESK_TEST_{name}") != "none"


def _runs(program: str) -> bool:
    # Ubuntu ships a `chromium-browser` that only says to install a snap.
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except OSError:
        return False
    return answer.returncode == 0 and bool(re.search(r"\d+\.\d+", answer.stdout))


def find_browser() -> str | None:
    """Find an executable Chromium or Chrome, or None."""
    chosen = os.environ.get("PAYDESK_TEST_BROWSER")
    if chosen and chosen != "none":
        return chosen if _runs(chosen) else None
    named = [found for name in _BROWSER_NAMES if (found := shutil.which(name))]
    placed = [
        path
        for place in _BROWSER_PLACES
        for path in sorted(glob.glob(os.path.expanduser(place)), reverse=True)  # noqa: PTH111, PTH207
        if os.access(path, os.X_OK)
    ]
    return next((program for program in [*named, *placed] if _runs(program)), None)


def driver_runs() -> bool:
    """Say whether the program with which playwright drives the browser starts here at all."""
    from playwright._impl._driver import compute_driver_executable

    return _runs(str(compute_driver_executable()[0]))


def _version(directory: Path) -> int:
    answer = subprocess.run(
        [directory / "postgres", "--version"], capture_output=True, text=True, check=False
    )
    found = re.search(r"(\d+)(?:\.|devel|beta|rc)", answer.stdout)
    return int(found.group(1)) if found else 0


def find_postgres() -> Path | None:
    """Find the folder of the newest PostgreSQL that is new enough, or None."""
    chosen = os.environ.get("PAYDESK_TEST_POSTGRES")
    if chosen and chosen != "none":
        candidates = [Path(chosen)]
    else:
        on_path = shutil.which("initdb")
        candidates = [Path(on_path).resolve().parent] if on_path else []
        candidates += [Path(path) for place in _POSTGRES_PLACES for path in glob.glob(place)]  # noqa: PTH207
    found = {
        directory: version
        for directory in candidates
        if all((directory / name).exists() for name in ("initdb", "pg_ctl", "postgres"))
        and (version := _version(directory)) >= OLDEST_POSTGRES
    }
    return max(found, key=lambda directory: found[directory], default=None)


def python() -> str:
    """Name the interpreter that runs the product in child processes: the one running us."""
    return sys.executable
