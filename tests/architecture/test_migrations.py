"""Migrations stand in one line, and lead to what the models say, on both databases."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture import source
from tests.rig import databases
from tests.rig.locate import ROOT
from tests.rig.run import MakingFailed

VERSIONS = sorted((ROOT / "migrations" / "versions").glob("*.py"))


def _said(path: str, name: str) -> str | None:
    """Read a module-level text of a migration without running it."""
    for node in source.tree(ROOT / path).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if source.dotted(target or ast.Pass()) == name and isinstance(value, ast.Constant):
            return None if value.value is None else str(value.value)
    return None


def test_migrations_are_numbered_in_one_line() -> None:
    before = None
    for number, path in enumerate(VERSIONS, 1):
        name = source.name(path)
        assert re.fullmatch(rf"{number:04d}_[a-z0-9_]+\.py", path.name), name
        assert _said(name, "revision") == f"{number:04d}", name
        assert _said(name, "down_revision") == before, name
        before = f"{number:04d}"


def test_head_file_names_the_last_migration() -> None:
    head = (ROOT / "migrations" / ".head").read_text(encoding="ascii").strip()
    assert head == VERSIONS[-1].name[:4], "write the new number there: two branches then conflict"


def test_models_hold_nothing_that_no_migration_makes(database_url: str, instance: Path) -> None:
    try:
        databases.upgrade(database_url, instance, command=("db", "check"))
    except MakingFailed as failure:
        pytest.fail(str(failure), pytrace=False)
