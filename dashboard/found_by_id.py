"""Which page a whole id opens from the search box, for kinds that are found by their id alone. No routes."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from core.errors import NotFound
from core.permissions import Permission
from domain.actors import Actor
from domain.bank import bank_queries, matching
from domain.books import book_queries
from domain.cases import case_rules
from domain.control.approval_queries import get_approval
from domain.control.freeze_queries import get_freeze
from domain.delays.extensions import get_extension
from domain.delays.notice_queries import get_notice
from domain.desk import Session
from domain.invoices import invoice_desk, invoice_queries
from domain.people.people import get_visible_user
from domain.reconciliation import payout_queries, run_queries
from domain.refunds import refund_queries

# As `domain/invoices/numbers.py` writes them.
_NUMBER = re.compile(r"(INV|CN)-\d{4}-\d{6,}", re.ASCII | re.IGNORECASE)
Look = Callable[[Session, str, Actor], object]
_KINDS: dict[str, tuple[Permission, str, Look]] = {
    "ref_": (
        Permission.REFUNDS_LIST,
        "/refunds/",
        lambda session, name, actor: refund_queries.get_refund(session, name, actor=actor),
    ),
    "apr_": (
        Permission.APPROVALS_READ,
        "/approvals/",
        lambda session, name, actor: get_approval(session, name, actor=actor),
    ),
    "frz_": (
        Permission.CONTROLS_READ,
        "/freezes/",
        lambda session, name, _: get_freeze(session, name),
    ),
    "dly_": (
        Permission.NOTICES_READ,
        "/providers/notices/",
        lambda session, name, _: get_notice(session, name),
    ),
    "ext_": (
        Permission.NOTICES_READ,
        "/providers/deadlines/",
        lambda session, name, _: get_extension(session, name),
    ),
    "inv_": (
        Permission.INVOICES_STATUS,
        "/invoices/",
        lambda session, name, actor: invoice_queries.get_invoice(session, name, actor=actor),
    ),
    "jrn_": (
        Permission.JOURNAL_READ,
        "/journal/",
        lambda session, name, _: book_queries.get_entry(session, name),
    ),
    "bln_": (
        Permission.BANK_LINES,
        "/bank/lines/",
        lambda session, name, _: matching.get_line(session, name),
    ),
    "bst_": (
        Permission.BANK_STATEMENTS,
        "/bank/statements/",
        lambda session, name, _: bank_queries.get_statement(session, name),
    ),
    "ppo_": (
        Permission.RECONCILIATION_READ,
        "/reconciliation/payouts/",
        lambda session, name, actor: payout_queries.get_payout(
            session, name, livemode=actor.livemode
        ),
    ),
    "rec_": (
        Permission.RECONCILIATION_READ,
        "/reconciliation/",
        lambda session, name, _: run_queries.get_run(session, name),
    ),
    "rul_": (
        Permission.RULES_READ,
        "/exceptions/rules/",
        lambda session, name, _: case_rules.get(session, name),
    ),
    "usr_": (
        Permission.USERS_ADMINISTER,
        "/users/",
        lambda session, name, actor: get_visible_user(session, name, actor=actor),
    ),
}


def page_of(session: Session, text: str, actor: Actor) -> str | None:
    """Give the page of the one thing that bears this id, or a provider's name of a payout or refund.

    None: there is none that this person may see.
    """
    if ":" in text:
        return _account(session, text, actor)
    if _NUMBER.fullmatch(text):
        return _invoice(session, text, actor)
    permission, place, look = _KINDS.get(text[:4], (None, "", None))
    if look is None or permission is None:
        return _payout_at_provider(session, text, actor) or _refund_at_provider(
            session, text, actor
        )
    if not actor.may(permission):
        return None
    try:
        look(session, text, actor)
    except NotFound:
        return None
    return f"{place}{text}"


def _account(session: Session, address: str, actor: Actor) -> str | None:
    if not actor.may(Permission.LEDGER_TOTALS):
        return None
    try:
        book_queries.get_accounts(session, address, actor=actor)
    except NotFound:
        return None
    return f"/ledger/accounts/{quote(address, safe=':')}"


def _invoice(session: Session, number: str, actor: Actor) -> str | None:
    """Give the page of the invoice of a number, of a credit note's too, when only one bears it."""
    if not actor.may(Permission.INVOICES_STATUS):
        return None
    found = invoice_desk.numbered(session, number.upper(), actor=actor)
    return (
        f"/invoices/{found[0]}" if len(found) == 1 else f"/invoices?q={number}" if found else None
    )


def _payout_at_provider(session: Session, text: str, actor: Actor) -> str | None:
    if not actor.may(Permission.RECONCILIATION_READ):
        return None
    found = payout_queries.find_named(session, text, livemode=actor.livemode)
    return f"/reconciliation/payouts/{found.id}" if found else None


def _refund_at_provider(session: Session, text: str, actor: Actor) -> str | None:
    if not actor.may(Permission.REFUNDS_LIST):
        return None
    found = refund_queries.named_by_provider(session, text, actor=actor)
    return f"/refunds/{found[0].id}" if len(found) == 1 else None
