"""Every permission, which roles hold it and which key scopes grant it; code asks for permissions, never roles."""

from __future__ import annotations

from enum import StrEnum

from core.states import STAFF, Role


class Permission(StrEnum):
    """`<thing>:<act>`, in alphabetical order."""

    APPROVALS_CANCEL = "approvals:cancel"
    APPROVALS_DECIDE = "approvals:decide"
    APPROVALS_READ = "approvals:read"
    AUDIT_READ = "audit:read"
    BANK_IMPORT = "bank:import"
    BANK_LINES = "bank:lines"
    BANK_MATCH = "bank:match"
    BANK_SEARCH = "bank:search"
    BANK_STATEMENTS = "bank:statements"
    CARDS_MANAGE = "cards:manage"
    CARDS_READ = "cards:read"
    CONTROLS_READ = "controls:read"
    CONTROLS_SET = "controls:set"
    CONTROLS_SET_ALL = "controls:set_all"
    COUPONS_APPLY = "coupons:apply"
    CREDIT_NOTES_ISSUE = "credit_notes:issue"
    DEADLINES_EXTEND = "deadlines:extend"
    DESK_OPEN = "desk:open"
    DISPUTES_ACCEPT = "disputes:accept"
    DISPUTES_ANSWER = "disputes:answer"
    DISPUTES_READ = "disputes:read"
    EFFECTS_RETRY = "effects:retry"
    EVENTS_READ = "events:read"
    EXCEPTIONS_ASSIGN = "exceptions:assign"
    EXCEPTIONS_BULK = "exceptions:bulk"
    EXCEPTIONS_NOTE = "exceptions:note"
    EXCEPTIONS_READ = "exceptions:read"
    EXCEPTIONS_RESOLVE = "exceptions:resolve"
    EXCEPTIONS_TARGETS = "exceptions:targets"
    FREEZES_ENGAGE = "freezes:engage"
    FREEZES_FORECAST = "freezes:forecast"
    FREEZES_LIFT = "freezes:lift"
    FREEZES_READ = "freezes:read"
    INBOUND_IGNORE = "inbound:ignore"
    INBOUND_READ = "inbound:read"
    INBOUND_REPLAY = "inbound:replay"
    INVOICES_ISSUE = "invoices:issue"
    INVOICES_READ = "invoices:read"
    INVOICES_STATUS = "invoices:status"
    INVOICES_VIEWS = "invoices:views"
    JOURNAL_POST = "journal:post"
    JOURNAL_READ = "journal:read"
    KEYS_MANAGE = "keys:manage"
    KEYS_READ = "keys:read"
    LEDGER_READ = "ledger:read"
    LEDGER_TOTALS = "ledger:totals"
    LEDGER_VERIFICATION = "ledger:verification"
    METRICS_READ = "metrics:read"
    NOTICES_MANAGE = "notices:manage"
    NOTICES_READ = "notices:read"
    ORDERS_CANCEL = "orders:cancel"
    ORDERS_CREATE = "orders:create"
    ORDERS_READ = "orders:read"
    PAYMENTS_CANCEL = "payments:cancel"
    PAYMENTS_CAPTURE = "payments:capture"
    PAYMENTS_CREATE = "payments:create"
    PAYMENTS_NOTE = "payments:note"
    PAYMENTS_READ = "payments:read"
    PAYMENTS_REATTEMPT = "payments:reattempt"
    PAYMENTS_RECONCILE = "payments:reconcile"
    PAYMENTS_SEND_LINK = "payments:send_link"
    PAYMENTS_SUPPORT = "payments:support"
    PAYMENTS_SYNC = "payments:sync"
    PAYMENTS_WRITE_TO_PAYER = "payments:write_to_payer"
    PERIODS_CLOSE = "periods:close"
    PERIODS_READ = "periods:read"
    PERIODS_REOPEN = "periods:reopen"
    RECONCILIATION_MATCH = "reconciliation:match"
    RECONCILIATION_READ = "reconciliation:read"
    RECONCILIATION_RUN = "reconciliation:run"
    REFUNDS_ASK = "refunds:ask"
    REFUNDS_LIST = "refunds:list"
    REFUNDS_READ = "refunds:read"
    REFUNDS_REQUEST = "refunds:request"
    RULES_DRAFT = "rules:draft"
    RULES_ENABLE = "rules:enable"
    RULES_READ = "rules:read"
    SANDBOX_RESET = "sandbox:reset"
    SECRETS_PROBE = "secrets:probe"
    SECRETS_READ = "secrets:read"
    SECRETS_ROTATE = "secrets:rotate"
    SELF_READ = "self:read"
    STREAM_SELF_TEST = "stream:self_test"
    TRANSACTIONS_CONFIRM = "transactions:confirm"
    TRANSACTIONS_READ = "transactions:read"
    TRIALS_START = "trials:start"
    USERS_ADMINISTER = "users:administer"
    USERS_APPROVE = "users:approve"
    USERS_KYC = "users:kyc"
    USERS_MANAGE = "users:manage"
    USERS_READ = "users:read"
    WALLETS_READ = "wallets:read"
    WATCH_RUN = "watch:run"


P = Permission
EVERYONE = frozenset(Role)
MONEY_STAFF = frozenset({Role.SUPPORT, Role.FINANCE, Role.ADMIN})
FINANCE_ADMIN = frozenset({Role.FINANCE, Role.ADMIN})
ADMIN = frozenset({Role.ADMIN})
CONTROL = frozenset({Role.FINANCE, Role.ADMIN, Role.ENGINEER})
PAYERS = frozenset({Role.BUYER, Role.MERCHANT})
PARTIES = PAYERS | {Role.SELLER}
ACTING_STAFF = STAFF - {Role.AUDITOR}

HOLDERS: dict[Permission, frozenset[Role]] = {
    P.APPROVALS_CANCEL: ACTING_STAFF | {Role.MERCHANT, Role.SELLER},
    P.APPROVALS_DECIDE: FINANCE_ADMIN,
    P.APPROVALS_READ: STAFF | {Role.MERCHANT, Role.SELLER},
    P.AUDIT_READ: frozenset({Role.FINANCE, Role.ADMIN, Role.AUDITOR}),
    P.BANK_IMPORT: FINANCE_ADMIN,
    P.BANK_LINES: MONEY_STAFF | {Role.AUDITOR},
    P.BANK_MATCH: FINANCE_ADMIN,
    P.BANK_SEARCH: STAFF,
    P.BANK_STATEMENTS: FINANCE_ADMIN | {Role.AUDITOR},
    P.CARDS_MANAGE: PAYERS,
    P.CARDS_READ: PAYERS | STAFF,
    P.CONTROLS_READ: STAFF,
    P.CONTROLS_SET: CONTROL,
    P.CONTROLS_SET_ALL: frozenset({Role.ADMIN, Role.ENGINEER}),
    P.COUPONS_APPLY: PAYERS,
    P.CREDIT_NOTES_ISSUE: FINANCE_ADMIN,
    P.DEADLINES_EXTEND: MONEY_STAFF,
    P.DESK_OPEN: EVERYONE,
    P.DISPUTES_ACCEPT: FINANCE_ADMIN,
    P.DISPUTES_ANSWER: MONEY_STAFF | {Role.MERCHANT},
    P.DISPUTES_READ: STAFF | {Role.MERCHANT},
    P.EFFECTS_RETRY: ACTING_STAFF,
    P.EVENTS_READ: EVERYONE,
    P.EXCEPTIONS_ASSIGN: ACTING_STAFF,
    P.EXCEPTIONS_BULK: FINANCE_ADMIN,
    P.EXCEPTIONS_NOTE: ACTING_STAFF,
    P.EXCEPTIONS_READ: STAFF | {Role.MERCHANT},
    P.EXCEPTIONS_RESOLVE: MONEY_STAFF,
    P.EXCEPTIONS_TARGETS: FINANCE_ADMIN,
    P.FREEZES_ENGAGE: CONTROL,
    P.FREEZES_FORECAST: ACTING_STAFF,
    P.FREEZES_LIFT: FINANCE_ADMIN,
    P.FREEZES_READ: STAFF | {Role.MERCHANT, Role.SELLER},
    P.INBOUND_IGNORE: CONTROL,
    P.INBOUND_READ: STAFF,
    P.INBOUND_REPLAY: ACTING_STAFF,
    P.INVOICES_ISSUE: FINANCE_ADMIN | {Role.MERCHANT},
    P.INVOICES_READ: PARTIES | FINANCE_ADMIN | {Role.AUDITOR},
    # Support sees how an invoice stands, not whom it names.
    P.INVOICES_STATUS: PARTIES | MONEY_STAFF | {Role.AUDITOR},
    P.INVOICES_VIEWS: FINANCE_ADMIN | {Role.AUDITOR},
    P.JOURNAL_POST: FINANCE_ADMIN,
    P.JOURNAL_READ: frozenset({Role.FINANCE, Role.ADMIN, Role.AUDITOR, Role.SUPPORT}),
    P.KEYS_MANAGE: frozenset({Role.ADMIN, Role.MERCHANT}),
    P.KEYS_READ: frozenset({Role.ADMIN, Role.MERCHANT, Role.AUDITOR}),
    P.LEDGER_READ: frozenset({Role.FINANCE, Role.ADMIN, Role.AUDITOR, Role.MERCHANT}),
    P.LEDGER_TOTALS: FINANCE_ADMIN | {Role.AUDITOR},
    P.LEDGER_VERIFICATION: frozenset({Role.FINANCE, Role.ADMIN, Role.AUDITOR, Role.ENGINEER}),
    P.METRICS_READ: frozenset({Role.ADMIN, Role.ENGINEER}),
    P.NOTICES_MANAGE: ACTING_STAFF,
    P.NOTICES_READ: STAFF,
    P.ORDERS_CANCEL: frozenset({Role.BUYER, Role.MERCHANT}) | MONEY_STAFF,
    P.ORDERS_CREATE: frozenset({Role.BUYER, Role.MERCHANT}) | MONEY_STAFF,
    P.ORDERS_READ: EVERYONE,
    P.PAYMENTS_CANCEL: frozenset({Role.BUYER, Role.MERCHANT}) | MONEY_STAFF,
    P.PAYMENTS_CAPTURE: FINANCE_ADMIN | {Role.MERCHANT},
    P.PAYMENTS_CREATE: frozenset({Role.BUYER, Role.MERCHANT}),
    P.PAYMENTS_NOTE: ACTING_STAFF,
    P.PAYMENTS_READ: EVERYONE,
    P.PAYMENTS_REATTEMPT: PAYERS | {Role.SUPPORT},
    P.PAYMENTS_RECONCILE: FINANCE_ADMIN,
    P.PAYMENTS_SEND_LINK: MONEY_STAFF | {Role.MERCHANT},
    P.PAYMENTS_SUPPORT: STAFF,
    P.PAYMENTS_SYNC: frozenset({Role.MERCHANT, Role.ENGINEER}) | MONEY_STAFF,
    P.PAYMENTS_WRITE_TO_PAYER: MONEY_STAFF,
    P.PERIODS_CLOSE: frozenset({Role.FINANCE}),
    P.PERIODS_READ: FINANCE_ADMIN | {Role.AUDITOR},
    P.PERIODS_REOPEN: FINANCE_ADMIN,
    P.RECONCILIATION_MATCH: FINANCE_ADMIN,
    P.RECONCILIATION_READ: STAFF,
    P.RECONCILIATION_RUN: CONTROL,
    P.REFUNDS_ASK: MONEY_STAFF,
    P.REFUNDS_LIST: STAFF | {Role.MERCHANT},
    P.REFUNDS_READ: STAFF | {Role.MERCHANT, Role.BUYER},
    P.REFUNDS_REQUEST: FINANCE_ADMIN | {Role.MERCHANT},
    P.RULES_DRAFT: FINANCE_ADMIN,
    P.RULES_ENABLE: FINANCE_ADMIN,
    P.RULES_READ: FINANCE_ADMIN | {Role.AUDITOR},
    P.SANDBOX_RESET: ADMIN,
    P.SECRETS_PROBE: frozenset({Role.ADMIN, Role.ENGINEER}),
    P.SECRETS_READ: frozenset({Role.ADMIN, Role.ENGINEER, Role.AUDITOR}),
    P.SECRETS_ROTATE: ADMIN,
    P.SELF_READ: EVERYONE,
    P.STREAM_SELF_TEST: frozenset({Role.ADMIN, Role.ENGINEER}),
    P.TRANSACTIONS_CONFIRM: PAYERS,
    P.TRANSACTIONS_READ: PAYERS | STAFF,
    P.TRIALS_START: frozenset({Role.BUYER}),
    P.USERS_ADMINISTER: frozenset({Role.ADMIN, Role.AUDITOR}),
    P.USERS_APPROVE: ADMIN,
    P.USERS_KYC: FINANCE_ADMIN,
    P.USERS_MANAGE: FINANCE_ADMIN,
    P.USERS_READ: frozenset({Role.ADMIN, Role.AUDITOR, Role.SUPPORT, Role.FINANCE}),
    P.WALLETS_READ: EVERYONE,
    P.WATCH_RUN: FINANCE_ADMIN,
}

# What an API key's scope lets it do; a permission absent here is not for keys.
SCOPES: dict[Permission, str | None] = {
    P.APPROVALS_CANCEL: None,
    P.APPROVALS_READ: None,
    P.CARDS_MANAGE: "payments:write",
    P.CARDS_READ: "payments:read",
    P.COUPONS_APPLY: "payments:write",
    P.DISPUTES_ANSWER: "disputes:write",
    P.DISPUTES_READ: "payments:read",
    P.EVENTS_READ: "events:read",
    P.EXCEPTIONS_READ: "payments:read",
    P.FREEZES_READ: None,
    P.INVOICES_ISSUE: "invoices:write",
    P.INVOICES_READ: "invoices:read",
    P.INVOICES_STATUS: "invoices:read",
    P.ORDERS_CANCEL: "orders:write",
    P.ORDERS_CREATE: "orders:write",
    P.ORDERS_READ: "orders:read",
    P.PAYMENTS_CANCEL: "payments:write",
    P.PAYMENTS_CAPTURE: "payments:write",
    P.PAYMENTS_CREATE: "payments:write",
    P.PAYMENTS_READ: "payments:read",
    P.PAYMENTS_REATTEMPT: "payments:write",
    P.PAYMENTS_SYNC: "payments:write",
    P.REFUNDS_LIST: "payments:read",
    P.REFUNDS_READ: "payments:read",
    P.REFUNDS_REQUEST: "refunds:request",
    P.SELF_READ: None,
    P.TRANSACTIONS_CONFIRM: "payments:write",
    P.TRANSACTIONS_READ: "payments:read",
    P.WALLETS_READ: "payments:read",
}

ALL_SCOPES = (
    "orders:read",
    "orders:write",
    "payments:read",
    "payments:write",
    "refunds:request",
    "disputes:write",
    "escrow:request",
    "payouts:request",
    "withdrawals:request",
    "invoices:read",
    "invoices:write",
    "events:read",
    "webhooks:manage",
)


def permissions_of(role: Role) -> list[Permission]:
    """List what a role may do, in alphabetical order."""
    return [permission for permission in Permission if role in HOLDERS[permission]]
