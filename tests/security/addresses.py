"""The addresses of the desk's pages, filled with the ids of rows that are there."""

from __future__ import annotations

import re

from flask import Flask
from sqlalchemy import select

from core.permissions import HOLDERS
from core.states import Role
from domain.database import reading
from models import Base
from web import access
from web.access import Access, Door, Kind

# Which rows a placeholder of an address stands for.
ROWS_OF = {
    "payment_id": "payments.id",
    "order_id": "orders.id",
    "inbound_id": "inbound_events.id",
    "case_id": "exception_cases.id",
    "approval_id": "approvals.id",
    "freeze_id": "freezes.id",
    "notice_id": "delay_notices.id",
    "extension_id": "deadline_extensions.id",
    "refund_id": "refunds.id",
    "dispute_id": "disputes.id",
    "secret_id": "secrets.id",
    "user_id": "users.id",
    "hold_id": "legal_holds.id",
    "rule_id": "case_rules.id",
    "key_id": "api_keys.id",
    "entry_id": "journal_entries.id",
    "invoice_id": "invoices.id",
    "address": "ledger_accounts.address",
    "period_id": "periods.id",
    "payout_id": "provider_payouts.id",
    "run_id": "reconciliation_runs.id",
    "line_id": "bank_lines.id",
    "statement_id": "bank_statements.id",
    "draft_id": "bank_drafts.id",
}
# No pages of the desk: streams, files to keep, and the pages that load the provider's script.
NO_PAGE = re.compile(r"/stream$|^/static/|^/pay/|^/files/|export|\.(csv|json|pdf|svg|png)\b")
# The ways in, which show nobody's words, and what begins the sandbox anew.
NOT_HERE = re.compile(r"^/login|^/sandbox|^/account/set-password")
MOST = 2


def pages(app: Flask, role: Role) -> list[str]:
    """List every page that a role may open, with the first rows of each kind."""
    found: list[str] = []
    for rule, declared in access.table(app):
        path = str(rule)
        if declared is None or declared.door != Door.PAGE or "GET" not in (rule.methods or ()):
            continue
        if declared.kind == Kind.PUBLIC or NO_PAGE.search(path) or NOT_HERE.search(path):
            continue
        if _may(declared, role):
            found += _filled(path)
    return sorted(found)


def _may(declared: Access, role: Role) -> bool:
    return declared.permission is None or role in HOLDERS[declared.permission]


def _filled(path: str) -> list[str]:
    names = re.findall(r"<(?:\w+:)?(\w+)>", path)
    if not names:
        return [path]
    if len(names) > 1 or names[0] not in ROWS_OF:
        return []
    return [re.sub(r"<[^>]+>", each, path) for each in _ids(names[0])]


def _ids(placeholder: str) -> list[str]:
    table, _, column = ROWS_OF[placeholder].partition(".")
    found = Base.metadata.tables[table].c[column]
    with reading() as session:
        return [str(each) for each in session.scalars(select(found).order_by(found).limit(MOST))]
