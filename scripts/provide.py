"""Sees to it that the tests have a browser and PostgreSQL: finds them, else installs them, else says how."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.rig import locate

FLAVOUR = Path("/etc/os-release")
POSTGRES_LIST = Path(__file__).with_name("postgres.txt")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def is_debian() -> bool:
    """Whether apt's Chromium is the real thing; Ubuntu's only points to a snap."""
    return FLAVOUR.exists() and "\nID=debian" in "\n" + FLAVOUR.read_text(encoding="utf-8")


def root_prefix() -> list[str] | None:
    """Give what makes a command run as root without asking, or None."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
        if asked.returncode == 0:
            return ["sudo", "-n"]
    return None


def succeeds(*command: str) -> bool:
    """Run a command, quiet unless it fails."""
    begun = time.monotonic()
    done = subprocess.run(
        command,
        cwd=locate.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        say("\n".join(["  " + " ".join(command), *(done.stdout + done.stderr).splitlines()[-6:]]))
        return False
    say(f"  done in {time.monotonic() - begun:.0f} s")
    return True


def apt_install(*packages: str) -> bool:
    """Install Debian packages, when we may."""
    prefix = root_prefix()
    if prefix is None or shutil.which("apt-get") is None:
        return False
    say(f"Installing {' '.join(packages)} with apt-get ...")
    quiet = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    succeeds(*quiet, "update")
    return succeeds(
        *quiet, "-o", "Dpkg::Use-Pty=0", "install", "-y", "--no-install-recommends", *packages
    )


def provide_browser() -> bool:
    """Find or install a Chromium."""
    if not locate.wanted("BROWSER") or locate.find_browser():
        return True
    # The shell came late to Debian; before it, the whole browser does the same.
    for package in ("chromium-headless-shell", "chromium"):
        if is_debian() and apt_install(package) and locate.find_browser():
            return True
    say("Fetching Chromium with playwright ...")
    command = [locate.python(), "-m", "playwright", "install", "chromium"]
    if root_prefix() is not None and shutil.which("apt-get"):
        command.append("--with-deps")
    return succeeds(*command) and locate.find_browser() is not None


def provide_driver() -> bool:
    """See that playwright's driver starts; its node needs a library that bare systems lack."""
    if not locate.wanted("BROWSER") or locate.driver_runs():
        return True
    return apt_install("libatomic1") and locate.driver_runs()


def provide_postgres() -> bool:
    """Find or install the PostgreSQL binaries; no server of the machine's own is used."""
    if not locate.wanted("POSTGRES") or locate.find_postgres():
        return True
    if os.geteuid() == 0 and apt_install("postgresql") and locate.find_postgres():
        return True
    say("Fetching PostgreSQL's binaries into .venv ...")
    target = str(locate.UNPACKED_POSTGRES)
    pip = [locate.python(), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    return (
        succeeds(*pip, "--only-binary", ":all:", "--target", target, "-r", str(POSTGRES_LIST))
        and locate.find_postgres() is not None
    )


def main() -> int:
    """Provide all; what is missing is named, and its tests will fail rather than vanish."""
    if not provide_driver():
        say(locate.NO_DRIVER)
    if not provide_browser():
        say(locate.NO_BROWSER)
    if not provide_postgres():
        say(locate.NO_POSTGRES)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
