"""Reading a request: length and encoding, strict JSON, texts that may be stored, fields with names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from core import hashing, redaction, strictjson
from core.errors import FieldError, InvalidInput, NotFound, invalid
from core.money import LARGEST_MINOR
from core.strictjson import Json, Unreadable
from web.errors import http_error

BODY_BYTES = 256 * 1024
MOST_FIELDS, MOST_ITEMS, LONGEST_TEXT = 100, 1000, 4096
VERSIONS = ("2026-11-21",)
# The part of a form that is a file.
FILE = "file"
_PLACE = re.compile(r"[A-Za-z0-9_.:@-]{1,100}", re.ASCII)
_JSON = re.compile(r"application/json(\s*;\s*charset=\"?utf-8\"?)?\s*", re.IGNORECASE)
Model = TypeVar("Model", bound=BaseModel)


def assert_form(asked: Request, *, limit: int = BODY_BYTES) -> None:
    """Check length and encoding before anything else is looked at.

    Raises: AppError with status 411, 413 or 415
    """
    if "HTTP_TRANSFER_ENCODING" in asked.environ:
        # Werkzeug cuts a chunked body that is too long without a word.
        raise http_error(411)
    length = asked.environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        raise http_error(411)
    if int(length) > limit:
        raise http_error(413)
    if asked.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise http_error(415)


def assert_json(asked: Request) -> None:
    """Check that a body is declared as JSON.

    Raises: AppError with status 415
    """
    has_body = (asked.environ.get("CONTENT_LENGTH") or "0") != "0"
    if has_body and not _JSON.fullmatch(asked.headers.get("Content-Type", "")):
        raise http_error(415)


def assert_multipart(asked: Request) -> None:
    """Check that a body is declared as a form with a file.

    Raises: AppError with status 415
    """
    if asked.mimetype != "multipart/form-data":
        raise http_error(415)


def read_form(asked: Request) -> tuple[bytes, dict[str, Json]]:
    """Read the one file of a form, and its texts; each field once.

    Raises: InvalidInput
    """
    try:
        files, texts = asked.files, asked.form
    except RequestEntityTooLarge as error:
        raise invalid(FILE, "A file has at most 10 MiB.", code="too_large") from error
    try:
        return _of_form(files, texts)
    finally:
        # A large one lies in a file of its own until it is let go.
        for each in files.values():
            each.close()


def _of_form(
    files: MultiDict[str, FileStorage], texts: MultiDict[str, str]
) -> tuple[bytes, dict[str, Json]]:
    document: dict[str, Json] = {}
    for name, values in texts.lists():
        if len(values) > 1:
            raise invalid(name[:80], "Send each field once.", code="duplicate")
        document[name] = values[0]
    sent = files.getlist(FILE)
    if len(sent) != 1 or set(files) != {FILE} or FILE in document:
        raise invalid(FILE, "Send one file, as the part named `file`.", code="missing")
    raw = sent[0].stream.read()
    return raw, document | {FILE: hashing.sha256(raw)}


def assert_version(asked: Request) -> None:
    """Check the version asked for.

    Raises: InvalidInput UNKNOWN_VERSION
    """
    wanted = asked.headers.get("Paydesk-Version")
    if wanted is not None and wanted not in VERSIONS:
        raise InvalidInput(f"There is no version {wanted[:40]!r}.", code="UNKNOWN_VERSION")


def parse(raw: bytes) -> dict[str, Json]:
    """Read a body as one JSON object; an empty one is an empty object.

    Raises: InvalidInput MALFORMED_JSON
    """
    if not raw:
        return {}
    try:
        return strictjson.loads_object(raw)
    except Unreadable as error:
        raise InvalidInput(f"The body cannot be read: {error}.", code="MALFORMED_JSON") from error


def _walk(value: Json, place: str) -> Iterator[tuple[str, Json]]:
    yield place, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{place}.{key}"[:200].lstrip("."), key
            yield from _walk(item, f"{place}.{key}"[:200].lstrip("."))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _walk(item, f"{place}[{number}]")


def _assert_storable(place: str, value: Json) -> None:
    if isinstance(value, dict) and len(value) > MOST_FIELDS:
        raise invalid(place, f"At most {MOST_FIELDS} fields.", code="too_many")
    if isinstance(value, list) and len(value) > MOST_ITEMS:
        raise invalid(place, f"At most {MOST_ITEMS} items.", code="too_many")
    if isinstance(value, str):
        _assert_text(place, value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        if isinstance(value, int) and abs(value) > LARGEST_MINOR:
            raise invalid(place, "The number is too large.", code="too_large")
        refuse_card(place, str(value))


def _assert_text(place: str, text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise invalid(place, f"At most {LONGEST_TEXT} characters.", code="too_long")
    # Neither a NUL nor half of a surrogate pair can be stored as text.
    if "\x00" in text or not _is_encodable(text):
        raise invalid(place, "Holds a character that is no text.", code="not_text")
    refuse_card(place, text)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def refuse_card(place: str, text: str) -> None:
    """Refuse a card number wherever it is put; it is neither stored nor repeated.

    Raises: InvalidInput CARD_NUMBER_REFUSED
    """
    if redaction.holds_card_number(text):
        error = invalid(
            place[:80] if not redaction.holds_card_number(place) else "body",
            "Never send us a card number. Use the payment page.",
            code="card_number",
        )
        error.code = "CARD_NUMBER_REFUSED"
        raise error


def assert_storable(document: Mapping[str, Json]) -> None:
    """Check every text and number of a body before any of it is used.

    Raises: InvalidInput, CARD_NUMBER_REFUSED
    """
    for place, value in _walk(dict(document), ""):
        _assert_storable(place, value)


def _fields(error: ValidationError) -> list[FieldError]:
    found = []
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in each["loc"]) or "body"
        sentence = each["msg"].removeprefix("Value error, ")
        found.append(FieldError(place[:200], each["type"], f"{place[:80]}: {sentence}."))
    return found


def validate(record: type[Model], document: Mapping[str, object]) -> Model:
    """Hold a document against its record.

    Raises: InvalidInput naming each field
    """
    try:
        return record.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(fields=_fields(error)) from error


def read_query(asked: Request) -> dict[str, str]:
    """Read the query, each parameter once.

    Raises: InvalidInput
    """
    found: dict[str, str] = {}
    for name, values in asked.args.lists():
        if len(values) > 1:
            raise invalid(name[:80], "Send each parameter once.", code="duplicate")
        _assert_text(name[:80], name)
        _assert_text(name[:80], values[0])
        found[name] = values[0]
    return found


def read_path(values: Mapping[str, str] | None) -> dict[str, str]:
    """Read the ids in the path; what cannot be an id is an id that does not exist.

    Raises: NotFound
    """
    for value in (values or {}).values():
        if not _PLACE.fullmatch(value) or redaction.holds_card_number(value):
            raise NotFound
    return dict(values or {})
