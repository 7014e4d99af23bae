"""A backup is whole, readable and nobody else's; half a backup never has the name of one."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from flask import Flask

import config
import wsgi
from commands import backups
from domain import database, samples
from providers.stripe.sdk import API_VERSION
from tests.rig import environment, locate


def postgres_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find pg_dump where the cluster's own programs are; another's may be older than the server."""
    binaries = locate.find_postgres()
    if binaries is not None:
        monkeypatch.setenv("PATH", f"{binaries}:{Path('/usr/bin')}:{Path('/bin')}")


def test_backup_holds_what_was_there(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres_first(monkeypatch)
    samples.load(20, api_version=API_VERSION)
    path = tmp_path / "paydesk.backup"
    done = app.test_cli_runner().invoke(args=["backup", str(path), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told["bytes"] == path.stat().st_size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if "partial" in each.name] == []
    if database.is_sqlite():
        with closing(sqlite3.connect(path)) as copy:
            assert copy.execute("select count(*) from payments").fetchone() == (20,)
            assert copy.execute("pragma integrity_check").fetchone() == ("ok",)
    else:
        listed = subprocess.run(
            [str(shutil.which("pg_restore")), "--list", str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "TABLE DATA public payments" in listed.stdout


def test_backup_never_overwrites(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("precious")
    done = app.test_cli_runner().invoke(args=["backup", str(path)])
    assert done.exit_code == 1 and "exists already" in done.output
    assert path.read_text() == "precious"


@contextmanager
def working_on(url: str, folder: Path) -> Iterator[None]:
    wsgi.create_app(config.load(environment.settings(url, folder)))
    yield
    database.engine().dispose()


def test_backup_while_others_write_is_consistent(sqlite_url: str, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            samples.load(5, api_version=API_VERSION)

    with working_on(sqlite_url, tmp_path / "instance"):
        writer = threading.Thread(target=write)
        writer.start()
        try:
            made = [backups.backup(tmp_path / f"copy-{no}") for no in range(3)]
        finally:
            stop.set()
            writer.join()
    assert all(backup.checked.startswith("integrity_check") for backup in made)


def test_without_pg_dump_the_message_says_what_to_install(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with working_on(postgres_url, tmp_path / "instance"):
        monkeypatch.setenv("PATH", str(empty))
        with pytest.raises(backups.BackupFailed, match="postgresql-client"):
            backups.backup(empty / "dump")
    assert list(empty.iterdir()) == []
