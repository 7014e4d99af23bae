"""Who may do what: roles against rights, and who may move money, drawn from the tables that decide it."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response

from core.money_out import APPROVAL_SECONDS, RULES, STEP_UP_SECONDS, Rule, Second
from core.permissions import HOLDERS, Permission
from dashboard import people_words, render
from dashboard.shapes import View
from web import access

routes = Blueprint("desk_roles", __name__)
_SECOND: Mapping[Second, str] = {
    Second.ALWAYS: "Always",
    Second.ABOVE_THRESHOLD: "Above the amount one person may move",
    Second.WHEN_GRANTING: "To make or let in an admin or finance",
}


def _area(permission: Permission) -> str:
    return permission.value.partition(":")[0].replace("_", " ").capitalize()


def _row(permission: Permission) -> View:
    act = permission.value.partition(":")[2].replace("_", " ").capitalize()
    holders = HOLDERS[permission]
    return {
        "words": act,
        "name": permission.value,
        "held": [role in holders for role in people_words.ROLES],
    }


def areas() -> list[View]:
    """Gather the rights by what they are about."""
    found: dict[str, list[View]] = {}
    for permission in Permission:
        found.setdefault(_area(permission), []).append(_row(permission))
    return [{"title": title, "rows": rows} for title, rows in found.items()]


def _holders(*permissions: Permission) -> str:
    """Name the roles that hold all of these."""
    return ", ".join(
        role.value.capitalize()
        for role in people_words.ROLES
        if all(role in HOLDERS[permission] for permission in permissions)
    )


def _rule(rule: Rule) -> View:
    asks = _holders(rule.asks)
    if rule.asks_above is not None:
        asks = (
            f"{asks}; above the amount one person may move: {_holders(rule.asks, rule.asks_above)}"
        )
    return {
        "label": rule.label,
        "asks": asks,
        "second": _SECOND[rule.second],
        "agrees": _holders(rule.agrees),
        "proof": "Both" if rule.asker_steps_up else "The second",
        "freeze": "Yes" if rule.is_held_by_freeze else "No",
    }


@routes.get("/users/roles")
@access.page(Permission.DESK_OPEN, note="the rules themselves, the same for everybody")
def index() -> Response:
    own = render.actor().role
    view: View = {
        "roles": [
            {
                "id": f"role-{role.value}",
                "name": role.value.capitalize(),
                "words": said,
                "own": role == own,
            }
            for role, said in people_words.ROLES.items()
        ],
        "areas": areas(),
        "rules": [_rule(rule) for rule in RULES.values()],
        "proof_minutes": STEP_UP_SECONDS // 60,
        "approval_hours": APPROVAL_SECONDS // 3600,
        "sees_users": render.actor().may(Permission.USERS_ADMINISTER),
    }
    return render.page("users/roles.html", view, live=False)
