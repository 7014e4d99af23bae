"""Imports point down only, and each rail stands alone."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.architecture import source
from tests.rig.locate import ROOT


def _roots() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    roots: list[str] = settings["tool"]["importlinter"]["root_packages"]
    return roots


def test_every_room_is_held_by_the_import_contracts() -> None:
    assert {*source.PACKAGES, "sandbox"} == set(_roots())


def test_every_room_is_a_package() -> None:
    # A folder without __init__.py would silently escape the contracts.
    assert not [room for room in _roots() if not (ROOT / room / "__init__.py").is_file()]


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_settings_know_only_core() -> None:
    ours = {*source.PACKAGES, "sandbox", "wsgi"} - {"core"}
    found = [
        f"config.py:{line} imports {module}"
        for module, line in source.imports(ROOT / "config.py")
        if module.split(".")[0] in ours
    ]
    assert not found


def test_wsgi_and_config_leave_networks_to_providers_and_the_stand_ins_alone() -> None:
    banned = {"stripe", "truelayer_signing", "gocardless_pro", "requests", "urllib3", "web3"}
    banned |= {"httpx", "sandbox"}
    found = [
        f"{source.name(path)}:{line} imports {module}"
        for path in source.python_files("wsgi.py", "config.py")
        for module, line in source.imports(path)
        if module.split(".")[0] in banned
    ]
    assert not found


def test_rails_do_not_know_each_other() -> None:
    rails = {path.name for path in (ROOT / "providers").iterdir() if path.is_dir()}
    found = [
        f"{source.name(path)}:{line} imports {module}"
        for rail in rails
        for path in source.python_files(f"providers/{rail}")
        for module, line in source.imports(path)
        if module.split(".")[0] == "providers"
        and len(module.split(".")) > 1
        and module.split(".")[1] in rails - {rail}
    ]
    assert not found
