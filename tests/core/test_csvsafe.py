"""No text can become a formula; numbers stay numbers; any reader gets back what was written."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from core import csvsafe

PAYLOADS = [
    start + rest
    for start in ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "=\t", "\0=")
    for rest in (
        "1+1",
        "cmd|' /C calc'!A0",
        'HYPERLINK("http://evil.example")',
        "SUM(A1:A9)",
        '"quoted"',
    )
]


def read(line: str) -> list[str]:
    return next(csv.reader(io.StringIO(line, newline="")))


def test_fifty_formulas_are_disarmed() -> None:
    assert len(PAYLOADS) == 50
    for payload in PAYLOADS:
        cell = read(csvsafe.line([payload, "x"]))[0]
        assert cell.startswith("'"), payload
        assert "\0" not in cell


def test_numbers_are_written_from_typed_numbers_only() -> None:
    assert csvsafe.line([-5, Decimal("-12.50"), True, None, "-5"]) == "-5,-12.50,true,,'-5\r\n"


@given(
    st.lists(
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r\n")), min_size=2
    )
)
def test_any_text_is_read_back_as_it_was(cells: list[str]) -> None:
    found = read(csvsafe.line(cells))
    for wrote, cell in zip(cells, found, strict=True):
        assert cell in (wrote, f"'{wrote}")
        assert not cell.startswith(("=", "+", "-", "@", "\t"))
