"""Who stands behind accounts: the names of the people and merchants that addresses speak of. No routes."""

from __future__ import annotations

from collections.abc import Iterable

from core import chart
from core.chart import RESERVED
from domain import desk
from domain.actors import Actor
from domain.desk import Session

_PEOPLE = ("buyer", "seller", "user")


def parts_of(address: str) -> dict[str, str]:
    """Read the parts of an address; empty when the chart has no such account."""
    pattern = chart.find(address)
    if pattern is None:
        return {}
    return pattern.parts_of(address.removesuffix(RESERVED)) or {}


def of_accounts(session: Session, addresses: Iterable[str], actor: Actor) -> dict[str, str]:
    """Name the people and merchants of several accounts, by their ids."""
    people: set[str] = set()
    merchants: set[str] = set()
    for address in addresses:
        for part, value in parts_of(address).items():
            if part in _PEOPLE:
                people.add(value)
            if part == "merchant":
                merchants.add(value)
    return desk.names_of(session, sorted(people), actor=actor) | desk.merchants_of(
        session, sorted(merchants)
    )
