"""The people of this installation: a live list with filters, and what waits for a second admin."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response

from core.permissions import Permission
from core.states import STAFF
from dashboard import listing, people_words, render, words
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Act, Empty, View
from domain import desk
from domain.actors import Actor
from domain.database import reading
from domain.people import people, people_queries
from domain.people.people import UserFilter
from domain.people.people_queries import Waiting
from models.people import User
from web import access

routes = Blueprint("desk_users", __name__)
NAMES = ("q", "state", "role", "kyc", "factor")
TABS: Mapping[str, str] = {"": "Everybody", "active": "Active", "disabled": "Disabled"}
ROLES: Mapping[str, str] = {"": "Any", "staff": "Staff"} | dict(people_words.ROLE_CHOICES)
FACTORS: Mapping[str, str] = {"": "Any", "yes": "Set up", "no": "Not set up"}
_BAR = BarWords("Filter people", "Search people", "Whole e-mail or id, or a part of the name")


def wanted_of(asked: Asked) -> UserFilter:
    """Read what the address wants to see."""
    role, state = asked.one_of("role", list(ROLES)), asked.one_of("state", list(TABS))
    kyc, factor = asked.one_of("kyc", list(people_words.KYC_CHOICES)), asked.get("factor")
    staff = tuple(sorted(each.value for each in STAFF))
    return UserFilter(
        roles=staff if role == "staff" else (role,) if role else (),
        kyc=(kyc,) if kyc else (),
        states=(state,) if state else (),
        q=asked.get("q") or None,
        has_factor={"yes": True, "no": False}.get(factor),
    )


def row_view(user: User, *, has_passkey: bool, merchant: str | None) -> View:
    """Prepare one row."""
    state = people_words.state_of(user)
    factor = people_words.factor_of(user, has_passkey=has_passkey)
    email = people.email_of(user)
    return {
        "id": user.id,
        "version": listing.version(user.role, user.kyc, state.word, factor.word),
        "href": f"/users/{user.id}",
        "title": user.name or email,
        "sub": email if user.name and email else words.short(user.id),
        "state": state,
        "role": user.role.capitalize(),
        "merchant": merchant,
        "factor": factor,
        "kyc": None if people_words.is_staff(user) else people_words.KYC[user.kyc],
        "seen": words.moment(user.seen_at) if user.seen_at else None,
        "demo": user.demo,
    }


def rows_view(asked: Asked) -> View:
    """Prepare the rows of a page of the list with its foot, and what waits."""
    with reading() as session:
        page = listing.page_of(asked)
        found, more = people_queries.list_page(session, wanted_of(asked), page=page)
        keys = people_queries.with_passkeys(session, [user.id for user in found])
        merchants = desk.merchants_of(session, [user.merchant_id for user in found])
        waiting = people_queries.waiting(session)
        rows = [
            row_view(
                user, has_passkey=user.id in keys, merchant=merchants.get(user.merchant_id or "")
            )
            for user in found
        ]
    return {
        "rows": rows,
        "waiting": [waiting_view(each) for each in waiting],
        "rows_url": asked.href("/users/rows"),
        "page": listing.pages(asked, len(rows), more),
        "empty_note": _EMPTY,
    }


_EMPTY = Empty(
    "Nobody matches these filters",
    "Clear them, or paste a whole address or id: an address is found only when it is complete.",
    "search",
    href="/users",
    label="Clear all filters",
)


def waiting_view(each: Waiting) -> View:
    """Prepare one request that waits for a second admin."""
    row = each.row
    return {
        "id": row.id,
        "text": row.text,
        "email": each.email,
        "href": f"/approvals/{row.id}",
        "asked": words.moment(row.requested_at),
        "ends": words.moment(row.expires_at),
    }


def why_not(actor: Actor) -> str | None:
    """Say why somebody may look at people but change nothing about them; None: they may."""
    return None if actor.may(Permission.USERS_APPROVE) else "Your role reads only."


@routes.get("/users")
@access.page(Permission.USERS_ADMINISTER)
def index() -> Response:
    asked, actor = listing.read("/users", NAMES), render.actor()
    kyc = {"": "Any"} | dict(people_words.KYC_CHOICES)
    inputs = [
        listing.select(asked, "role", "Role", ROLES),
        listing.select(asked, "kyc", "Verification", kyc),
        listing.select(asked, "factor", "Second factor", FACTORS),
    ]
    reason = why_not(actor)
    acts = [
        Act("roles", "Who may do what", "/users/roles", icon="shield"),
        Act("invite", "Invite", "/users/invite", reason is None, reason, tone="primary"),
    ]
    view = rows_view(asked) | {
        "lead": "Whoever can sign in here, and those who were invited.",
        "acts": acts,
        "tabs_items": listing.tabs(asked, TABS, {}),
        "bar": listing.bar(asked, _BAR, inputs),
    }
    return render.page("users/index.html", view)


@routes.get("/users/rows")
@access.page(Permission.USERS_ADMINISTER)
def rows() -> Response:
    asked = listing.read("/users", NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    return render.part("users/_rows.html", rows_view(asked))
