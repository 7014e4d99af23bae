"""The project's own source as the architecture tests read it: files by room, parsed once."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from tests.rig.locate import ROOT

PACKAGES = (
    *("core", "models", "domain", "providers", "printing", "web", "api", "dashboard", "commands"),
)
FILES = ("wsgi.py", "config.py", "gunicorn.conf.py")
# Also ours, but not the product: stand-ins, measurements, what make runs.
AROUND = ("sandbox", "bench", "scripts", "tests")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name(path: Path) -> str:
    """Give the path as it is written in messages and in lists of exceptions."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def python_files(*rooms: str) -> tuple[Path, ...]:
    """List the Python files of these rooms; a room may be a folder or a file, and may be absent."""
    found: list[Path] = []
    for room in rooms:
        place = ROOT / room
        found += sorted(place.rglob("*.py")) if place.is_dir() else []
        found += [place] if place.is_file() else []
        if (ROOT / f"{room}.py").is_file():
            found.append(ROOT / f"{room}.py")
    return tuple(path for path in found if "__pycache__" not in path.parts)


def product() -> tuple[Path, ...]:
    """List the Python files of the product itself."""
    return python_files(*PACKAGES, *FILES)


@functools.cache
def tree(path: Path) -> ast.Module:
    """Parse a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=name(path))


def functions(path: Path) -> Iterator[Function]:
    """List all functions and methods of a file, nested ones too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            yield node


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """List (module, line) of everything that a file imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def dotted(node: ast.AST) -> str:
    """Give `a.b.c` for a chain of names, else an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def calls(path: Path) -> Iterator[tuple[str, int]]:
    """List (dotted name, line) of everything that a file calls."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and (called := dotted(node.func)):
            yield called, node.lineno


def texts(path: Path) -> Iterator[tuple[str, int]]:
    """List (text, line) of all string constants that are not docstrings."""
    documented = [
        n for n in ast.walk(tree(path)) if isinstance(n, Function | ast.ClassDef | ast.Module)
    ]
    docs = {id(n.body[0].value) for n in documented if n.body and isinstance(n.body[0], ast.Expr)}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value, node.lineno
