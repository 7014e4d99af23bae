"""What else belongs to an entry, such as a rate with its source and date, in words and amounts. No routes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from core.money import Money, asset
from core.strictjson import Json
from dashboard import words
from dashboard.shapes import Fact

# In the order in which they are shown; what is not named here follows as it is written.
_LABELS = {
    "gross": "Gross",
    "fee": "Fee",
    "net": "Net",
    "from": "Exchanged from",
    "to": "Exchanged to",
    "rate": "Rate",
    "rateSource": "Whose rate",
    "rateAt": "Rate of",
    "parts": "Parts of the fee",
    "askedBy": "Asked by",
    "agreedBy": "Agreed by",
    "tolerance": "Tolerance",
    "booking": "The provider's booking",
    "word": "Its word for it",
    "about": "About",
}
_SUMS = ("gross", "fee", "net", "tolerance")
_UNITS = ("asset", "from", "to")
PEOPLE = ("askedBy", "agreedBy")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def facts(details: Mapping[str, Json], names: Mapping[str, str]) -> list[Fact]:
    """Prepare the details of an entry. names: of people, by their ids."""
    ordered = [name for name in _LABELS if name in details]
    ordered += sorted(name for name in details if name not in _LABELS and name != "asset")
    unit = details.get("asset")
    unit = unit if isinstance(unit, str) else None
    return [_fact(name, details[name], unit, names) for name in ordered]


def _fact(name: str, value: Json, unit: str | None, names: Mapping[str, str]) -> Fact:
    label = _LABELS.get(name) or _WORD_START.sub(" ", name).capitalize()
    if name in _SUMS and unit and (minor := _minor(value)) is not None:
        return Fact(label, money=words.money(minor, unit))
    if name == "parts" and unit and isinstance(value, Sequence) and not isinstance(value, str):
        return Fact(label, ", ".join(_part(each, unit) for each in value))
    text = str(words.value(value) or "–")
    if name in PEOPLE:
        return Fact(label, names.get(text, text))
    if name in _UNITS:
        return Fact(label, _code(text))
    if name == "rateSource":
        return Fact(label, words.provider_label(text))
    if name.endswith("At") and (at := _instant(text)) is not None:
        return Fact(label, at=words.moment(at))
    return Fact(label, text)


def _minor(value: Json) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def _part(each: Json, unit: str) -> str:
    if isinstance(each, Sequence) and not isinstance(each, str) and len(each) == 2:
        minor = _minor(each[1])
        if minor is not None:
            amount = words.plain(words.shown(Money(minor, asset(unit))))
            return f"{str(each[0]).replace('_', ' ')} {amount}"
    return str(words.value(each))


def _code(text: str) -> str:
    try:
        return asset(text).code
    except ValueError:
        return text


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
