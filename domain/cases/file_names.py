"""Names of files that people send: cleaned to what is harmless to show and to save, or refused."""

from __future__ import annotations

import re
import unicodedata

from core.errors import invalid
from core.redaction import holds_card_number

LONGEST_NAME = 120
# Words that make a computer run, open or unpack a file, in the middle of a name as at its end.
_ENDINGS = frozenset(
    "7z ace apk app bat bz2 cab cmd com cpl csv dll dmg doc docm docx eml exe gif gz hta htm html img ink"
    " iso jar jpeg jpg js jse lnk mht mhtml msi msp ocx pdf php phtml pif png pptm pptx ps1 py rar reg"
    " rtf scr sh shtml svg svgz swf sys tar tgz txt url vb vbe vbs webp wsf wsh xhtml xls xlsb xlsm xlsx"
    " xml xz zip".split()
)
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
# What some system gives a meaning of its own.
_UNSAFE = re.compile(r'[<>:"|?*;%&$`\'=]')


def clean(name: str) -> tuple[str, str]:
    """Clean a file's name. Gives its stem and its ending, in lower case and without the dot.

    A path, a hidden direction of writing, a control character and a second ending are refused:
    each makes a name say something else than it is.
    Raises: InvalidInput
    """
    if len(name) > 1000:
        raise invalid("file", "The name of the file is too long.")
    name = unicodedata.normalize("NFC", name)
    if any(each in name for each in "/\\\0") or ".." in name:
        raise invalid("file", "Send a file's name, not a path.")
    if any(_is_hidden(each) for each in name):
        raise invalid("file", "The name of the file holds characters that hide how it reads.")
    parts = [part.strip() for part in " ".join(name.split()).strip(" .").split(".")]
    stem, ending = ".".join(parts[:-1]).strip(" ."), parts[-1].lower()
    if not stem or not ending:
        raise invalid("file", "Give the file a name with an ending, such as receipt.pdf.")
    if any(part.lower() in _ENDINGS for part in parts[1:-1]):
        raise invalid("file", "The name of the file has two endings. Give it one.")
    stem = _UNSAFE.sub("_", stem)
    if _RESERVED.fullmatch(stem.split(".", 1)[0]):
        stem = f"_{stem}"
    if holds_card_number(stem):
        raise invalid(
            "file", "The name looks like a card number. Card numbers are never kept here."
        )
    return stem[: LONGEST_NAME - len(ending[:8]) - 1].rstrip(" ."), ending


def _is_hidden(each: str) -> bool:
    """Tell whether a character is not seen: control, direction, joiner, private, half of a pair."""
    return unicodedata.category(each) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
