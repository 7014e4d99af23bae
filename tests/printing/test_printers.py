"""A printer's process knows nothing of ours, may do nothing but draw, and is killed when it does too much."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from printing import frames, printers, wire
from printing.printers import NotInstalled, Printer, PrinterDied, Unprintable
from tests.printing.sheets import bill, line, statement
from tests.rig.locate import ROOT

_BODY = wire.pack(bill())


def in_a_process(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a few lines in a process that took a printer's limits upon itself."""
    lines = f"import sys\nfrom printing import limits\n{code}"
    return subprocess.run(
        [sys.executable, "-c", lines],
        cwd=ROOT,
        env={"PATH": os.defpath, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "act",
    [
        "open('/tmp/paydesk-printer-wrote', 'w')",
        "open('/etc/passwd')",
        "open('config.py')",
        "__import__('pathlib').Path('instance').mkdir()",
        "__import__('socket').socket()",
        "__import__('subprocess').run(['true'])",
        "__import__('os').system('true')",
        "__import__('os').fork()",
        "__import__('os').execv('/bin/true', ['true'])",
        "__import__('os').remove('config.py')",
        "__import__('urllib.request').request.urlopen('http://127.0.0.1')",
        "__import__('ctypes').CDLL('libc.so.6')",
    ],
)
def test_it_may_not(act: str) -> None:
    done = in_a_process(f"import socket, subprocess, ctypes\nlimits.apply()\n{act}\nprint('done')")
    assert "done" not in done.stdout and done.returncode != 0
    assert "Refused" in done.stderr, done.stderr
    assert not Path("/tmp/paydesk-printer-wrote").exists()


def test_it_may_read_what_python_itself_needs() -> None:
    done = in_a_process(
        "limits.apply()\nimport colorsys, zoneinfo\nprint(zoneinfo.ZoneInfo('Asia/Tokyo'))"
    )
    assert done.stdout == "Asia/Tokyo\n", done.stderr


def test_it_runs_out_of_memory_before_the_machine_does() -> None:
    done = in_a_process("limits.apply()\nbytearray(1 << 30)")
    assert "MemoryError" in done.stderr


def test_it_is_killed_when_it_computes_or_waits_without_end() -> None:
    spin = "limits.CPU_SECONDS = 1\nlimits.apply()\nwith limits.one_document():\n  while True: pass"
    assert in_a_process(spin).returncode == -signal.SIGXCPU
    wait = "import time\nlimits.WALL_SECONDS = 0.2\nlimits.apply()\nwith limits.one_document():\n  time.sleep(60)"
    assert in_a_process(wait).returncode == -signal.SIGALRM


def test_it_knows_nothing_of_our_settings_and_has_no_file_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MASTER_KEYS", "k1:very-secret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    printer = Printer()
    try:
        printer.print_out(_BODY)
        place = Path(f"/proc/{printer.pid}")
        if not place.exists():
            pytest.fail("this test reads /proc")
        assert b"secret" not in (place / "environ").read_bytes()
        opened = {str(each.readlink()) for each in (place / "fd").iterdir()}
        assert all(re.match(r"pipe:|/dev/null", each) for each in opened), opened
    finally:
        printer.close()


def test_it_is_kept_warm_and_replaced_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printers, "MOST_DOCUMENTS", 2)
    printer = Printer()
    try:
        pids = []
        for _ in range(3):
            printer.print_out(_BODY)
            pids.append(printer.pid)
        assert pids[0] == pids[1] != pids[2]
    finally:
        printer.close()
    assert printer.pid is None


def test_one_that_was_killed_is_started_again() -> None:
    printer = Printer()
    try:
        whole = printer.print_out(_BODY)
        assert printer.pid is not None
        os.kill(printer.pid, signal.SIGKILL)
        # Whether the next content still goes into its pipe is chance; either way nothing is lost.
        for _ in range(2):
            with contextlib.suppress(PrinterDied):
                assert printer.print_out(_BODY) == whole
        assert printer.print_out(_BODY) == whole
    finally:
        printer.close()


def test_it_ends_with_whoever_started_it() -> None:
    code = (
        "import sys, time\nfrom printing.printers import Printer\np = Printer()\n"
        "p.print_out(sys.stdin.buffer.read())\nprint(p.pid, flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdin is not None and owner.stdout is not None
        owner.stdin.write(_BODY)
        owner.stdin.close()
        pid = int(owner.stdout.readline())
        os.kill(pid, 0)
        owner.kill()
        owner.wait()
    for _ in range(400):
        if not _lives(pid):
            return
        time.sleep(0.05)
    pytest.fail("the printer outlived its worker")


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


def test_content_without_end_is_cut_off_and_the_next_document_is_printed() -> None:
    printer = Printer(seconds=1.5)
    endless = wire.pack(bill(note="word " * 400_000))
    try:
        printer.print_out(_BODY)
        begun = time.monotonic()
        with pytest.raises(PrinterDied, match=r"took too long|killed"):
            printer.print_out(endless)
        assert time.monotonic() - begun < 30
        assert printer.print_out(_BODY).pdf
    finally:
        printer.close()


def test_what_is_too_large_or_unreadable_is_refused_without_a_second_try(printer: Printer) -> None:
    with pytest.raises(Unprintable, match="too large"):
        printer.print_out(b"x" * (frames.LARGEST_REQUEST + 1))
    for body in (
        b"",
        b"{}",
        b"not json",
        b'{"kind":"bill","content":{}}',
        b'{"kind":"x"}',
        _BODY[:-9],
    ):
        with pytest.raises(Unprintable, match="refused") as refused:
            printer.print_out(body)
        assert re.fullmatch(r"the content was refused: \w+", refused.value.said)
    wrong = _BODY.replace(b'"total_minor":17850', b'"total_minor":17851')
    with pytest.raises(Unprintable, match="DoesNotAddUp"):
        printer.print_out(wrong)
    assert printer.print_out(_BODY).pdf


def test_more_lines_than_a_letter_has_are_refused_where_the_document_is_made() -> None:
    with pytest.raises(ValueError, match="at most 1000 lines"):
        bill([line()] * 1001)
    with pytest.raises(ValueError, match="at most 1000 lines"):
        statement(1001)


def test_the_longest_document_stays_within_the_limits(printer: Printer) -> None:
    rows = [line(words=f"A line of a usual length, number {no}") for no in range(1000)]
    assert printer.print_out(wire.pack(bill(rows))).pdf


def test_a_missing_library_is_named_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "weasyprint").mkdir()
    lacking = "raise OSError(\"cannot load library 'libpango-1.0-0'\")\n"
    (tmp_path / "weasyprint" / "__init__.py").write_text(lacking, encoding="utf-8")
    surroundings = printers._surroundings() | {"PYTHONPATH": str(tmp_path)}
    monkeypatch.setattr(printers, "_surroundings", lambda: surroundings)
    printer = Printer()
    with pytest.raises(NotInstalled, match=r"apt-get install libpango.*brew install pango"):
        printer.print_out(_BODY)
    assert printer.pid is None
