"""Which page a whole id opens from the search box, for kinds that are found by their id alone. No routes."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import NotFound
from core.permissions import Permission
from domain.actors import Actor
from domain.cases import case_rules
from domain.control.approval_queries import get_approval
from domain.control.freeze_queries import get_freeze
from domain.desk import Session
from domain.people.people import get_visible_user
from domain.refunds import refund_queries

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
    """Give the page of the one thing that bears this id, or a provider's name of a refund.

    None: there is none that this person may see.
    """
    permission, place, look = _KINDS.get(text[:4], (None, "", None))
    if look is None or permission is None:
        return _refund_at_provider(session, text, actor)
    if not actor.may(permission):
        return None
    try:
        look(session, text, actor)
    except NotFound:
        return None
    return f"{place}{text}"


def _refund_at_provider(session: Session, text: str, actor: Actor) -> str | None:
    if not actor.may(Permission.REFUNDS_LIST):
        return None
    found = refund_queries.named_by_provider(session, text, actor=actor)
    return f"/refunds/{found[0].id}" if len(found) == 1 else None
