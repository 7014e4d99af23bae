"""What must not be written: floats for money, hidden clocks, unfinished work, transactions anywhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture import source
from tests.rig.locate import ROOT

MONEY = ("core/money.py", "domain/books/")

# Time, ids and chance come from core/clock.py and core/ids.py, so that a test can hold them still.
CHANCE = re.compile(
    r"^(time\.time(_ns)?|datetime(\.datetime)?\.(now|utcnow|today)|(datetime\.)?date\.today"
    r"|uuid\.uuid\d|uuid\d|secrets\.\w+|os\.urandom|random\.\w+)$"
)
CHANCE_ALLOWED = {
    "core/clock.py": "is the clock",
    "core/ids.py": "makes the ids",
    "core/person_seal.py": "nonces and keys of people must never be predictable, in tests neither",
    "core/vault.py": "nonces and keys of encryption must never be predictable, in tests neither",
}

# Whoever opens a transaction commits it.
OPENERS = ("api/", "dashboard/", "commands/", "domain/jobs", "domain/payments/operations")
OPENERS_ALLOWED = {
    "domain/payments/abandoning.py": "ends at the provider what has ended here: a job of the janitor",
    "domain/payments/asking.py": "asks a provider: one transaction before the call, one after, none during",
    "domain/books/chains.py": "a duty of the worker: links committed rows, a batch at a time",
    "domain/secrets/credential_uses.py": "writes what was counted, in a thread of its own that nobody waits for",
    "domain/effects/effects.py": "keeps a failed effect, after the transaction that it broke was rolled back",
    "domain/inbox/ingest.py": "one commit gathers the deliveries of many requests; none of them owns it",
    "domain/payments/kept_cards.py": "makes a person known to a provider: keeps its name after the call, none open during it",
    "domain/reconciliation/engine.py": "works on a run: reads a page without a transaction, then keeps it in one",
    "domain/reconciliation/hearing.py": "rehearses what was missed, and rolls it back",
    "domain/reconciliation/news.py": "applies what was missed, each payment in a transaction of its own",
    "domain/reconciliation/reconciling.py": "compares at once, without the worker: a job by another name",
    "domain/refusals.py": "writes down what was refused, after the refused work was rolled back",
    "domain/inbox/replays.py": "fetches facts first, then applies or rehearses them: a job that a person starts",
    "domain/samples/__init__.py": "`flask data load` writes a thousand sample payments at a time",
    "domain/secrets/secrets.py": "adopts a secret of the environment at its first use, before any request's own",
    "domain/sequencer.py": "a duty of the worker: numbers what others have committed",
    "domain/books/verification.py": "keeps the report of a run that read everything",
}


def _everything() -> tuple[Path, ...]:
    return (*source.product(), *source.python_files("migrations", *source.AROUND))


def _names(path: Path) -> set[str]:
    """Give the names under which a file knows the standard modules of time and chance."""
    modules = {"time", "datetime", "uuid", "secrets", "os", "random"}
    imported = [module for module, _ in source.imports(path)]
    own = {module for module in imported if module in modules}
    return own | {module.split(".")[-1] for module in imported if module.split(".")[0] in own}


def test_money_knows_no_float() -> None:
    found = []
    for path in source.python_files(*MONEY):
        for node in ast.walk(source.tree(path)):
            literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            named = isinstance(node, ast.Name) and node.id == "float"
            if literal or named:
                found.append(f"{source.name(path)}:{getattr(node, 'lineno', 0)}")
    assert not found


def test_time_ids_and_chance_come_from_one_place() -> None:
    found = [
        f"{source.name(path)}:{line} calls {called}"
        for path in source.product()
        if source.name(path) not in CHANCE_ALLOWED
        for called, line in source.calls(path)
        if CHANCE.match(called) and called.split(".")[0] in _names(path)
    ]
    assert not found


def _openers() -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for path in source.product():
        for called, line in source.calls(path):
            if called.split(".")[-1] in {"transaction", "rehearsal"}:
                found.setdefault(source.name(path), []).append(line)
    return found


def test_transactions_are_opened_only_by_those_who_commit() -> None:
    found = {
        name: lines
        for name, lines in _openers().items()
        if not name.startswith(OPENERS) and name not in OPENERS_ALLOWED
    }
    assert not found


def test_no_exception_has_outlived_its_reason() -> None:
    assert not set(OPENERS_ALLOWED) - set(_openers())
    assert not [name for name in CHANCE_ALLOWED if not (ROOT / name).is_file()]


def test_no_row_is_ever_replaced_behind_the_back_of_its_triggers() -> None:
    words = re.compile(r"\binsert\s+or\s+replace\b|\breplace\s+into\b", re.IGNORECASE)
    found = [
        f"{source.name(path)}:{line}"
        for path in (*source.product(), *source.python_files("migrations"))
        for text, line in source.texts(path)
        if words.search(text)
    ]
    assert not found


def test_nothing_is_left_to_do() -> None:
    # Put together here so that this file does not find itself. Three X alone are ISO 4217's no currency.
    words = re.compile(
        "|".join(("TO" + "DO", "FIX" + "ME", "# " + "X" * 3, "NotImplemented" + "Error")) + r"\b"
    )
    texts = [
        *_everything(),
        *(ROOT / "templates").rglob("*.html"),
        *(ROOT / "scripts").glob("*.sh"),
    ]
    texts += [*(ROOT / "static" / "js").glob("*.js"), *(ROOT / "static" / "css").glob("*.css")]
    found = [
        f"{source.name(path)}:{number}"
        for path in texts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if words.search(line)
    ]
    assert not found


def test_no_test_is_skipped() -> None:
    words = re.compile("mark" + r"\.(skip|skipif|xfail)\b|\bpytest\.(skip|xfail|importorskip)\b")
    found = [
        f"{source.name(path)}:{number}"
        for path in source.python_files("tests")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if words.search(line)
    ]
    assert not found


def test_each_file_says_what_lives_in_it() -> None:
    found = [
        source.name(path)
        for path in (*source.product(), *source.python_files("sandbox", "bench", "scripts"))
        if path.stat().st_size and not ast.get_docstring(source.tree(path))
    ]
    assert not found


def test_each_public_function_of_the_rules_says_what_it_does() -> None:
    found = [
        f"{source.name(path)}:{node.lineno} {node.name}"
        for path in source.python_files("core", "domain", "providers")
        for node in source.tree(path).body
        if isinstance(node, source.Function)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not found
