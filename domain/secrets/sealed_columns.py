"""Every column that holds sealed values: for which purpose and bound to which place; what re-encryption walks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Case, ColumnElement, case, func, inspect

from core import vault
from models.base import Base
from models.cases import Attachment
from models.disputes import Dispute
from models.idempotency import IdempotencyKey
from models.inbound import InboundEvent
from models.operations import Operation
from models.orders import InvoiceDraft
from models.payments import Payment
from models.people import User
from models.proofs import Mail
from models.secrets import SecretVersion

Key = tuple[str, ...]


@dataclass(frozen=True)
class SealedColumn:
    """One column. place: what a row's value is bound to, from the parts of its primary key;
    at_once: how many values may lie in memory together.
    """

    model: type[Base]
    name: str
    purpose: str
    place: Callable[[Key], str]
    at_once: int = 200

    @property
    def label(self) -> str:
        """The column as people call it."""
        return f"{self.model.__tablename__}.{self.name}"

    @property
    def column(self) -> ColumnElement[bytes]:
        """The column itself."""
        found: ColumnElement[bytes] = inspect(self.model).columns[self.name]
        return found

    @property
    def keys(self) -> Sequence[ColumnElement[str]]:
        """The primary key's columns."""
        return list(inspect(self.model).primary_key)

    def is_sealed_with(self, kid: str) -> ColumnElement[bool]:
        """Give the condition of the rows that a master key sealed."""
        begin = vault.head(kid)
        return func.substr(self.column, 1, len(begin)) == begin

    def as_number(self, kid: str) -> Case[int]:
        """Give 1 for a row that a master key sealed, else 0."""
        return case((self.is_sealed_with(kid), 1), else_=0)


def _by_id(prefix: str) -> Callable[[Key], str]:
    return lambda key: f"{prefix}|{'|'.join(key)}"


COLUMNS: tuple[SealedColumn, ...] = (
    SealedColumn(SecretVersion, "value_sealed", "secret", _by_id("secret_versions|value")),
    SealedColumn(User, "email_sealed", "email", _by_id("users|email")),
    SealedColumn(User, "totp_sealed", "totp", _by_id("users|totp")),
    SealedColumn(User, "totp_pending_sealed", "totp", _by_id("users|totp_pending")),
    SealedColumn(Mail, "to_sealed", "mail", _by_id("mails|to")),
    SealedColumn(Mail, "body_sealed", "mail", _by_id("mails|body")),
    SealedColumn(Operation, "result_sealed", "operation", _by_id("operations|result")),
    SealedColumn(
        Payment, "client_secret_sealed", "client_secret", _by_id("payments|client_secret")
    ),
    SealedColumn(Dispute, "evidence_sealed", "dispute_evidence", _by_id("disputes|evidence")),
    SealedColumn(InvoiceDraft, "sealed", "person", _by_id("invoice_drafts|sealed")),
    # Each is as large as 10 MiB.
    SealedColumn(Attachment, "sealed", "attachment", _by_id("attachments|sealed"), at_once=4),
    SealedColumn(IdempotencyKey, "body_sealed", "idempotency", _by_id("idempotency_keys|body")),
    SealedColumn(InboundEvent, "body_sealed", "inbound", _by_id("inbound_events|body")),
)
