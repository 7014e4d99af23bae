"""The page of the chart of accounts says what the tables say."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from commands import chart_page
from core.chart import CHART
from core.entry_kinds import KINDS
from tests.rig.locate import ROOT


def test_the_page_is_up_to_date() -> None:
    page = ROOT / "docs" / "chart-of-accounts.md"
    assert page.read_text(encoding="utf-8") == chart_page.page(), (
        "run: flask --app wsgi chart-write"
    )


def test_the_page_names_every_line_and_every_kind() -> None:
    drawn = chart_page.page()
    for pattern in CHART:
        assert f"`{pattern.template}`" in drawn
    for kind in KINDS:
        assert f"`{kind}`" in drawn


def test_the_page_is_written_only_when_asked(app: Flask, tmp_path: Path) -> None:
    runner, path = app.test_cli_runner(), tmp_path / "chart.md"
    assert runner.invoke(args=["chart-write", "--check", "--path", str(path)]).exit_code == 1
    assert not path.exists()
    assert runner.invoke(args=["chart-write", "--path", str(path)]).exit_code == 0
    assert runner.invoke(args=["chart-write", "--check", "--path", str(path)]).exit_code == 0
