"""Copies of the database while it runs: SQLite's online backup, or pg_dump; checked before they count."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from domain import database

_CHUNK = 1 << 20
_NO_PG_DUMP = (
    "pg_dump was not found. Install PostgreSQL's client programs"
    " (Debian, Ubuntu: apt-get install postgresql-client; macOS: brew install libpq),"
    " or back up on the database machine."
)


class BackupFailed(Exception):
    """No backup was made; the message says why."""


@dataclass(frozen=True)
class Backup:
    """A finished copy. size: bytes; checked: by what it was proved readable."""

    path: Path
    size: int
    sha256: str
    checked: str


def backup(path: Path) -> Backup:
    """Copy the database of this process to `path`, check the copy, and only then give it its name.

    Raises: BackupFailed
    """
    if path.exists():
        raise BackupFailed(f"{path} exists already; a backup never overwrites another.")
    if not path.absolute().parent.is_dir():
        raise BackupFailed(f"There is no folder {path.absolute().parent}.")
    draft = path.with_name(f"{path.name}.partial")
    # Nobody else may read it, from its first byte on.
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        url = database.engine().url
        checked = _sqlite(url, draft) if database.is_sqlite() else _postgresql(url, draft)
        _sync(draft)
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    return Backup(path, path.stat().st_size, _sha256(path), checked)


def wire(made: Backup) -> dict[str, object]:
    """Write a backup as the command shows it to programs."""
    return {
        "path": str(made.path),
        "bytes": made.size,
        "sha256": made.sha256,
        "checked": made.checked,
    }


def _sqlite(url: URL, draft: Path) -> str:
    """Copy by the online backup API, in one read transaction: writers in WAL mode go on meanwhile."""
    with (
        closing(sqlite3.connect(f"file:{url.database}?mode=ro", uri=True, timeout=60)) as source,
        closing(sqlite3.connect(draft)) as copy,
    ):
        source.backup(copy)
        found = copy.execute("pragma integrity_check").fetchone()[0]
        if found != "ok":
            raise BackupFailed(f"The copy is damaged: {found}")
        if copy.execute("pragma foreign_key_check").fetchone() is not None:
            raise BackupFailed("A row of the copy points at a row that is not there.")
        # One file, no side files: a backup may be copied away at any moment.
        copy.execute("pragma journal_mode=delete")
    return "integrity_check, foreign_key_check"


def _postgresql(url: URL, draft: Path) -> str:
    dump, restore = shutil.which("pg_dump"), shutil.which("pg_restore")
    if dump is None or restore is None:
        raise BackupFailed(_NO_PG_DUMP)
    _run(dump, "-Fc", "--no-password", f"--file={draft}", *_place(url), password=url.password)
    listed = _run(restore, "--list", str(draft))
    tables = sum(" TABLE DATA " in line for line in listed.splitlines())
    if not tables:
        raise BackupFailed("The dump holds no table.")
    return f"pg_restore --list, {tables} tables"


def _place(url: URL) -> list[str]:
    # The password goes by the environment: arguments can be read by every user of the machine.
    named = {"--host": url.host, "--port": url.port, "--username": url.username}
    return [f"{name}={value}" for name, value in named.items() if value] + [str(url.database)]


def _run(*command: str, password: str | None = None) -> str:
    environ = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupFailed(f"{Path(command[0]).name} failed: {done.stderr.strip()}")
    return done.stdout


def _sync(path: Path) -> None:
    for place in (path, path.absolute().parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as body:
        while chunk := body.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
