"""Every permission, which roles hold it and which key scopes grant it; code asks for permissions, never roles."""

from __future__ import annotations

from enum import StrEnum

from core.states import STAFF, Role


class Permission(StrEnum):
    """`<thing>:<act>`, in alphabetical order."""

    AUDIT_READ = "audit:read"
    DESK_OPEN = "desk:open"
    EVENTS_READ = "events:read"
    EXCEPTIONS_READ = "exceptions:read"
    INBOUND_IGNORE = "inbound:ignore"
    INBOUND_READ = "inbound:read"
    INBOUND_REPLAY = "inbound:replay"
    JOURNAL_READ = "journal:read"
    KEYS_MANAGE = "keys:manage"
    KEYS_READ = "keys:read"
    LEDGER_READ = "ledger:read"
    LEDGER_VERIFICATION = "ledger:verification"
    METRICS_READ = "metrics:read"
    ORDERS_CREATE = "orders:create"
    ORDERS_CANCEL = "orders:cancel"
    ORDERS_READ = "orders:read"
    PAYMENTS_CANCEL = "payments:cancel"
    PAYMENTS_CREATE = "payments:create"
    PAYMENTS_NOTE = "payments:note"
    PAYMENTS_READ = "payments:read"
    PAYMENTS_SUPPORT = "payments:support"
    PAYMENTS_SYNC = "payments:sync"
    SANDBOX_RESET = "sandbox:reset"
    SELF_READ = "self:read"
    STREAM_SELF_TEST = "stream:self_test"
    USERS_READ = "users:read"


P = Permission
EVERYONE = frozenset(Role)
MONEY_STAFF = frozenset({Role.SUPPORT, Role.FINANCE, Role.ADMIN})

HOLDERS: dict[Permission, frozenset[Role]] = {
    P.AUDIT_READ: frozenset({Role.FINANCE, Role.ADMIN, Role.AUDITOR}),
    P.DESK_OPEN: EVERYONE,
    P.EVENTS_READ: EVERYONE,
    P.EXCEPTIONS_READ: STAFF | {Role.MERCHANT},
    P.INBOUND_IGNORE: frozenset({Role.FINANCE, Role.ADMIN, Role.ENGINEER}),
    P.INBOUND_READ: STAFF,
    P.INBOUND_REPLAY: STAFF - {Role.AUDITOR},
    P.JOURNAL_READ: frozenset({Role.FINANCE, Role.ADMIN, Role.AUDITOR, Role.SUPPORT}),
    P.KEYS_MANAGE: frozenset({Role.ADMIN, Role.MERCHANT}),
    P.KEYS_READ: frozenset({Role.ADMIN, Role.MERCHANT, Role.AUDITOR}),
    P.LEDGER_READ: frozenset({Role.FINANCE, Role.ADMIN, Role.AUDITOR, Role.MERCHANT}),
    P.LEDGER_VERIFICATION: frozenset({Role.FINANCE, Role.ADMIN, Role.AUDITOR, Role.ENGINEER}),
    P.METRICS_READ: frozenset({Role.ADMIN, Role.ENGINEER}),
    P.ORDERS_CANCEL: frozenset({Role.BUYER, Role.MERCHANT}) | MONEY_STAFF,
    P.ORDERS_CREATE: frozenset({Role.BUYER, Role.MERCHANT}) | MONEY_STAFF,
    P.ORDERS_READ: EVERYONE,
    P.PAYMENTS_CANCEL: frozenset({Role.BUYER, Role.MERCHANT}) | MONEY_STAFF,
    P.PAYMENTS_CREATE: frozenset({Role.BUYER, Role.MERCHANT}),
    P.PAYMENTS_NOTE: STAFF - {Role.AUDITOR},
    P.PAYMENTS_READ: EVERYONE,
    P.PAYMENTS_SUPPORT: STAFF,
    P.PAYMENTS_SYNC: frozenset({Role.MERCHANT, Role.ENGINEER}) | MONEY_STAFF,
    P.SANDBOX_RESET: frozenset({Role.ADMIN}),
    P.SELF_READ: EVERYONE,
    P.STREAM_SELF_TEST: frozenset({Role.ADMIN, Role.ENGINEER}),
    P.USERS_READ: frozenset({Role.ADMIN, Role.AUDITOR, Role.SUPPORT, Role.FINANCE}),
}

# What an API key's scope lets it do; a permission absent here is not for keys.
SCOPES: dict[Permission, str | None] = {
    P.EVENTS_READ: "events:read",
    P.EXCEPTIONS_READ: "payments:read",
    P.ORDERS_CANCEL: "orders:write",
    P.ORDERS_CREATE: "orders:write",
    P.ORDERS_READ: "orders:read",
    P.PAYMENTS_CANCEL: "payments:write",
    P.PAYMENTS_CREATE: "payments:write",
    P.PAYMENTS_READ: "payments:read",
    P.PAYMENTS_SYNC: "payments:write",
    P.SELF_READ: None,
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
