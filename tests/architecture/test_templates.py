"""Templates are clean for the content security policy, escape everything, and guard every form."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.architecture import source
from tests.rig.locate import ROOT

TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
_SWITCHED_OFF = ("hx-on", "hx-confirm", "hx-vars")
_EVALUATED = ("javascript:", "js:")


def _markup(text: str) -> str:
    """Take the template language out, so that what is left is tags and attributes."""
    text = re.sub(r"{#.*?#}", "", text, flags=re.DOTALL)
    text = re.sub(r"{%.*?%}", " ", text, flags=re.DOTALL)
    return re.sub(r"{{.*?}}", "x", text, flags=re.DOTALL)


class _Policy(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: str | None = None

    def _say(self, what: str) -> None:
        self.found.append(f"line {self.getpos()[0]}: {what}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [attribute for attribute, _ in attrs]
        if tag == "style":
            self._say("<style>")
        if tag == "script" and "src" not in names:
            self._say("<script> without src")
        if tag in {"script", "style"}:
            self._inside = tag
        for attribute, value in attrs:
            plain = attribute.removeprefix("data-")
            if attribute == "style":
                self._say("style attribute")
            if re.fullmatch(r"on[a-z]+", attribute):
                self._say(f"{attribute} attribute")
            if plain.startswith(_SWITCHED_OFF):
                self._say(f"{attribute} attribute")
            if (value or "").strip().lower().startswith(_EVALUATED):
                self._say(f"{attribute} holds code")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside and data.strip():
            self._say(f"inline {self._inside}")


@pytest.mark.parametrize("template", TEMPLATES, ids=source.name)
def test_template_needs_no_inline_script_or_style(template: Path) -> None:
    policy = _Policy()
    policy.feed(_markup(template.read_text(encoding="utf-8")))
    policy.close()
    assert not policy.found


@pytest.mark.parametrize("template", TEMPLATES, ids=source.name)
def test_template_escapes_everything(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    found = re.findall(r"\|\s*safe\b|{%-?\s*autoescape\s+false|\bMarkup\(", text)
    assert not found


@pytest.mark.parametrize("template", TEMPLATES, ids=source.name)
def test_every_posting_form_carries_a_csrf_token(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    posting = [
        form
        for form in re.findall(r"<form\b.*?</form>", text, flags=re.DOTALL | re.IGNORECASE)
        if re.match(r"<form\b[^>]*\bmethod\s*=\s*[\"']?post", form, flags=re.IGNORECASE)
    ]
    bare = [form.splitlines()[0] for form in posting if "csrf" not in form]
    assert not bare


def test_python_trusts_no_markup() -> None:
    found = [
        f"{source.name(path)}:{line} calls {called}"
        for path in source.python_files("web", "api", "dashboard")
        for called, line in source.calls(path)
        if called.split(".")[-1] in {"Markup", "render_template_string"}
    ]
    assert not found
