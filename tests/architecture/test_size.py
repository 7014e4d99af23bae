"""Files and functions stay short enough to be read at once."""

from __future__ import annotations

import ast

from tests.architecture import source
from tests.rig.locate import ROOT

LONGEST_FILE = 400
LONGEST_FUNCTION = 60


def _own_text_files() -> list[str]:
    found = [*source.product(), *source.python_files(*source.AROUND)]
    for folder, pattern in (
        ("templates", "*.html"),
        ("static/js", "*.js"),
        ("static/css", "*.css"),
        ("sandbox", "*.html"),
        ("sandbox", "*.js"),
        ("scripts", "*.sh"),
    ):
        found += sorted((ROOT / folder).rglob(pattern))
    return [source.name(path) for path in found]


def _lines(function: source.Function) -> int:
    # A docstring may take the room that it needs.
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and ast.get_docstring(function) is not None:
        length -= (first.end_lineno or first.lineno) - first.lineno + 1
    return length


def test_no_file_is_longer_than_400_lines() -> None:
    found = {
        name: count
        for name in _own_text_files()
        if (count := len((ROOT / name).read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert not found


def test_no_function_is_longer_than_60_lines() -> None:
    found = {
        f"{source.name(path)}:{function.lineno} {function.name}": _lines(function)
        # A test may hold a long table, or tell a long story.
        for path in (*source.product(), *source.python_files(*source.AROUND))
        if not source.name(path).startswith("tests/") or "/rig/" in source.name(path)
        for function in source.functions(path)
        if _lines(function) > LONGEST_FUNCTION
    }
    assert not found
