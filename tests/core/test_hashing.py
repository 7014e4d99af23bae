"""One value has one hash: what is written fast is, byte for byte, what the reference of RFC 8785 writes."""

from __future__ import annotations

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from core import hashing

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)


@given(VALUES)
@example({"b": '\x00\x1f\x7f\\"/', "a": [True, None, -1, "\u2028"]})
@example({"\ue000": 1, "\U00010000": 2})
@example(("a", ("b",)))
def test_canonical_json_is_that_of_the_reference(value: hashing.Plain) -> None:
    assert hashing.canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [2**53, -(2**53), {"at": [2**60]}, {"half": 0.5}, "\ud800"])
def test_what_the_reference_writes_otherwise_or_refuses_is_left_to_it(value: object) -> None:
    try:
        wanted = rfc8785.dumps(value)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as refused:
        with pytest.raises(type(refused)):
            hashing.canonical(value)  # type: ignore[arg-type]
    else:
        assert hashing.canonical(value) == wanted  # type: ignore[arg-type]
