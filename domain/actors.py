"""Who acts: a person, a merchant's key or a part of the system; what a rule needs to know of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.permissions import HOLDERS, SCOPES, Permission
from core.states import STAFF, Kyc, Role


@dataclass(frozen=True)
class Actor:
    """One principal. kind: `user`, `key` or `system`; scopes only matter for keys.

    livemode: None sees both modes, else only rows of that mode; stepped_up_at: when this very
    session or token last showed a second factor.
    """

    id: str
    kind: str
    role: Role
    name: str
    merchant_id: str | None = None
    kyc: Kyc = Kyc.NONE
    scopes: frozenset[str] = frozenset()
    livemode: bool | None = None
    session_id: str | None = None
    address: str | None = None
    stepped_up_at: datetime | None = None

    @property
    def is_staff(self) -> bool:
        """Staff see every merchant's rows."""
        return self.kind == "system" or self.role in STAFF

    @property
    def is_at_desk(self) -> bool:
        """Only a browser's session acts on the desk; tokens and keys request."""
        return self.kind == "user" and (self.session_id or "").startswith("ses_")

    @property
    def is_guarded_by_kyc(self) -> bool:
        """Buyers, sellers and merchants need an approved KYC to move money."""
        return self.kind != "system" and self.role not in STAFF

    def may(self, permission: Permission) -> bool:
        """Tell whether the role, and for a key its scopes, allow an act."""
        if self.kind == "system":
            return True
        if self.role not in HOLDERS[permission]:
            return False
        if self.kind != "key":
            return True
        return permission in SCOPES and (
            SCOPES[permission] is None or SCOPES[permission] in self.scopes
        )


def system(name: str) -> Actor:
    """Name a part of the system as the actor, such as `worker` or `janitor`."""
    return Actor(id=f"system:{name}", kind="system", role=Role.ENGINEER, name=name)
