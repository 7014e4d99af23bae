"""The fonts of documents and nothing but them: no machine's own fonts, and no glyph that is missing.

PDF/A allows no missing glyph, so what no font of ours can draw is drawn as an empty box.
"""

from __future__ import annotations

import os
import tempfile
import unicodedata
from functools import lru_cache
from pathlib import Path

from fontTools.ttLib import TTFont

FOLDER = Path(__file__).parent / "fonts"
_UNKNOWN = "□"
_CONFIG = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>{folder}</dir></fontconfig>
"""
# They join and shape letters, and are never drawn. Those that turn the writing round are not among them:
# a name must not make a sum be read backwards.
_JOINERS = frozenset("\u200c\u200d\u2060\ufe0e\ufe0f")


def use_only_ours() -> None:
    """Point fontconfig at our folder. Before WeasyPrint is imported, while files may still be written."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as file:
        file.write(_CONFIG.format(folder=FOLDER))
    os.environ["FONTCONFIG_FILE"] = file.name


def forget_config() -> None:
    """Remove the file once fontconfig has read it."""
    Path(os.environ["FONTCONFIG_FILE"]).unlink(missing_ok=True)


def cleaned(text: str) -> str:
    """Take out what no document may hold: control characters, turns of the writing direction, broken halves."""
    kept = [each for each in unicodedata.normalize("NFC", text) if _is_kept(each)]
    return "".join(kept)


def _is_kept(character: str) -> bool:
    if character == "\n" or character in _JOINERS:
        return True
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")


@lru_cache(maxsize=1)
def _of_all() -> frozenset[str]:
    found: set[str] = set()
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in (".ttf", ".otf") and not path.name.startswith("GeistMono"):
            found |= _of(path)
    return frozenset(found)


def _of(path: Path) -> frozenset[str]:
    with TTFont(path, lazy=True) as font:
        return frozenset(chr(code) for code in font.getBestCmap())


def drawable(text: str) -> str:
    """Give the text as our fonts can draw it."""
    if text.isascii():
        return text
    return "".join(each if _is_drawn(each) else _UNKNOWN for each in text)


def _is_drawn(character: str) -> bool:
    """Private characters mean something else in each font, so they mean nothing here."""
    if character == "\n" or character in _JOINERS:
        return True
    return character in _of_all() and unicodedata.category(character) != "Co"


def warm_up() -> None:
    """Read every font's table once, so that no file is opened later."""
    _of_all()
