"""Files that people send: good ones of each kind, and forty that must not get in."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*more: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), *more, chunk(b"IDAT", zlib.compress(b"\0" * 4)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def pdf(inside: bytes = b"") -> bytes:
    return (
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog"
        + inside
        + b">>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    )


def gif(after: bytes = b"") -> bytes:
    return base64.b64decode("R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==") + after


def jpeg() -> bytes:
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + b"\xff\xd9"


def webp() -> bytes:
    body = b"WEBPVP8L\r\0\0\0/\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0"
    return b"RIFF" + struct.pack("<I", len(body)) + body


def mail(
    text: str = "The amount is right.", *, name: str | None = None, body: bytes = b""
) -> bytes:
    made = EmailMessage()
    made["From"], made["To"] = "bo@example.com", "desk@example.com"
    made["Date"], made["Subject"] = "Sat, 21 Nov 2026 09:30:00 +0000", "My payment"
    made.set_content(text)
    if name is not None:
        made.add_attachment(body, maintype="application", subtype="octet-stream", filename=name)
    return made.as_bytes()


def archive(name: str = "a.txt") -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as made:
        made.writestr(name, "x")
    return kept.getvalue()


def bomb() -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("zeros", b"\0" * 50_000_000)
    return kept.getvalue()


GOOD_NAMES = {
    "beleg.pdf": "application/pdf",
    "photo.png": "image/png",
    "photo.jpg": "image/jpeg",
    "photo.jpeg": "image/jpeg",
    "screen.gif": "image/gif",
    "screen.webp": "image/webp",
    "note.txt": "text/plain",
    "statement.2026.11.csv": "text/csv",
    "mail.eml": "message/rfc822",
}
_GOOD: dict[str, Callable[[], bytes]] = {
    "pdf": pdf,
    "png": png,
    "jpg": jpeg,
    "jpeg": jpeg,
    "gif": gif,
    "webp": webp,
    "txt": "Grüße, 25 €, 日本\r\n\tMore.".encode,
    "csv": lambda: b"date;amount;text\n2026-11-21;-12.50;fee\n2026-11-21;+25.00;deposit (first)\n",
    "eml": lambda: mail(name="photo.png", body=png()),
}


def good(name: str) -> bytes:
    return _GOOD[name.rpartition(".")[2]]()


# What is sent, and under which name it is kept.
CLEANED = [
    ("  a   long  name .txt", "a long name.txt"),
    ("NUL.txt", "_NUL.txt"),
    ("con.2026.txt", "_con.2026.txt"),
    ("what?<b>'is'.txt", "what__b__is_.txt"),
    ("Umlaut äöü.TXT", "Umlaut äöü.txt"),
    ("a\u0301.txt", "\u00e1.txt"),
    ("report.v2.final.txt", "report.v2.final.txt"),
    ("x" * 300 + ".txt", "x" * 116 + ".txt"),
    ("=cmd.txt", "_cmd.txt"),
    ("$(reboot).txt", "_(reboot).txt"),
]


@dataclass(frozen=True)
class Hostile:
    """One file that must not get in."""

    what: str
    name: str
    body: Callable[[], bytes]


def _of(what: str, name: str, body: bytes | Callable[[], bytes]) -> Hostile:
    return Hostile(what, name, body if callable(body) else lambda: body)


_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
_HTML = b"<!doctype html><script>alert(1)</script>"
HOSTILE = [
    # Names
    _of("path up", "../../etc/passwd.txt", b"x\n"),
    _of("absolute path", "/etc/cron.d/x.txt", b"x\n"),
    _of("path of windows", "..\\boot\\x.txt", b"x\n"),
    _of("path in dots", "x..txt", b"x\n"),
    _of("nothing but an ending", ".txt", b"x\n"),
    _of("no ending", "receipt", b"x\n"),
    _of("ends in a dot", "receipt.", b"x\n"),
    _of("two endings", "invoice.exe.pdf", pdf),
    _of("two endings with a space", "invoice.html .png", png),
    _of("two harmless endings", "photo.png.pdf", pdf),
    _of("runs from right to left", "invoice\u202efdp.txt", b"x\n"),
    _of("isolated direction", "in\u2066voice.txt", b"x\n"),
    _of("joiner that is not seen", "in\u200bvoice.txt", b"x\n"),
    _of("control character", "in\x07voice.txt", b"x\n"),
    _of("line separator", "in\u2028voice.txt", b"x\n"),
    _of("private character", "in\ue000voice.txt", b"x\n"),
    _of("card number as name", "4242424242424242.txt", b"x\n"),
    _of("very long name", "x" * 2000 + ".txt", b"x\n"),
    # Sizes
    _of("empty", "empty.txt", b""),
    _of("one byte too much", "large.txt", lambda: b"x" * (10 * 1024 * 1024 + 1)),
    # Active content
    _of("markup named text", "page.txt", _HTML),
    _of("markup", "page.html", _HTML),
    _of("picture that runs", "picture.svg", _SVG),
    _of("picture that runs, named png", "picture.png", _SVG),
    _of("markup after spaces", "page.txt", b" \n\t " + _HTML),
    _of("script in the middle", "page.txt", b"hello\n<script src=//x></script>"),
    _of("xml", "data.txt", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
    _of("shell script", "run.txt", b"#!/bin/sh\nreboot\n"),
    _of("program", "tool.txt", b"MZ\x90\0" + b"\0" * 200),
    _of("program of linux", "tool.pdf", b"\x7fELF" + b"\0" * 200),
    _of("rich text", "letter.txt", b"{\\rtf1 {\\object\\objdata 0105}}"),
    _of("postscript", "page.txt", b"%!PS-Adobe-3.0\n(/etc/passwd) run\n"),
    _of("formula", "rows.csv", b'a,b\n=HYPERLINK("http://x","y"),1\n'),
    _of("command in a cell", "rows.csv", b"a,b\n1,\"@SUM(1+1)*cmd|' /C calc'!A0\"\n"),
    # Archives and offices
    _of("archive", "files.zip", archive),
    _of("archive named text", "files.txt", archive),
    _of("archive that explodes", "bomb.zip", bomb),
    _of("office with macros", "book.docm", lambda: archive("word/vbaProject.bin")),
    _of("old office", "book.doc", bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600),
    # Wrong kinds and two at once
    _of("png named pdf", "photo.pdf", png),
    _of("pdf named text", "beleg.txt", pdf),
    _of("text named png", "photo.png", b"just text\n"),
    _of("png with an archive behind", "photo.png", lambda: png() + archive()),
    _of("png with markup inside", "photo.png", lambda: png(chunk(b"tEXt", b"a\0" + _HTML))),
    _of("png with a wrong checksum", "photo.png", lambda: png()[:-5] + b"\0\0\0\0\0"),
    _of("gif with an archive behind", "a.gif", lambda: gif(archive() + b";")),
    _of(
        "gif that is a script",
        "a.gif",
        b"GIF89a/*" + b"\0" * 9 + b"*/=1;<script >alert(1)</script>;",
    ),
    _of("jpeg cut short", "a.jpg", jpeg()[:-2]),
    _of("webp with more behind", "a.webp", lambda: webp() + b"<html>"),
    _of(
        "pdf with a script", "a.pdf", lambda: pdf(b"/OpenAction<</S/JavaScript/JS(app.alert(1))>>")
    ),
    _of("pdf with a hidden script", "a.pdf", lambda: pdf(b"/AA<</S/#4aava#53cript>>")),
    _of("pdf that starts a program", "a.pdf", lambda: pdf(b"/OpenAction<</S/Launch/F(cmd.exe)>>")),
    _of("pdf with a file inside", "a.pdf", lambda: pdf(b"/X<</Type/EmbeddedFile>>")),
    _of("pdf with markup behind", "a.pdf", lambda: pdf() + _HTML),
    _of("pdf that is no pdf", "a.pdf", b"%PDF-1.7\n"),
    # Text that is none
    _of("nul", "a.txt", b"a\0b"),
    _of("other encoding", "a.txt", "hello".encode("utf-16")),
    _of("escape codes", "a.txt", b"\x1b[2J\x1b]0;x\x07"),
    # Card data
    _of("card number", "a.txt", b"My card: 4242 4242 4242 4242\n"),
    _of("card number in rows", "a.csv", b"name,card\nBo,4242424242424242\n"),
    _of("card number in a mail", "a.eml", lambda: mail("It is 4242 4242 4242 4242.")),
    # Mail
    _of("program in a mail", "a.eml", lambda: mail(name="tool.exe", body=b"MZ\x90\0" * 50)),
    _of("archive in a mail", "a.eml", lambda: mail(name="a.zip", body=archive())),
    _of("markup in a mail", "a.eml", lambda: mail(name="a.html", body=_HTML)),
    _of("no mail", "a.eml", b"just text\n"),
    _of(
        "mail of a million parts",
        "a.eml",
        b"From: a@b\nDate: x\nContent-Type: multipart/mixed; boundary=b\n\n"
        + b"--b\n\n\n" * 100_000,
    ),
]
