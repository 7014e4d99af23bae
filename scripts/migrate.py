"""Writes the next migration from what the models say and the migrations do not; `make migrate m="…"`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ROOT / "migrations" / "versions"
HEAD = ROOT / "migrations" / ".head"


def flask_db(database_url: str, instance: str, *command: str) -> None:
    """Run a `flask db` command against a throwaway database.

    Raises: SystemExit when it fails; it has said why.
    """
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "db", *command],
        cwd=ROOT,
        env=os.environ
        | {"DATABASE_URL": database_url, "PAYDESK_INSTANCE": instance, "PAYDESK_ENV": "test"},
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.returncode)


def main(title: str) -> None:
    """Compare on a fresh SQLite database, number the new file, and move the head file along."""
    number = f"{len(list(VERSIONS.glob('*.py'))) + 1:04d}"
    before = set(VERSIONS.glob("*.py"))
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/migrate.db"
        flask_db(url, folder, "upgrade")
        flask_db(url, folder, "migrate", "--rev-id", number, "-m", title)
    for made in sorted(set(VERSIONS.glob("*.py")) - before):
        HEAD.write_text(f"{number}\n", encoding="ascii")
        print(f"Wrote {made.relative_to(ROOT)}. Read it, add what the comparison cannot see")
        print("(triggers, data), then: make test ARGS='tests/architecture/test_migrations.py'")


if __name__ == "__main__":
    main(sys.argv[1])
