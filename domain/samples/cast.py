"""The merchants, buyers and sellers of sample data; nobody can sign in as them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.states import Kyc, Role
from domain.people import people
from domain.samples.bulk import Sheaf
from domain.samples.dice import Dice, Namer
from domain.secrets import keyring
from models.people import Merchant, User

_MERCHANTS = (
    "Alder Furniture",
    "Birch Kitchens",
    "Cobalt Cycles",
    "Dune Travel",
    "Elm Interiors",
    "Fjord Outdoor",
    "Garnet Jewellery",
    "Harbour Boats",
    "Iris Flowers",
    "Juniper Events",
    "Kestrel Cameras",
    "Linden Pianos",
)
_FIRST = "Ada Ben Cleo Dan Elif Finn Gia Hugo Ines Jan Kira Liam Mira Noa Ole Pia Rui Sami Tara Uma"
_LAST = (
    "Abbott Becker Costa Dubois Eriksen Fischer Garcia Hughes Ito Jansen Kaya Lopez Moreau Novak"
    " Olsen Petrov Quinn Rossi Silva Tanaka Ueda Varga Weber Young Zhang"
)
PAYMENTS_PER_BUYER = 20
SELLERS = 120


@dataclass(frozen=True)
class Cast:
    """Ids of those who take part."""

    merchants: list[str]
    buyers: list[str]
    sellers: list[str]


def assemble(session: Session, sheaf: Sheaf, *, namer: Namer, since: datetime) -> Cast:
    """Take the sample merchants, made at the first load, with nobody around them yet.

    Writes: merchants, through the sheaf. Transaction: caller's.
    """
    rows = session.execute(select(Merchant.slug, Merchant.id))
    known = {row.slug: row.id for row in rows}
    ids = []
    for name in _MERCHANTS:
        slug = f"demo-{people.slug_of(name)}"
        if slug not in known:
            known[slug] = namer.at("mer", since)
            sheaf.add(Merchant, _merchant(known[slug], name, slug, since))
        ids.append(known[slug])
    return Cast(merchants=ids, buyers=[], sellers=[])


def _merchant(merchant_id: str, name: str, slug: str, since: datetime) -> dict[str, object]:
    return {
        "id": merchant_id,
        "name": name,
        "slug": slug,
        "state": "approved",
        "kyc": Kyc.APPROVED.value,
        "is_house": False,
        "created_at": since,
    }


def add_person(
    sheaf: Sheaf, role: Role, number: int, *, dice: Dice, namer: Namer, since: datetime
) -> str:
    """Add one buyer or seller. Gives the id.

    Writes: users, through the sheaf.
    """
    user_id = namer.at("usr", since)
    name = f"{dice.pick(_FIRST.split())} {dice.pick(_LAST.split())}"
    local = f"{name.lower().replace(' ', '.')}.{number}.{namer.chance(6)}"
    email = f"{local}@sample.example"
    row: dict[str, object] = {
        "id": user_id,
        "email_sealed": keyring.seal_text(email, purpose="email", place=f"users|email|{user_id}"),
        "email_index": people.email_index(email),
        "name": name,
        "role": role.value,
        "kyc": Kyc.APPROVED.value,
        "state": "active",
        "demo": True,
        "created_at": since,
    }
    sheaf.add(User, row)
    return user_id
