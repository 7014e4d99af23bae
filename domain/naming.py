"""Names of actors for people to read: ids stay in the rows, words are made here."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.people import ApiKey, User

_SYSTEM = {
    "worker": "Paydesk (worker)",
    "janitor": "Paydesk (asked the provider)",
    "inbox": "Paydesk (inbox)",
    "configuration": "Paydesk (configuration)",
    "rule": "Paydesk (rule)",
    "reconciliation": "Paydesk (comparison)",
    "operator": "Operator (command line)",
    "freezes": "Paydesk (its time passed)",
    "controls": "Paydesk (its time passed)",
}


def actor_names(session: Session, actor_ids: Iterable[str], *, for_staff: bool) -> dict[str, str]:
    """Give a name for each actor id; who is not staff reads roles instead of names."""
    wanted = set(actor_ids)
    names = {
        actor: _SYSTEM.get(actor.removeprefix("system:"), "Paydesk")
        for actor in wanted
        if actor.startswith("system:")
    }
    people = [actor for actor in wanted if actor.startswith("usr_")]
    if people:
        for user in session.scalars(select(User).where(User.id.in_(people))):
            names[user.id] = (user.name or user.role.capitalize()) if for_staff else user.role
    keys = [actor for actor in wanted if actor.startswith("key_")]
    if keys:
        for key in session.scalars(select(ApiKey).where(ApiKey.id.in_(keys))):
            names[key.id] = f"API key {key.name}" if for_staff else "API key"
    return {actor: names.get(actor, actor) for actor in wanted}
