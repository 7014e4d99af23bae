"""One person: who they are, where they are signed in, what waits, what was done; and what may be done."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response

from core.permissions import Permission
from core.states import Person, Role
from dashboard import people_words, person_cards, render, users, wallet_words, words
from dashboard.account import browser_words
from dashboard.shapes import Act, Fact, View
from domain import desk, naming
from domain.actors import Actor
from domain.audit_reading import Entry
from domain.database import reading
from domain.desk import Session
from domain.mail import mails
from domain.people import erasure_outlook, people, people_queries, sessions
from models.people import DeskSession, User
from models.proofs import Mail
from web import access

routes = Blueprint("desk_user", __name__)
MOST_AUDIT = 12
_OWN = "This is an account of your own; another admin does it."
_WAITS = "A change waits for a second admin already."
_CLOSED = "The account is closed. Enable it first."
_UNSENT = "SMTP_URL is not set. The operator prints a link with `flask user link`."
_LAST = "This is the last admin. Make somebody else admin first."
# What is done, its short word, and what it means.
_ROLE = ("Change the role", "Change", "Shows what they may do more, and what no more.")
_NAME = ("Change the name", "Change", "How the desk calls them.")
_KYC = ("Set the verification", "Set", "Only approved may move money.")
_INVITE = ("Send the invitation again", "Send", "A new link for three days; the one before ends.")
_LINK = ("Send a reset link", "Send", "For half an hour; with it they choose a new password.")
_FACTOR = ("Reset the second factor", "Reset", "For somebody who lost theirs; ends their sessions.")
_DISABLE = ("Disable", "Disable", "They cannot sign in any more; where they are signed in ends.")
_ERASE = ("Erase", "Erase", "Shows first what goes, what stays and until when; cannot be undone.")
_COPY = ("Copy their data", "Copy", "All that is held about them, for somebody who asks for it.")
_ENABLE = ("Enable", "Enable", "They may sign in again.")


def head(user: User) -> View:
    """Prepare the head of the page."""
    return {
        "id": user.id,
        "name": user.name or people.email_of(user),
        "role": user.role.capitalize(),
        "role_words": people_words.ROLES[Role(user.role)],
        "state": people_words.state_of(user),
        "ref": words.ref("user id", user.id),
        "href": f"/users/{user.id}",
        "demo": user.demo,
    }


def _mail_note(row: Mail | None) -> list[Fact]:
    if row is None:
        return []
    name = "Invitation" if row.kind == "invite" else "Reset link"
    said = {
        "pending": "on its way",
        "failed": f"not sent yet, is tried again ({row.last_error})",
        "sent": "printed by the worker" if mails.outlet() == mails.Outlet.CONSOLE else "sent",
        "dead": f"not sent: {row.last_error}",
    }[row.state]
    return [Fact("Last letter", f"{name}, {said}", note=words.relative(row.created_at))]


def facts(session: Session, user: User, *, has_passkey: bool) -> list[Fact]:
    """List who somebody is."""
    merchants = desk.merchants_of(session, [user.merchant_id])
    found = [
        Fact("E-mail", people.email_of(user) or "Erased"),
        Fact("Role", user.role.capitalize(), href=f"/users/roles#role-{user.role}"),
        Fact("State", state=people_words.state_of(user)),
    ]
    if user.merchant_id is not None:
        found.append(Fact("Merchant", merchants.get(user.merchant_id, user.merchant_id)))
    if not people_words.is_staff(user):
        found.append(Fact("Verification", state=people_words.KYC[user.kyc]))
    if user.erasure_asked_at is not None:
        found.append(Fact("Asked to be erased", at=words.moment(user.erasure_asked_at)))
    if user.erased_at is not None:
        return [*found, Fact("Erased", at=words.moment(user.erased_at))]
    factor = people_words.factor_of(user, has_passkey=has_passkey)
    found += [Fact("Second factor", state=factor), Fact("Since", at=words.moment(user.created_at))]
    if user.password_set_at is not None:
        found.append(Fact("Password set", at=words.moment(user.password_set_at)))
    seen = Fact("Last seen", at=words.moment(user.seen_at)) if user.seen_at else None
    found.append(seen or Fact("Last seen", "Never"))
    return found + _mail_note(mails.newest_to(session, user.id))


def why_not(session: Session, user: User, actor: Actor) -> str | None:
    """Say why nothing about somebody's rights may be changed by this person; None: it may."""
    if (reason := users.why_not(actor)) is not None:
        return reason
    own = people.person_index_of(user) == people.person_of(session, actor)
    return _OWN if own else None


@dataclass(frozen=True)
class _Why:
    """What stands in the way: reading only, or one's own account; and of single acts."""

    reads: str | None
    own: str | None
    waits: str | None
    closed: str | None
    last: str | None
    no_factor: str | None


def _why(session: Session, user: User, actor: Actor, *, has_factor: bool) -> _Why:
    waiting = people_queries.waiting(session, user_id=user.id)
    return _Why(
        reads=users.why_not(actor),
        own=why_not(session, user, actor),
        waits=_WAITS if any(each.row.object_id == user.id for each in waiting) else None,
        closed=_why_no_link(user),
        last=_LAST if people_queries.is_last_admin(session, user) else None,
        no_factor=None if has_factor else "No second factor is there to be reset.",
    )


def _why_no_link(user: User) -> str | None:
    """Say why no link can be sent: nobody may come in by it, or nothing brings it to a member of the staff."""
    if user.state != Person.ACTIVE:
        return _CLOSED
    is_unsent = render.settings().is_production and mails.outlet() == mails.Outlet.NONE
    return _UNSENT if is_unsent and people_words.is_staff(user) else None


def _act(user: User, name: str, said: tuple[str, str, str], *, reason: str | None) -> Act:
    label, verb, text = said
    tone = "danger" if name in ("disable", "erase") else "plain"
    href = f"/users/{user.id}/{name}"
    return Act(name, label, href, reason is None, reason, text=text, verb=verb, tone=tone)


def acts(session: Session, user: User, actor: Actor, *, has_factor: bool) -> list[Act]:
    """Offer what may be done about somebody, with the reason where it may not."""
    why = _why(session, user, actor, has_factor=has_factor)
    if user.erased_at is not None:
        return []
    offered = [
        ("role", _ROLE, why.own or why.last or why.waits),
        ("name", _NAME, why.reads),
        ("kyc", _KYC, why.own),
        ("link", _LINK if user.password_hash else _INVITE, why.own or why.closed),
        ("second-factor", _FACTOR, why.own or why.no_factor),
    ]
    if user.state == Person.ACTIVE:
        offered.append(("disable", _DISABLE, why.own or why.last))
    else:
        offered.append(("enable", _ENABLE, why.own or why.waits))
    offered.append(("data-export", _COPY, why.reads))
    offered.append(("erase", _ERASE, why.own or why.last or _in_the_way(session, user)))
    is_staff = people_words.is_staff(user)
    return [
        _act(user, name, said, reason=reason)
        for name, said, reason in offered
        if not (name == "kyc" and is_staff)
    ]


def _in_the_way(session: Session, user: User) -> str | None:
    found = erasure_outlook.blocks(session, user)
    return found[0].said if found else None


def session_view(row: DeskSession, user: User, actor: Actor) -> View:
    """Prepare one place where somebody is signed in."""
    is_token, reason = sessions.kind_of(row.id) == "jwt", users.why_not(actor)
    label, href = ("End token" if is_token else "Sign out"), f"/users/{user.id}/sessions/end"
    fields = {"session": row.id}
    end = Act(row.id, label, href, reason is None, reason, method="post", fields=fields)
    return {
        "id": row.id,
        "kind": sessions.kind_of(row.id),
        "browser": "API token" if is_token else browser_words(row.browser),
        "address": row.address or "address not known",
        "created": words.moment(row.created_at),
        "seen": words.moment(row.seen_at),
        "current": row.id == actor.session_id,
        "act": None if row.id == actor.session_id else end,
    }


def entry_view(entry: Entry, names: dict[str, str]) -> View:
    """Prepare one line of the audit log."""
    row = entry.row
    after = ", ".join(f"{key} {words.value(each)}" for key, each in row.after.items() if each)
    return {
        "id": row.id,
        "action": words.sentence(row.action.replace(".", ": ").replace("_", " ")).rstrip("."),
        "refused": row.refused,
        "after": after if row.action == "user.change" else None,
        "reason": row.reason,
        "actor": words.person(row.actor, names),
        "at": words.moment(row.at),
    }


def body(session: Session, user: User, actor: Actor) -> View:
    """Prepare everything below the head."""
    has_passkey = bool(people_queries.with_passkeys(session, [user.id]))
    entries = people_queries.audit_about(session, user.id, limit=MOST_AUDIT)
    names = naming.actor_names(session, [each.row.actor for each in entries], for_staff=True)
    live = sessions.list_sessions(session, user.id)
    reason = users.why_not(actor) or (None if live else "They are signed in nowhere.")
    end_all = f"/users/{user.id}/sessions/end"
    has_factor = has_passkey or user.totp_sealed is not None
    return {
        "person": head(user),
        "facts": facts(session, user, has_passkey=has_passkey),
        "acts": acts(session, user, actor, has_factor=has_factor),
        "sessions": [session_view(row, user, actor) for row in live],
        "end_all": Act("end-all", "Sign out everywhere", end_all, reason is None, reason, "post"),
        "waiting": [
            users.waiting_view(each) for each in people_queries.waiting(session, user_id=user.id)
        ],
        "entries": [entry_view(each, names) for each in entries],
        "audit_href": f"/audit?object={user.id}",
        "wallet": _wallet(session, user, actor),
        "cards": None
        if people_words.is_staff(user)
        else person_cards.view(session, user.id, actor),
    }


def _wallet(session: Session, user: User, actor: Actor) -> View | None:
    """Prepare what a payer may spend; the staff have no wallets."""
    if people_words.is_staff(user):
        return None
    sums = wallet_words.sums(session, user.id, actor)
    return {"sums": sums, "href": wallet_words.href(user.id)}


@routes.get("/users/<user_id>")
@access.page(Permission.USERS_ADMINISTER)
def show(user_id: str) -> Response:
    with reading() as session:
        view = body(session, people.get_user(session, user_id), render.actor())
    return render.page("users/show.html", view)


@routes.get("/users/<user_id>/body")
@access.page(Permission.USERS_ADMINISTER)
def part(user_id: str) -> Response:
    with reading() as session:
        view = body(session, people.get_user(session, user_id), render.actor())
    return render.fragment("users/_body.html", view, page_href=f"/users/{user_id}")
