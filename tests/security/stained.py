"""A database in which every text that people or providers wrote holds hostile strings."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import JSON, Connection, Engine, String, select, text
from sqlalchemy.orm import Session

from core import clock, ids
from core.money_out import Act
from core.strictjson import Json
from domain import database, samples
from domain.cases import case_backtests, case_conditions
from domain.disputes import evidence
from domain.disputes.evidence import Draft
from domain.secrets import keyring
from models import Base, guards
from models.cases import CaseNote, CaseRule, CaseRuleVersion, ExceptionCase
from models.control import Approval, Control, Freeze
from models.disputes import Dispute, ReleaseHold
from models.invoices import CreditNote
from models.payments import Payment, PaymentNote
from models.proofs import Passkey
from models.refunds import Refund
from models.secrets import Secret, SecretVersion
from tests.security import (
    hostile,
    stained_bank,
    stained_delays,
    stained_files,
    stained_months,
    stained_people,
    stained_runs,
)

ROWS = 2
CONDITIONS: list[Json] = [{"field": "shortfallPercent", "op": "lte", "value": "3"}]
# What people or providers write freely. Everything else is a word, an id or a digest of ours.
PROSE: dict[str, str] = {
    "approvals": "destination text reason decided_reason",
    "attachments": "name",
    "audit_log": "reason before after",
    "coupon_uses": "code name",
    "credit_notes": "reason reference void_reason",
    "documents": "last_error",
    "effects": "last_error",
    **dict.fromkeys(("case_rules", "case_rule_versions", "case_notes"), "note"),
    "case_rule_uses": "reversed_reason",
    "notices": "text",
    "controls": "reason",
    "exception_cases": "sentence expected found resolution",
    "freezes": "reason",
    "invoices": "reference void_reason",
    "inbound_events": "type object_reference provider_event_id headers last_error verdict",
    "mails": "subject last_error",
    **stained_people.PROSE,
    **stained_bank.PROSE,
    "merchants": "name",
    "period_closings": stained_months.PROSE,
    "reencryptions": "last_error",
    "schedules": "last_error",
    "state_changes": "reason",
    "api_keys": "name",
    "inbound_attempts": "error reason",
    "journal_entries": "provider_reference note",
    "secret_versions": "reason",
    "users": "name",
    "desk_sessions": "address browser",
    "orders": "description subscription_ref reference metadata release_hold",
    "passkeys": "name",
    "milestones": "title",
    "payments": (
        "provider_reference bank_reference failure_reason provider_code provider_message card_brand card_last4"
        " subscription_ref reference metadata"
    ),
    "operations": "provider_reference error_code error_message last_error",
    "payment_facts": "code message",
    "payment_notes": "note",
    "provider_references": "reference",
    "refunds": "reason reference provider_reference failure_reason",
    "disputes": "provider_reference reason",
    **stained_delays.PROSE,
    "release_holds": "reference reason",
    "reconciliation_differences": "ours theirs books provider_reference effect",
    "reconciliation_objects": "reference",
    "reconciliation_runs": "reason last_error",
}


def text_columns() -> dict[str, set[str]]:
    """Give every column of every table that can hold words."""
    return {
        table.name: {
            column.name for column in table.columns if isinstance(column.type, String | JSON)
        }
        for table in Base.metadata.sorted_tables
    }


def _backtest(session: Session) -> dict[str, Json]:
    return case_backtests.run(
        session, "UNDERPAID", case_conditions.stored(CONDITIONS), "accept"
    ).wire()


def furnish(session: Session, *, people: Sequence[str]) -> None:
    """Add rows to the tables that sample data leaves empty. people: ids of those who act in them."""
    payments = list(session.scalars(select(Payment).order_by(Payment.id).limit(ROWS)))
    cases = list(session.scalars(select(ExceptionCase).limit(ROWS)))
    secret = Secret(
        id=ids.new("sec"),
        provider="stripe",
        kind="webhook",
        mode="live",
        created_at=clock.now(),
    )
    session.add(secret)
    session.flush()
    for number, payment in enumerate(payments):
        _beside(session, payment, number, people)
        session.add(_version(secret.id, number, people[0]))
    for number, case in enumerate(cases):
        session.add(
            CaseNote(
                id=ids.new("not"),
                case_id=case.id,
                actor=people[0],
                note="x",
                text_hash=str(number),
                at=clock.now(),
            )
        )
        session.add(stained_files.attachment("case", case.id, people[0], number))
    stained_months.add(session, people)
    stained_runs.add(session, people[0], payments)
    stained_delays.add(session, people[0], payments)
    stained_bank.add(session, people[0], payments[0])
    session.add(
        Control(name="banner", value={"text": "x"}, reason="x", set_by="x", set_at=clock.now())
    )


def _version(secret_id: str, number: int, person: str) -> SecretVersion:
    version_id = ids.new("scv")
    place = f"secret_versions|value|{version_id}"
    return SecretVersion(
        id=version_id,
        secret_id=secret_id,
        version=number + 1,
        state="active" if number == ROWS - 1 else "retired",
        value_sealed=keyring.seal_text("whsec_x", purpose="secret", place=place),
        fingerprint=f"f{number}",
        origin="desk",
        created_at=clock.now(),
        activated_at=clock.now(),
        made_by=person,
        reason="x",
    )


def _beside(session: Session, payment: Payment, number: int, people: Sequence[str]) -> None:
    now = clock.now()
    refund_id = ids.new("ref")
    session.add(
        Approval(
            id=ids.new("apr"),
            kind=Act.REFUND.value,
            state="pending",
            open_key=f"x:{number}",
            object_kind="refund",
            object_id=refund_id,
            payment_id=payment.id,
            order_id=payment.order_id,
            merchant_id=payment.merchant_id,
            rail="card",
            amount_minor=100,
            asset=payment.asset,
            destination="x",
            text="x",
            details={},
            content_hash="0" * 64,
            reason="x",
            requested_by=people[0],
            requested_kind="user",
            requested_person="p0",
            requested_fresh=True,
            requested_at=now,
            expires_at=clock.after(3600),
            result={},
        )
    )
    session.add(
        Refund(
            id=refund_id,
            payment_id=payment.id,
            order_id=payment.order_id,
            merchant_id=payment.merchant_id,
            rail="card",
            amount_minor=1,
            asset=payment.asset,
            state="failed",
            reason="x",
            requested_by=people[0],
            requested_kind="user",
            failure_reason="x",
            created_at=now,
            updated_at=now,
        )
    )
    dispute_id = ids.new("dsp")
    session.add(
        Dispute(
            id=dispute_id,
            payment_id=payment.id,
            order_id=payment.order_id,
            merchant_id=payment.merchant_id,
            provider="stripe",
            provider_reference=dispute_id,
            status="needs_response",
            status_at=now,
            reason="x",
            amount_minor=1,
            asset=payment.asset,
            evidence_due_at=clock.after(3600),
            evidence_sealed=evidence.seal(
                session, None, dispute_id, Draft(uncategorized_text=hostile.STRINGS[0])
            ),
            opened_at=now,
            created_at=now,
            updated_at=now,
        )
    )
    session.add(stained_files.attachment("dispute", dispute_id, people[0], number + 2 * ROWS))
    if payment.order_id is not None:
        session.add(_credit_note(payment, number))
        session.add(
            ReleaseHold(
                id=ids.new("hld"),
                order_id=payment.order_id,
                payment_id=payment.id,
                kind="dispute",
                reference=dispute_id,
                reason="x",
                placed_at=now,
            )
        )
    session.add(
        PaymentNote(
            id=ids.new("not"),
            payment_id=payment.id,
            actor=people[0],
            note="x",
            text_hash=str(number),
            at=now,
        )
    )
    session.add(stained_files.attachment("payment", payment.id, people[0], number + ROWS))
    stained_people.add(session, people[0], payment.id)
    session.add(
        Freeze(
            id=ids.new("frz"),
            scope="order",
            scope_id=payment.order_id or "x",
            state="active" if number == 0 else "lifted",
            open_key="order:x" if number == 0 else None,
            cause="person",
            reason="x",
            engaged_by=people[0],
            engaged_at=now,
            lifted_by=[],
        )
    )
    rule_id = ids.new("rul")
    session.add(
        CaseRule(
            id=rule_id,
            kind="UNDERPAID",
            conditions=CONDITIONS,
            verb="accept",
            note="x",
            state="draft",
            backtest=_backtest(session),
            drafted_by=people[0],
            drafted_at=now,
        )
    )
    session.flush()
    session.add(
        CaseRuleVersion(
            rule_id=rule_id,
            version=1,
            conditions=CONDITIONS,
            verb="accept",
            note="x",
            backtest=_backtest(session),
            drafted_by=people[0],
            drafted_at=now,
        )
    )
    session.add(
        Passkey(
            id=ids.new("psk"),
            user_id=people[number % len(people)],
            credential_id=f"x{number}",
            public_key=b"x",
            sign_count=0,
            name="x",
            transports=[],
            created_at=now,
        )
    )


def _credit_note(payment: Payment, number: int) -> CreditNote:
    now = clock.now()
    return CreditNote(
        id=ids.new("cn"),
        number=f"CN-2026-{number}",
        number_no=number,
        invoice_id=payment.invoice_id,
        order_id=payment.order_id,
        merchant_id=payment.merchant_id,
        asset=payment.asset,
        amount_minor=1,
        tax_minor=0,
        reason="x",
        issued_by="x",
        issued_on=now.date(),
        created_at=now,
    )


def make(engine: Engine, *, people: Sequence[str]) -> None:
    """Fill a SQLite database with samples and stain every text of it, past all guards."""
    samples.load(20)
    with database.transaction() as session:
        furnish(session, people=people)
    with engine.execution_options(writing=True).connect() as connection:
        for name in guards.expected("sqlite"):
            connection.execute(text(f"drop trigger if exists {name}"))
        for table, columns in PROSE.items():
            for column in columns.split():
                _stain(connection, table, column)
        guards.install(connection)
        connection.commit()


def _stain(connection: Connection, table: str, column: str) -> None:
    is_document = isinstance(Base.metadata.tables[table].c[column].type, JSON)
    packs = hostile.packs(len(hostile.STRINGS) // ROWS)
    rows = connection.scalars(text(f"select rowid from {table} order by rowid")).all()
    for number, row in enumerate(rows):
        # Its number keeps it unique, at the end, where it disturbs no string.
        words = f"{packs[number % ROWS]} {number}"
        value = json.dumps({words: words}) if is_document else words
        statement = text(f"update {table} set {column} = :value where rowid = :row")
        connection.execute(statement, {"value": value, "row": row})


def as_event(payment: dict[str, object], pack: str, number: int) -> bytes:
    """Write a provider's event whose every text is hostile. payment: the payment it speaks of."""
    error = {"code": pack, "decline_code": pack, "message": pack, "type": "card_error"}
    subject = {
        "id": payment["providerReference"],
        "object": "payment_intent",
        "status": "requires_payment_method",
        "amount": 2500,
        "amount_received": 0,
        "amount_capturable": 0,
        "currency": "eur",
        "description": pack,
        "statement_descriptor": pack,
        "receipt_email": pack,
        "metadata": {"payment_id": payment["paymentId"], pack: pack},
        "latest_charge": None,
        "last_payment_error": error,
    }
    event = {
        "id": f"evt_hostile_{number}",
        "object": "event",
        "type": "payment_intent.payment_failed",
        "created": clock.unix(),
        "livemode": False,
        "api_version": "2025-10-29.clover",
        "pending_webhooks": 1,
        "data": {"object": subject},
        "request": {"id": pack, "idempotency_key": pack},
    }
    return json.dumps(event).encode()
