"""Evidence for the payer's bank: kept as a sealed draft until it is handed in, with files of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from core.errors import invalid
from core.redaction import holds_card_number
from core.strictjson import Json
from domain.cases import attachments
from domain.secrets import keyring, person_keys
from domain.secrets.person_keys import Whose
from models.cases import Attachment
from models.disputes import Dispute
from providers.dispute_seam import Evidence, EvidenceFile

PURPOSE = "dispute_evidence"
# The provider takes 20,000 characters a field and 150,000 in all; files of these kinds, 4.5 MB together.
# Source: https://docs.stripe.com/disputes/best-practices#evidence-size-limits
LONGEST_TEXT = 20_000
MOST_FILES = 5
LARGEST_FILES = 4_500_000
MEDIA = ("application/pdf", "image/png", "image/jpeg")
TEXTS = ("productDescription", "customerCommunication", "serviceDate", "uncategorizedText")


@dataclass(frozen=True)
class Draft:
    """What somebody has written so far. service_date: a day as YYYY-MM-DD."""

    product_description: str = ""
    customer_communication: str = ""
    service_date: str = ""
    uncategorized_text: str = ""
    file_ids: Sequence[str] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it to hand in."""
        return not any(self.texts.values()) and not self.file_ids

    @property
    def texts(self) -> Mapping[str, str]:
        """Its texts, by their names on the wire."""
        values = (
            self.product_description,
            self.customer_communication,
            self.service_date,
            self.uncategorized_text,
        )
        return dict(zip(TEXTS, values, strict=True))


def place(dispute_id: str) -> str:
    """Name where a dispute's evidence is sealed."""
    return f"disputes|evidence|{dispute_id}"


def seal(session: Session, whose: Whose | None, dispute_id: str, draft: Draft) -> bytes:
    """Seal a draft for its dispute. whose: the payer's, of whom it tells. Transaction: caller's."""
    text = json.dumps({**draft.texts, "fileIds": list(draft.file_ids)})
    return person_keys.seal_text(session, whose, text, purpose=PURPOSE, place=place(dispute_id))


def open_draft(dispute: Dispute) -> Draft:
    """Open what is kept for a dispute; empty when nothing was written yet."""
    if dispute.evidence_sealed is None:
        return Draft()
    text = person_keys.open_text(
        dispute, dispute.evidence_sealed, purpose=PURPOSE, place=place(dispute.id)
    )
    said: dict[str, Json] = json.loads(text)
    files = said.get("fileIds")
    words = {name: str(said.get(name) or "") for name in TEXTS}
    return Draft(
        product_description=words["productDescription"],
        customer_communication=words["customerCommunication"],
        service_date=words["serviceDate"],
        uncategorized_text=words["uncategorizedText"],
        file_ids=tuple(str(each) for each in files) if isinstance(files, list) else (),
    )


def assert_sound(session: Session, dispute: Dispute, draft: Draft) -> None:
    """Check that evidence is what the bank can take; it may still be empty.

    Raises: InvalidInput. Transaction: caller's, reads only.
    """
    for name, text in draft.texts.items():
        if len(text) > LONGEST_TEXT:
            raise invalid(name, f"At most {LONGEST_TEXT:,} characters.")
        if holds_card_number(text):
            raise invalid(name, "This looks like a card number. The bank has it; never send it.")
    if draft.service_date:
        _assert_day(draft.service_date)
    files = files_of(session, dispute)
    known = {row.id: row for row in files}
    if len(set(draft.file_ids)) != len(draft.file_ids):
        raise invalid("fileIds", "Name each file once.")
    if len(draft.file_ids) > MOST_FILES:
        raise invalid("fileIds", f"The bank takes at most {MOST_FILES} files.")
    if unknown := [each for each in draft.file_ids if each not in known]:
        raise invalid("fileIds", f"{unknown[0][:40]!r} is no file of this dispute.")
    chosen = [known[each] for each in draft.file_ids]
    if any(row.media not in MEDIA for row in chosen):
        raise invalid("fileIds", "The bank takes PDF, PNG and JPEG files only.")
    if sum(row.size for row in chosen) > LARGEST_FILES:
        raise invalid("fileIds", "The bank takes at most 4.5 MB of files together.")


def _assert_day(text: str) -> None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise invalid("serviceDate", "Write a day such as 2026-11-21.")


def files_of(session: Session, dispute: Dispute) -> list[Attachment]:
    """List the files that lie with a dispute, without their bytes. Transaction: caller's, reads only."""
    return [row for row in attachments.list_of(session, dispute.id) if row.removed_at is None]


def load(session: Session, dispute: Dispute) -> Evidence | None:
    """Open all that is to be handed in, files too; None when one of them is gone.

    Transaction: caller's, reads only.
    """
    draft = open_draft(dispute)
    statement = select(Attachment).where(
        Attachment.id.in_(draft.file_ids),
        Attachment.object_id == dispute.id,
        Attachment.removed_at.is_(None),
    )
    rows = {row.id: row for row in session.scalars(statement.options(undefer(Attachment.sealed)))}
    files = []
    for file_id in draft.file_ids:
        row = rows.get(file_id)
        if row is None or row.sealed is None:
            return None
        where = attachments.place(row.id)
        body = keyring.vault().open(row.sealed, purpose=attachments.PURPOSE, place=where)
        files.append(EvidenceFile(row.name, row.media, body))
    return Evidence(
        product_description=draft.product_description or None,
        customer_communication=draft.customer_communication or None,
        service_date=draft.service_date or None,
        uncategorized_text=draft.uncategorized_text or None,
        files=tuple(files),
    )
