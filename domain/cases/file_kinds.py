"""What a file is, by what is in it: the few harmless kinds that are kept, checked from end to end."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

import puremagic

from core.errors import InvalidInput, invalid
from core.redaction import holds_card_number
from domain.cases import file_names

LARGEST_FILE = 10 * 1024 * 1024
# A mail is taken apart only when it cannot become a thousand times what it weighs.
MOST_PARTS, MOST_LINES, MOST_MARKS = 50, 300_000, 500
KINDS = "PDF, PNG, JPEG, GIF, WebP, plain text, CSV and e-mail (.eml)"


@dataclass(frozen=True)
class Checked:
    """A file that may be kept. name: cleaned, with the ending of what it is; media: by its content."""

    name: str
    media: str


@dataclass(frozen=True)
class _Kind:
    media: str
    endings: tuple[str, ...]
    check: Callable[[bytes], str | None]


def check(name: str, body: bytes) -> Checked:
    """Find out what a file is and whether it may be kept; the name never decides, it must agree.

    Raises: InvalidInput with what is wrong, never with anything of the file's own text
    """
    stem, ending = file_names.clean(name)
    if not body:
        raise invalid("file", "The file is empty.")
    if len(body) > LARGEST_FILE:
        raise invalid("file", "A file has at most 10 MiB.", code="too_large")
    kind = _kind_of(body, ending)
    if kind is None:
        raise invalid("file", f"This is none of the kinds that are kept: {KINDS}.")
    if ending not in kind.endings:
        raise invalid("file", f"The name ends in .{ending[:12]}, and the file is something else.")
    if (wrong := kind.check(body)) is not None:
        raise invalid("file", wrong)
    return Checked(f"{stem}.{ending}", kind.media)


def _kind_of(body: bytes, ending: str) -> _Kind | None:
    for start, kind in _BINARY:
        if body.startswith(start):
            # A second opinion from a table of signatures that is not ours.
            return kind if f".{kind.endings[0]}" in _guesses(body) else None
    if _ACTIVE_TEXT & _guesses(body):
        return None
    return _TEXT.get(ending, _TEXT["txt"]) if _is_text(body) else None


def _guesses(body: bytes) -> set[str]:
    try:
        return {str(each.extension).lower() for each in puremagic.magic_string(body)}
    except (puremagic.PureError, ValueError):
        return set()


# ----------------------------------------------------------------- pictures and documents
_MARKUP = re.compile(
    rb"<(?:script|html|svg|iframe|object|\?php|!doctype\s+html)[\s>]", re.IGNORECASE
)
_ZIP_END = b"PK\x05\x06"


def _two_at_once(body: bytes) -> str | None:
    """Say what is wrong with a file that is also something else: markup, or an archive at its end."""
    if _MARKUP.search(body):
        return "The file holds markup that a browser would run."
    if _ZIP_END in body[-(1 << 16) - 22 :]:
        return "The file is an archive as well."
    return None


def _pdf(body: bytes) -> str | None:
    """Source: ISO 32000-1 7.5; names may be written with #xx for any letter."""
    end = body.rfind(b"%%EOF")
    if end < 0 or body[end + 5 :].strip(b"\r\n\t \0"):
        return "The PDF does not end where it says."
    names = re.sub(rb"#([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), body)
    if re.search(rb"/(?:JavaScript|Launch|EmbeddedFile|RichMedia|XFA)\b", names):
        return (
            "The PDF holds something that runs or opens when it is read. Print it to a plain PDF."
        )
    return _two_at_once(body)


def _png(body: bytes) -> str | None:
    """Source: W3C PNG 3rd edition, 5.2 and 5.3: chunks with a checksum, IHDR first, IEND last."""
    place, names = 8, []
    while place + 12 <= len(body):
        size = int.from_bytes(body[place : place + 4], "big")
        end = place + 12 + size
        if end > len(body):
            break
        content = body[place + 4 : end - 4]
        if zlib.crc32(content) != int.from_bytes(body[end - 4 : end], "big"):
            break
        names.append(content[:4])
        place = end
        if content[:4] == b"IEND":
            break
    if place != len(body) or names[:1] != [b"IHDR"] or names[-1:] != [b"IEND"]:
        return "The PNG is damaged, or something follows its end."
    return _two_at_once(body)


def _jpeg(body: bytes) -> str | None:
    if not body.rstrip(b"\0").endswith(b"\xff\xd9"):
        return "The JPEG is damaged, or something follows its end."
    return _two_at_once(body)


def _gif(body: bytes) -> str | None:
    if not body.endswith(b";"):
        return "The GIF is damaged, or something follows its end."
    return _two_at_once(body)


def _webp(body: bytes) -> str | None:
    size = int.from_bytes(body[4:8], "little")
    if body[8:12] != b"WEBP" or len(body) != size + 8:
        return "The WebP is damaged, or something follows its end."
    return _two_at_once(body)


_BINARY: tuple[tuple[bytes, _Kind], ...] = (
    (b"%PDF-", _Kind("application/pdf", ("pdf",), _pdf)),
    (b"\x89PNG\r\n\x1a\n", _Kind("image/png", ("png",), _png)),
    (b"\xff\xd8\xff", _Kind("image/jpeg", ("jpg", "jpeg"), _jpeg)),
    (b"GIF87a", _Kind("image/gif", ("gif",), _gif)),
    (b"GIF89a", _Kind("image/gif", ("gif",), _gif)),
    (b"RIFF", _Kind("image/webp", ("webp",), _webp)),
)

# ----------------------------------------------------------------- text
_ACTIVE_TEXT = frozenset(
    ".html .htm .xhtml .xml .svg .rtf .ps .eps .hta .js .vbs .sh .py .bat .mht .url .lnk .php .reg".split()
)
# Source: WHATWG MIME Sniffing 7.1 for the tags; the rest starts what other programs run.
_STARTS_ACTIVE = re.compile(
    r"\s*(?:<[!?a-z]|#!|%!ps|\{\\rtf|@echo|windows registry|\[internetshortcut\]|mime-version:\s*1\.0\s+content-type:\s*multipart/related)",
    re.IGNORECASE,
)
_CARD = "The file holds something that looks like a card number. Card numbers are never kept here."
# A cell that a spreadsheet would compute: DDE, functions, links. What ends a cell is no white space
# within one, so that no letter is looked at from two beginnings.
_FORMULA = re.compile(
    r"""(?:^|[,;\t\r\f])["']?[^\S\t\r\n\f]*(?:[=@]|[+\-](?=[A-Za-z]))[^,;\t\r\n\f]*[(|!]""",
    re.MULTILINE,
)


def _is_text(body: bytes) -> bool:
    """Tell whether bytes are text in UTF-8: no control characters but tabs and ends of lines."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return not re.search(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]", text)


def _plain(body: bytes) -> str | None:
    text = body.decode("utf-8-sig")
    if _STARTS_ACTIVE.match(text) or _MARKUP.search(body):
        return "The file holds markup or a script, not plain text."
    return _CARD if holds_card_number(text) else None


def _csv(body: bytes) -> str | None:
    if _FORMULA.search(body.decode("utf-8-sig")):
        return "The CSV holds formulas that a spreadsheet would compute. Send values only."
    return _plain(body)


def _mail(body: bytes) -> str | None:
    marks = body.count(b"\n--") + body.count(b"\r--")
    if marks > MOST_MARKS or body.count(b"\n") + body.count(b"\r") > MOST_LINES:
        return "The e-mail has too many parts or lines."
    try:
        message = BytesParser(policy=policy.default).parsebytes(body)
        if not (message["From"] and (message["Date"] or message["Received"])):
            return "This is no e-mail: it has neither sender nor date."
        return _inside(message)
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        # The standard library's reader fails in each of these ways on what somebody made up.
        return "The e-mail cannot be read."


def _inside(message: EmailMessage) -> str | None:  # type: ignore[explicit-any]  # it has a default of Any
    """Look at every part of a mail: its texts for card numbers, its files as if they came alone."""
    parts = [part for part in message.walk() if not part.is_multipart()]
    if len(parts) > MOST_PARTS:
        return f"The e-mail has more than {MOST_PARTS} parts."
    for part in parts:
        if (wrong := _part(part)) is not None:
            return wrong
    return None


def _part(part: EmailMessage) -> str | None:  # type: ignore[explicit-any]  # as above
    content = part.get_payload(decode=True)
    body = content if isinstance(content, bytes) else b""
    name = part.get_filename()
    if part.get_content_maintype() == "text" and name is None:
        text = body.decode(part.get_content_charset() or "utf-8", errors="replace")
        return _CARD if holds_card_number(text) else None
    if not body:
        return None
    try:
        check(name or f"part.{part.get_content_subtype()}", body)
    except InvalidInput:
        return "A file inside the e-mail is of a kind that is not kept. Send it without."
    return None


_TEXT: Mapping[str, _Kind] = {
    "txt": _Kind("text/plain", ("txt", "log"), _plain),
    "csv": _Kind("text/csv", ("csv",), _csv),
    "eml": _Kind("message/rfc822", ("eml",), _mail),
}
