"""The fonts of documents are those that were checked in, each with its origin and a licence beside it."""

from __future__ import annotations

import base64
import hashlib
import re

from fontTools.ttLib import TTFont

from printing import lettering


def test_each_font_is_listed_with_where_it_came_from_and_its_digest() -> None:
    listed = {}
    for each in (lettering.FOLDER / "CHECKSUMS").read_text(encoding="utf-8").splitlines():
        if not each.startswith("#"):
            _package, _version, name, digest = each.split()
            listed[name] = digest
    found = {}
    for path in lettering.FOLDER.iterdir():
        if path.suffix in (".ttf", ".otf"):
            digest = base64.b64encode(hashlib.sha384(path.read_bytes()).digest()).decode()
            found[path.name] = f"sha384-{digest}"
    assert found == listed and len(found) > 10
    largest = max(lettering.FOLDER.iterdir(), key=lambda path: path.stat().st_size)
    assert largest.stat().st_size < 1024 * 1024, largest.name


def test_each_family_has_its_licence_beside_it() -> None:
    licences = {path.name for path in lettering.FOLDER.glob("LICENSE-*")}
    for name in licences:
        text = (lettering.FOLDER / name).read_text(encoding="utf-8")
        assert "SIL Open Font License" in text or "SIL OPEN FONT LICENSE" in text
    families = {
        re.split(r"(?=[A-Z-])", path.stem)[1]
        for path in lettering.FOLDER.iterdir()
        if path.suffix in (".ttf", ".otf")
    }
    assert families == {"Inter", "Geist", "Noto"}
    assert licences == {"LICENSE-inter", "LICENSE-geist-mono", "LICENSE-noto", "LICENSE-noto-cjk"}


def test_every_font_can_draw_a_space() -> None:
    for path in lettering.FOLDER.iterdir():
        if path.suffix in (".ttf", ".otf"):
            with TTFont(path, lazy=True) as font:
                assert {0x20, 0xA0} <= set(font.getBestCmap()), path.name
