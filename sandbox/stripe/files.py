"""Files that are uploaded as evidence: their form is read, their bytes are kept as a hash only."""

from __future__ import annotations

import hashlib
from email import policy
from email.parser import BytesParser

from sandbox.stripe import params
from sandbox.stripe.errors import Obj, invalid, missing
from sandbox.stripe.ids import new_id
from sandbox.stripe.world import Call, visible

PATH = "/v1/files"
LARGEST = 12 * 1_048_576
_KNOWN = {"file", "purpose"}


def form_of(body: bytes, content_type: str) -> Obj:
    """Read a multipart form: texts as they are, a file as its name, type, size and hash.

    Source: RFC 7578
    """
    head = f"Content-Type: {content_type}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    found: Obj = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True) or b""
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        filename = part.get_filename()
        if filename is None:
            found[name] = content.decode("utf-8", "replace")
            continue
        found[name] = {
            "filename": filename,
            "type": part.get_content_type(),
            "size": str(len(content)),
            "sha256": hashlib.sha256(content).hexdigest(),
            "head": content[:8].hex(),
        }
    return found


def create(call: Call, sent: Obj) -> Obj:
    """Answer `POST /v1/files`. Source: https://docs.stripe.com/api/files/create"""
    params.only(sent, _KNOWN)
    purpose = params.choice(sent, "purpose", ("dispute_evidence",))
    file = params.table(sent, "file")
    if purpose is None or not file:
        raise missing("purpose" if purpose is None else "file")
    kind = _kind(str(file["head"]))
    if kind is None:
        message = "Invalid file type for purpose dispute_evidence. It must be a PDF, JPEG or PNG."
        raise invalid(message, "file")
    made: Obj = {
        "id": new_id("file_1"),
        "object": "file",
        "created": call.now,
        "expires_at": None,
        "filename": file["filename"],
        "links": {"object": "list", "data": [], "has_more": False, "url": "/v1/file_links"},
        "purpose": purpose,
        "size": int(file["size"]),
        "title": None,
        "type": kind,
        "url": None,
        "_sha256": file["sha256"],
    }
    return visible(call.store.put("file", made))


def _kind(head: str) -> str | None:
    """Tell a file's type by its first bytes, whatever its form says."""
    signs = {"255044462d": "pdf", "89504e470d0a1a0a": "png", "ffd8ff": "jpg"}
    return next((kind for sign, kind in signs.items() if head.startswith(sign)), None)


def retrieve(call: Call, _sent: Obj, file_id: str) -> Obj:
    """Answer `GET /v1/files/{id}`."""
    return visible(call.get("file", file_id))
