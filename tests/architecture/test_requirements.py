"""What is installed is pinned, hashed, the same everywhere, and named by no place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.rig.locate import ROOT

LISTS = [ROOT / "requirements.txt", ROOT / "requirements-dev.txt", ROOT / "scripts/postgres.txt"]


def _pins(path: Path) -> dict[str, set[str]]:
    pins: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", line):
            pins.setdefault(found.group(1), set()).add(found.group(2))
    return pins


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_every_requirement_is_pinned_and_hashed(path: Path) -> None:
    text = re.sub(r"(?m)^#.*\n", "", path.read_text(encoding="utf-8")).replace("\\\n", " ")
    bare = [
        line.split()[0]
        for line in text.splitlines()
        if line.strip() and ("==" not in line or "--hash=sha256:" not in line)
    ]
    assert not bare


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_no_list_names_a_place(path: Path) -> None:
    assert not re.search(r"https?:|file:|--(extra-)?index-url|--find-links|@ ", path.read_text())


def test_development_list_holds_what_the_product_runs_on() -> None:
    run, dev = _pins(LISTS[0]), _pins(LISTS[1])
    assert {name: dev.get(name) for name in run} == run


def test_each_direct_requirement_is_in_the_compiled_list() -> None:
    for source, compiled in (("requirements.in", LISTS[0]), ("requirements-dev.in", LISTS[1])):
        text = (ROOT / source).read_text(encoding="utf-8")
        wanted = re.findall(r"(?m)^([a-z0-9-]+)(?:\[[a-z]+\])?[=~>]=", text)
        assert wanted
        assert not set(wanted) - set(_pins(compiled)), f"run `make lock` after changing {source}"
