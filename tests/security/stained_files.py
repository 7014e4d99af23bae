"""Files that somebody attached under a name of their own."""

from __future__ import annotations

from core import clock, hashing, ids
from domain.secrets import keyring
from models.cases import Attachment


def attachment(kind: str, object_id: str, person: str, number: int) -> Attachment:
    file_id = ids.new("att")
    return Attachment(
        id=file_id,
        object_kind=kind,
        object_id=object_id,
        name="x.txt",
        media="text/plain",
        size=1,
        sha256=hashing.sha256(str(number).encode()),
        sealed=keyring.seal_text("x", purpose="attachment", place=f"attachments|sealed|{file_id}"),
        actor=person,
        at=clock.now(),
    )
