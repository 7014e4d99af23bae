"""What there are documents of: words that whoever asks for one needs, and nothing of how it is made."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """A document's kind; the certificate of a month is kept with its closing."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    STATEMENT = "statement"
