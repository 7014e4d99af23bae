"""What a text may mean among accounts: an address or its beginning, an id, a name of somebody, words of the chart."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.chart import CHART, Pattern
from domain import audit_actors
from domain.books.chart_sums import Named
from models.orders import Order
from models.people import Merchant

_PART = re.compile(r"\{(\w+)\}")
_ONE_WORD = re.compile(r"[A-Za-z0-9_.\-]+", re.ASCII)
_PEOPLE = ("buyer", "seller", "user")
_MOST_NAMES = 50


def meaning(session: Session, text: str) -> Named:
    """Say which accounts a text may mean. Transaction: caller's, reads only."""
    text = text.strip()
    if ":" in text:
        return Named(prefix=text)
    addresses = [*_bearing([text])] if _ONE_WORD.fullmatch(text) else []
    addresses += _bearing(_merchants(session, text), ("merchant",))
    addresses += _bearing(_people(session, text), _PEOPLE)
    addresses += _bearing(_orders(session, text), ("order",))
    return Named(addresses, _lines(text))


def _bearing(names: Iterable[str], parts: tuple[str, ...] | None = None) -> list[str]:
    """Fill names into every address that has such a part; None: into any part."""
    found = []
    for pattern in CHART:
        part = _PART.search(pattern.template)
        if part is not None and (parts is None or part[1] in parts):
            found += [pattern.at(**{part[1]: name}) for name in names]
    return found


def _lines(text: str) -> list[Pattern]:
    words = text.lower()
    return [each for each in CHART if words in _PART.sub("", each.label).lower()]


def _merchants(session: Session, text: str) -> list[str]:
    named = func.lower(Merchant.name).contains(text.lower(), autoescape=True)
    statement = select(Merchant.id).where(named).order_by(Merchant.id).limit(_MOST_NAMES)
    return list(session.scalars(statement))


def _people(session: Session, text: str) -> list[str]:
    return [each for each in audit_actors.find(session, text) if each.startswith("usr_")]


def _orders(session: Session, text: str) -> list[str]:
    statement = select(Order.id).where(Order.reference == text).order_by(Order.id)
    return list(session.scalars(statement.limit(_MOST_NAMES)))
