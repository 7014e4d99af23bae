"""No door goes around the table of who may move money: warrants, requests and agreement each have one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from core.money_out import RULES, Act
from core.permissions import HOLDERS
from core.states import Role
from domain.control import acts
from tests.architecture import source
from tests.rig.locate import ROOT

# Who may call what: each of these is the only way to what lies behind it.
ONLY = {
    "Warrant": {"domain/control/money_out.py", "domain/control/approvals.py"},
    "approvals.request": {"domain/control/money_out.py"},
    "approvals.agree": {"dashboard/approvals.py"},
    "acts.kind": {"domain/control/approvals.py", "domain/control/approval_checks.py"},
}
DEPTH = 4


def _callers(name: str) -> dict[str, int]:
    found = {}
    for path in source.product():
        for called, line in source.calls(path):
            if called == name or called.endswith(f".{name}"):
                found[source.name(path)] = line
    return found


@pytest.mark.parametrize("name", ONLY)
def test_each_door_has_one_place(name: str) -> None:
    found = _callers(name)
    assert found.keys() == ONLY[name], found


def test_no_warrant_is_made_over_from_another() -> None:
    found = [
        f"{source.name(path)}:{node.lineno}"
        for path in source.product()
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.Call)
        and source.dotted(node.func).split(".")[-1] in {"replace", "copy", "deepcopy"}
        and any("warrant" in source.dotted(each).split(".")[-1:] for each in node.args)
    ]
    assert not found


def test_each_act_has_its_row_and_its_module() -> None:
    assert set(RULES) == set(Act) == set(acts._MODULES)
    for act in Act:
        assert isinstance(acts.kind(act), acts.Kind), act
    files = {path.stem for path in (ROOT / "domain" / "control" / "acts").glob("*.py")} - {
        "__init__"
    }
    assert files == set(acts._MODULES.values())


def test_whoever_agrees_is_staff_with_money_rights_and_never_who_only_requests() -> None:
    for act, rule in RULES.items():
        assert HOLDERS[rule.agrees] <= {Role.FINANCE, Role.ADMIN}, act


def _function(path: Path, name: str) -> ast.FunctionDef:
    for node in source.tree(path).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    raise AssertionError(f"{source.name(path)} has no function {name}")


def _path(module: str) -> Path:
    return Path(str(import_module(module).__file__))


def _resolve(path: Path, called: str) -> tuple[Path, str] | None:
    """Find where a function that a file calls lives: here, or in a module of the domain it imports."""
    module, _, name = called.rpartition(".")
    if not module:
        own = [node.name for node in source.tree(path).body if isinstance(node, source.Function)]
        return (path, name) if name in own else None
    imported = {full for full, _ in source.imports(path) if full.startswith("domain.")}
    # A module may be named as the package that it is in.
    found = max((full for full in imported if full.endswith(f".{module}")), key=len, default=None)
    return (_path(found), name) if found else None


def _handed_the_warrant(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            given = [*node.args, *(each.value for each in node.keywords)]
            if any(source.dotted(each) == "warrant" for each in given):
                yield source.dotted(node.func)


def _covers(path: Path, name: str, depth: int = DEPTH) -> bool:
    function = _function(path, name)
    called = [source.dotted(n.func) for n in ast.walk(function) if isinstance(n, ast.Call)]
    if "warrant.assert_covers" in called:
        return True
    if depth == 0:
        return False
    onward = [_resolve(path, each) for each in _handed_the_warrant(function)]
    return any(_covers(*place, depth - 1) for place in onward if place is not None)


@pytest.mark.parametrize("act", list(Act))
def test_what_carries_an_act_out_asks_whether_the_warrant_covers_it(act: Act) -> None:
    path = _path(f"domain.control.acts.{acts._MODULES[act]}")
    kinds = [
        node
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.Call) and source.dotted(node.func).split(".")[-1] == "Kind"
    ]
    given = [word.value for kind in kinds for word in kind.keywords if word.arg == "carry_out"]
    assert len(given) == 1, f"{source.name(path)} must name its carry_out"
    place = _resolve(path, source.dotted(given[0]))
    assert place is not None, f"{source.name(path)}: {ast.unparse(given[0])} is no function of ours"
    assert _covers(*place), f"{act} is carried out without asking what the warrant covers"
