"""How people read on the desk: their state, role, second factor; what a role may do in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from core.permissions import Permission, permissions_of
from core.states import STAFF, Kyc, Person, Role
from dashboard.shapes import State
from models.people import User

STATE: Mapping[str, State] = {
    "active": State("Active", "done", "good"),
    "locked": State("Locked", "hold", "warn"),
    "disabled": State("Disabled", "cancelled", "quiet", "Cannot sign in"),
}
_INVITED = State("Invited", "open", "info", "Has not set a password yet")
KYC: Mapping[str, State] = {
    "none": State("Not begun", "dotted", "quiet"),
    "pending": State("Being looked at", "half", "info"),
    "approved": State("Approved", "done", "good"),
    "rejected": State("Rejected", "failed", "bad"),
}
FACTOR_SET = State("Set up", "shield", "good")
FACTOR_NONE = State("None", "dotted", "quiet", "Asked for at the first guarded act")
FACTOR_GIVEN = State("Handed out", "half", "info", "Given by the sandbox, not set up by the person")
_ERASED = State("Erased", "dotted", "quiet", "Nothing names them any more; the id stays")
ROLES: Mapping[Role, str] = {
    Role.ADMIN: "People, keys and secrets; agrees to what others ask for.",
    Role.FINANCE: "Money: refunds, marking, books, approvals, freezes.",
    Role.SUPPORT: "Helps payers: looks, notes, small refunds asked for.",
    Role.ENGINEER: "Webhooks, replays, probes; may freeze.",
    Role.AUDITOR: "Reads everything, changes nothing.",
    Role.MERCHANT: "Sees and works on the payments of one merchant.",
    Role.SELLER: "Sees their own sales.",
    Role.BUYER: "Pays; sees their own orders.",
}
ROLE_CHOICES: Mapping[str, str] = {role.value: role.value.capitalize() for role in ROLES}
KYC_CHOICES: Mapping[str, str] = {kyc.value: KYC[kyc.value].word for kyc in Kyc}


def state_of(user: User) -> State:
    """Show whether somebody may come in, and whether they ever could."""
    if user.erased_at is not None:
        return _ERASED
    if user.state == Person.ACTIVE and user.password_hash is None:
        return _INVITED
    return STATE[user.state]


def factor_of(user: User, *, has_passkey: bool) -> State:
    """Show whether somebody set up a second factor."""
    if has_passkey or (user.totp_sealed is not None and user.totp_confirmed_at is not None):
        return FACTOR_SET
    return FACTOR_GIVEN if user.totp_sealed is not None else FACTOR_NONE


def is_staff(user: User) -> bool:
    """Tell whether somebody belongs to the staff."""
    return user.role in STAFF


def difference(old: Role, new: Role) -> tuple[list[str], list[str]]:
    """Give what somebody may do more and what no more in another role, in words."""
    before, after = set(permissions_of(old)), set(permissions_of(new))
    return _said(after - before), _said(before - after)


def _said(found: set[Permission]) -> list[str]:
    return [permission_words(each) for each in Permission if each in found]


def permission_words(permission: Permission) -> str:
    """Say a permission: `exceptions:resolve` is "Exceptions: resolve"."""
    thing, _, act = permission.value.partition(":")
    return f"{thing.capitalize()}: {act.replace('_', ' ')}"
