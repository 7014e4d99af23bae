"""Every column that holds sealed values: for which purpose and bound to which place; what re-encryption walks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Case, ColumnElement, and_, case, func, inspect

from core import person_seal, vault
from domain.secrets import owners
from domain.secrets.owners import Owners
from models.base import Base
from models.cases import Attachment
from models.disputes import Dispute
from models.idempotency import IdempotencyKey
from models.inbound import InboundEvent
from models.invoices import CreditNote, Document, Invoice
from models.operations import Operation
from models.orders import InvoiceDraft
from models.payments import Payment
from models.people import User
from models.periods import PeriodClosing
from models.personal import DataExport, PersonKey
from models.proofs import Mail
from models.secrets import SecretVersion
from models.statements import BankDraft, BankLine

Key = tuple[str, ...]


@dataclass(frozen=True)
class SealedColumn:
    """One column. place: what a row's value is bound to, from the parts of its primary key;
    at_once: how many values may lie in memory together; owners: whose key seals them, where they tell
    of a person.
    """

    model: type[Base]
    name: str
    purpose: str
    place: Callable[[Key], str]
    at_once: int = 200
    owners: Owners | None = None

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

    @property
    def is_under_a_master_key(self) -> ColumnElement[bool]:
        """Give the condition of the rows that no person's key sealed; person_keys has those."""
        there = self.column.is_not(None)
        if self.owners is None:
            return there
        head = person_seal.HEAD
        return and_(there, func.substr(self.column, 1, len(head)) != head)

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
    # The keys of people; what they seal is not sealed anew.
    SealedColumn(PersonKey, "key_sealed", "person_key", _by_id("person_keys|key")),
    SealedColumn(User, "email_sealed", "email", _by_id("users|email"), owners=owners.of_users),
    SealedColumn(User, "totp_sealed", "totp", _by_id("users|totp"), owners=owners.of_users),
    SealedColumn(
        User, "totp_pending_sealed", "totp", _by_id("users|totp_pending"), owners=owners.of_users
    ),
    SealedColumn(Mail, "to_sealed", "mail", _by_id("mails|to"), owners=owners.of_mails),
    SealedColumn(Mail, "body_sealed", "mail", _by_id("mails|body"), owners=owners.of_mails),
    SealedColumn(Operation, "result_sealed", "operation", _by_id("operations|result")),
    SealedColumn(
        Payment, "client_secret_sealed", "client_secret", _by_id("payments|client_secret")
    ),
    SealedColumn(
        Dispute,
        "evidence_sealed",
        "dispute_evidence",
        _by_id("disputes|evidence"),
        owners=owners.of_disputes,
    ),
    SealedColumn(
        InvoiceDraft, "sealed", "person", _by_id("invoice_drafts|sealed"), owners=owners.of_drafts
    ),
    SealedColumn(Invoice, "sealed", "person", _by_id("invoices|sealed"), owners=owners.of_invoices),
    SealedColumn(
        CreditNote, "sealed", "person", _by_id("credit_notes|sealed"), owners=owners.of_credit_notes
    ),
    SealedColumn(
        Document,
        "sealed_pdf",
        "document",
        _by_id("documents|pdf"),
        at_once=20,
        owners=owners.of_documents,
    ),
    SealedColumn(
        Document,
        "sealed_xml",
        "document",
        _by_id("documents|xml"),
        at_once=50,
        owners=owners.of_documents,
    ),
    SealedColumn(
        DataExport,
        "sealed",
        "export",
        _by_id("data_exports|sealed"),
        at_once=4,
        owners=owners.of_exports,
    ),
    # Each is as large as 10 MiB.
    SealedColumn(Attachment, "sealed", "attachment", _by_id("attachments|sealed"), at_once=4),
    SealedColumn(
        PeriodClosing,
        "certificate",
        "certificate",
        _by_id("period_closings|certificate"),
        at_once=8,
    ),
    SealedColumn(
        BankLine,
        "counterparty_sealed",
        "bank_line",
        _by_id("bank_lines|counterparty"),
        owners=owners.of_bank_lines,
    ),
    # Each is as large as 10 MiB.
    SealedColumn(BankDraft, "sealed", "bank_draft", _by_id("bank_drafts|sealed"), at_once=4),
    SealedColumn(IdempotencyKey, "body_sealed", "idempotency", _by_id("idempotency_keys|body")),
    SealedColumn(InboundEvent, "body_sealed", "inbound", _by_id("inbound_events|body")),
)
