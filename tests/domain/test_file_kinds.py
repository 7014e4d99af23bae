"""What a file is: judged by its content, from end to end; its name never decides."""

from __future__ import annotations

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
