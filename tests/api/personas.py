"""The people and keys that call the API in tests: Sue, Fin, Ada, Ed, Nil, Mel, Eve, Bo, Sal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from core.permissions import ALL_SCOPES
from core.states import Kyc, Role
from domain.actors import system
from domain.database import transaction
from domain.people import keys, passwords, people, sessions, tokens
from models.people import Merchant, User

PASSWORD = "correct horse battery"
ACTOR = system("test")


@dataclass(frozen=True)
class Persona:
    """One user with a token."""

    id: str
    email: str
    jti: str
    token: str
    merchant_id: str | None

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class KeyHolder:
    """One API key."""

    id: str
    key: str
    merchant_id: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


def user(
    email: str,
    *,
    role: Role = Role.BUYER,
    kyc: Kyc = Kyc.APPROVED,
    merchant_id: str | None = None,
    password: str | None = None,
) -> Persona:
    """Add a user and issue a token to them."""
    wanted = people.NewUser(
        email=email,
        role=role,
        name=email.split("@", 1)[0].capitalize(),
        password=password,
        merchant_id=merchant_id,
        kyc=kyc,
    )
    with transaction() as session:
        made = people.create_user(session, wanted, actor=ACTOR, source="test")
        issued = tokens.issue(made.id, role=made.role, kyc=made.kyc)
        sessions.note_token(session, made, issued.jti, address=None, stepped_up=False)
        return Persona(made.id, email, issued.jti, issued.token, merchant_id)


def merchant(name: str, *, state: str = "approved", kyc: Kyc = Kyc.APPROVED) -> str:
    """Add a merchant; gives its id."""
    with transaction() as session:
        return people.create_merchant(session, name, actor=ACTOR, state=state, kyc=kyc).id


def key(
    merchant_id: str,
    *,
    scopes: tuple[str, ...] = ALL_SCOPES,
    livemode: bool = False,
    name: str = "k",
) -> KeyHolder:
    """Make an API key."""
    with transaction() as session:
        owner = session.get_one(Merchant, merchant_id)
        wanted = keys.NewKey(name=name, livemode=livemode, scopes=scopes)
        made = keys.create_key(session, owner, wanted, actor=ACTOR, source="test")
        return KeyHolder(made.row.id, made.key, merchant_id)


def fresh(person: Persona) -> Persona:
    """Give the same person with a token for which a second factor was just shown."""
    with transaction() as session:
        row = session.get_one(User, person.id)
        issued = tokens.issue(row.id, role=row.role, kyc=row.kyc, stepped_up=True)
        sessions.note_token(session, row, issued.jti, address=None, stepped_up=True)
    return replace(person, jti=issued.jti, token=issued.token)


def change(user_id: str, **values: object) -> None:
    """Change a user's row behind everybody's back."""
    with transaction() as session:
        row = session.get_one(User, user_id)
        for name, value in values.items():
            setattr(row, name, value)


def give_password(user_id: str, password: str = PASSWORD) -> None:
    """Let a user sign in with a password."""
    change(user_id, password_hash=passwords.hashed(password))


@dataclass
class Personas:
    """Everybody, each made when first asked for."""

    made: dict[str, Persona] = field(default_factory=dict)
    merchants: dict[str, str] = field(default_factory=dict)
    keys: dict[str, KeyHolder] = field(default_factory=dict)

    def merchant(self, name: str) -> str:
        if name not in self.merchants:
            self.merchants[name] = merchant(name)
        return self.merchants[name]

    def _user(self, name: str, role: Role, merchant_name: str | None = None) -> Persona:
        if name not in self.made:
            merchant_id = self.merchant(merchant_name) if merchant_name else None
            self.made[name] = user(f"{name}@people.test", role=role, merchant_id=merchant_id)
        return self.made[name]

    def by_role(self, role: Role) -> Persona:
        """Give somebody of a role."""
        owner = "Mel's" if role == Role.MERCHANT else None
        return self._user(f"some-{role.value}", role, owner)

    @property
    def sue(self) -> Persona:
        return self._user("sue", Role.SUPPORT)

    @property
    def fin(self) -> Persona:
        return self._user("fin", Role.FINANCE)

    @property
    def flo(self) -> Persona:
        return self._user("flo", Role.FINANCE)

    @property
    def abe(self) -> Persona:
        return self._user("abe", Role.ADMIN)

    @property
    def ada(self) -> Persona:
        return self._user("ada", Role.ADMIN)

    @property
    def ed(self) -> Persona:
        return self._user("ed", Role.ENGINEER)

    @property
    def ann(self) -> Persona:
        return self._user("ann", Role.AUDITOR)

    @property
    def mel(self) -> Persona:
        return self._user("mel", Role.MERCHANT, "Mel's")

    @property
    def eve(self) -> Persona:
        return self._user("eve", Role.MERCHANT, "Eve's")

    @property
    def bo(self) -> Persona:
        return self._user("bo", Role.BUYER)

    @property
    def sal(self) -> Persona:
        return self._user("sal", Role.SELLER)

    @property
    def mels_key(self) -> KeyHolder:
        if "mel" not in self.keys:
            self.keys["mel"] = key(self.merchant("Mel's"))
        return self.keys["mel"]
