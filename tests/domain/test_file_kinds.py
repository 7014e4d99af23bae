"""What a file is: judged by its content, from end to end; its name never decides."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import InvalidInput
from domain.cases import file_kinds, file_names
from tests.domain import files
from tests.domain.files import HOSTILE, Hostile


@pytest.mark.parametrize(("name", "media"), sorted(files.GOOD_NAMES.items()))
def test_each_kind_is_known_by_its_content(name: str, media: str) -> None:
    found = file_kinds.check(name, files.good(name))
    assert (found.name, found.media) == (name, media)


@pytest.mark.parametrize("hostile", HOSTILE, ids=[each.what for each in HOSTILE])
def test_hostile_file_is_refused_without_a_word_of_its_own(hostile: Hostile) -> None:
    with pytest.raises(InvalidInput) as refused:
        file_kinds.check(hostile.name, hostile.body())
    said = refused.value.message
    assert len(said) < 200
    assert "<" not in said
    assert "4242" not in said


def test_there_are_more_than_forty_of_them() -> None:
    assert len({each.what for each in HOSTILE}) == len(HOSTILE) > 40


@pytest.mark.parametrize(
    "before", ["", ",", ";", "\t", "\r", "\f", ",\t ", "\n\n  ", ',"', ", \u00a0"]
)
def test_a_formula_is_found_wherever_a_cell_begins(before: str) -> None:
    with pytest.raises(InvalidInput, match="formulas"):
        file_kinds.check("a.csv", f"a,b\n1{before or chr(10)}=cmd(1)\n".encode())


# Ten megabytes of blank lines once took days: each was looked at from every one before it.
_LARGE = """
from domain.cases import file_kinds
for line in ("\\n", "\\t", " ", "\\f", "=", "=\\f", ',"', "@,", "\\r\\n", "+a", "4 "):
    file_kinds.check("a.csv", b"a" + (line * 600_000).encode() + b"a")
"""


def test_a_large_file_of_nothing_takes_no_longer_than_it_is_long() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LARGE],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (30, 30)),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("sent", "shown"), files.CLEANED)
def test_name_is_cleaned(sent: str, shown: str) -> None:
    stem, ending = file_names.clean(sent)
    assert f"{stem}.{ending}" == shown


@pytest.mark.parametrize("name", ["photo.jpeg", "photo.JPG"])
def test_both_endings_of_a_picture_are_its_own(name: str) -> None:
    assert file_kinds.check(name, files.good("photo.jpg")).media == "image/jpeg"


def test_every_byte_that_is_cut_off_is_missed() -> None:
    whole = files.good("photo.png")
    for length in range(1, len(whole)):
        with pytest.raises(InvalidInput):
            file_kinds.check("photo.png", whole[:length])
