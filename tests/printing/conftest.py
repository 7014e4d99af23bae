"""A warm printer, and what lies in the documents that come out of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from printing.printers import Printer


@pytest.fixture(scope="module")
def printer() -> Iterator[Printer]:
    """One process for all documents of a file, as the worker keeps one."""
    made = Printer()
    yield made
    made.close()
