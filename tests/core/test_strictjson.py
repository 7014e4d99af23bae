"""JSON that could be read in two ways is refused, and no body makes the parser fall over."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.strictjson import Unreadable, loads, loads_object

HOSTILE = [
    b"\xff\xfe",
    b"[" * 200_000,
    b'{"a":NaN}',
    b'{"a":Infinity}',
    b'{"a":1,"a":2}',
    b"9" * 5000,
    b"\xef\xbb\xbf{}",
    b"",
    b"{",
    b'{"a":1}x',
    b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
    b"1." + b"0" * 100,
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_json_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(Unreadable):
        loads(body)


def test_numbers_are_kept_exactly() -> None:
    assert loads(b'{"a":0.1,"b":12345678901234567890}') == {
        "a": Decimal("0.1"),
        "b": 12345678901234567890,
    }


@pytest.mark.parametrize("body", [b"[]", b'"a"', b"null", b"1"])
def test_a_document_that_is_no_object_is_refused_where_one_is_asked_for(body: bytes) -> None:
    with pytest.raises(Unreadable):
        loads_object(body)


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    try:
        loads(body)
    except Unreadable:
        return
