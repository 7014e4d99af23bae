"""The frame around each page of the desk: navigation by permission, environment, person, banners."""

from __future__ import annotations

from dataclasses import dataclass, replace

from config import Settings
from core.permissions import Permission
from dashboard import banner_words
from dashboard.shapes import View
from dashboard.words import initials
from domain import desk, desk_queries
from domain.actors import Actor
from domain.database import reading
from domain.desk_queries import Attention
from providers import registry


@dataclass(frozen=True)
class Badge:
    """A number beside a link of the navigation."""

    text: str
    tone: str
    note: str


@dataclass(frozen=True)
class Item:
    """One link of the navigation. heading: opens a group; key: what follows `g` on the keyboard."""

    label: str
    href: str
    icon: str
    current: bool = False
    key: str | None = None
    heading: str | None = None
    badge: Badge | None = None


@dataclass(frozen=True)
class Environment:
    """Which money this is. kind: sandbox, test or live."""

    kind: str
    word: str
    text: str


_PLACES = (
    ("Home", "/", "home", "h", Permission.DESK_OPEN),
    ("Payments", "/payments", "payments", "p", Permission.PAYMENTS_READ),
    ("Orders", "/orders", "orders", "o", Permission.ORDERS_READ),
    ("Webhooks", "/webhooks", "webhooks", "w", Permission.INBOUND_READ),
    ("Exceptions", "/exceptions", "exceptions", "e", Permission.EXCEPTIONS_READ),
    ("Approvals", "/approvals", "approvals", "a", Permission.APPROVALS_READ),
    ("Refunds", "/refunds", "undo", "r", Permission.REFUNDS_LIST),
    ("Disputes", "/disputes", "flag", "d", Permission.DISPUTES_READ),
)
_BOOKS = (
    ("Invoices", "/invoices", "file", "i", Permission.INVOICES_STATUS),
    ("Ledger", "/ledger", "book", "l", Permission.LEDGER_TOTALS),
    ("Journal", "/journal", "ledger", "j", Permission.JOURNAL_READ),
    ("Reconciliation", "/reconciliation", "refresh", "n", Permission.RECONCILIATION_READ),
    ("Periods", "/periods", "calendar", "m", Permission.PERIODS_READ),
    ("Bank desk", "/bank", "inbox", "c", Permission.BANK_SEARCH),
    ("Bank payouts", "/reconciliation/payouts", "bank", "b", Permission.RECONCILIATION_READ),
    ("Watch", "/watch", "eye", "v", Permission.LEDGER_VERIFICATION),
)
# Who may do what, and what holds money.
_CONTROL = (
    ("Providers", "/providers", "plug", "x", Permission.NOTICES_READ),
    ("Freezes", "/freezes", "freeze", "f", Permission.CONTROLS_READ),
    ("Secrets", "/secrets", "key", "s", Permission.SECRETS_READ),
    ("Users", "/users", "person", "u", Permission.USERS_ADMINISTER),
    ("Retention", "/retention", "hourglass", "k", Permission.USERS_ADMINISTER),
    ("Audit", "/audit", "list", "t", Permission.AUDIT_READ),
)


def has_stand_ins() -> bool:
    """Whether nobody who moves money answers for any rail."""
    return all(rail.is_stand_in for rail in registry.every() if rail.is_configured)


def environment(settings: Settings) -> Environment:
    """Say which money this installation moves."""
    if settings.is_production and any(each.mode == "live" for each in registry.every()):
        return Environment("live", "Live", "Real money.")
    if settings.is_sandbox:
        stand_in, own = "Stand-ins answer for the providers.", "The providers' own test modes."
        text = stand_in if has_stand_ins() else own
        return Environment("sandbox", "Sandbox", f"{text} No real money moves.")
    return Environment("test", "Test", "Providers run in test mode. No real money moves.")


def navigation(actor: Actor, attention: Attention, *, path: str) -> list[Item]:
    """List the pages that a person's role may open."""
    badges = _badges(attention)
    items = [
        Item(label, href, icon, _is_current(href, path), key, heading, badges.get(href))
        for places, heading in ((_PLACES, None), (_BOOKS, "Books"), (_CONTROL, "Control"))
        for label, href, icon, key, permission in places
        if actor.may(permission)
    ]
    return [
        *_headed_once(items),
        Item("API reference", "/api/docs", "docs", heading="Reference"),
        Item("System status", "/status", "status"),
    ]


def _headed_once(items: list[Item]) -> list[Item]:
    """Keep a group's heading at its first link only."""
    return [
        replace(item, heading=None) if place and item.heading == items[place - 1].heading else item
        for place, item in enumerate(items)
    ]


def _badges(attention: Attention) -> dict[str, Badge]:
    found = {}
    if attention.broken_events:
        words = "Events that are dead or quarantined"
        found["/webhooks"] = Badge(desk.capped(attention.broken_events), "bad", words)
    if attention.open_cases:
        found["/exceptions"] = Badge(desk.capped(attention.open_cases), "warn", "Open cases")
    if attention.broken_rules:
        words = "Rules of the books that are broken"
        found["/watch"] = Badge(desk.capped(attention.broken_rules), "bad", words)
    if (waiting := approvals_badge(attention.approvals)) is not None:
        found["/approvals"] = waiting
    return found


def approvals_badge(number: int) -> Badge | None:
    """Say how many approvals wait for this person; it keeps itself up to date."""
    return Badge(desk.capped(number), "warn", "Needs your approval") if number else None


def _is_current(href: str, path: str) -> bool:
    if href == "/reconciliation" and path.startswith("/reconciliation/payouts"):
        # It has a link of its own.
        return False
    return path == href if href == "/" else path == href or path.startswith(f"{href}/")


def frame(actor: Actor, settings: Settings, *, path: str) -> View:
    """Prepare what the layout prints around a page."""
    with reading() as session:
        attention = desk_queries.attention(session, actor=actor)
        email = desk.email_of(session, actor.id)
        above = banner_words.banners(session, actor, has_worker=attention.is_worker_alive)
    return {
        "nav": navigation(actor, attention, path=path),
        "environment": environment(settings),
        "user": {
            "name": actor.name,
            "email": email,
            "initials": initials(actor.name),
            "role": actor.role.value.capitalize(),
        },
        "banners": above,
        "q": None,
    }
