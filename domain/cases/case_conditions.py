"""Conditions of a rule: field, operator, value; read strictly, explained in words, asked exactly."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from core import money
from core.errors import InvalidInput, invalid
from core.hashing import canonical
from core.money import ASSETS, Money
from core.strictjson import Json
from domain.cases.case_facts import CaseFacts
from providers import registry

MOST_CONDITIONS = 5
MOST_NAMES = 20
LONGEST_AGE_HOURS = 24 * 90
_ORDER = ("lt", "lte", "gt", "gte")
_PERCENT = re.compile(r"\d{1,4}(\.\d{1,2})?", re.ASCII)
_HOURS = re.compile(r"\d{1,5}", re.ASCII)
_MERCHANT = re.compile(r"mer_[0-9a-z_]{1,36}", re.ASCII)
Value: TypeAlias = "str | int | list[str] | dict[str, str]"


@dataclass(frozen=True)
class Asked:
    """One field that a condition may ask about. kinds: of cases that have it; empty: all of them."""

    label: str
    shape: str
    ops: Sequence[str]
    kinds: frozenset[str] = frozenset()


FIELDS: Mapping[str, Asked] = {
    "shortfallPercent": Asked(
        "Shortfall in percent", "percent", _ORDER, frozenset({"UNDERPAID", "RECON_DIFFERENCE"})
    ),
    "excessPercent": Asked(
        "Excess in percent", "percent", _ORDER, frozenset({"OVERPAID", "RECON_DIFFERENCE"})
    ),
    "moneyAtRisk": Asked("Money at risk", "money", (*_ORDER, "eq")),
    "currency": Asked("Currency", "currency", ("eq", "in")),
    "provider": Asked("Provider", "provider", ("eq", "in")),
    "rail": Asked("Rail", "rail", ("eq", "in")),
    "merchant": Asked("Merchant", "merchant", ("eq", "in")),
    "ageHours": Asked("Age in hours", "hours", _ORDER),
}
OPS: Mapping[str, str] = {
    "lt": "less than",
    "lte": "at most",
    "gt": "more than",
    "gte": "at least",
    "eq": "exactly",
    "in": "one of",
}


@dataclass(frozen=True)
class Condition:
    """One condition as it is stored: its value has been read and written in one way."""

    field: str
    op: str
    value: Value

    def wire(self) -> dict[str, Json]:
        """Write it as it is stored and answered."""
        value = self.value
        plain: Json = list(value) if isinstance(value, list) else value  # type: ignore[assignment]
        if isinstance(value, dict):
            plain = dict(value)
        return {"field": self.field, "op": self.op, "value": plain}


def read(kind: str, given: Sequence[Mapping[str, object]]) -> tuple[Condition, ...]:
    """Read conditions as somebody sent them; the same ones in any order read the same.

    Raises: InvalidInput naming each condition that cannot be accepted
    """
    if not given:
        raise invalid("condition", "Give at least one condition; a rule is never about all cases.")
    if len(given) > MOST_CONDITIONS:
        raise invalid("condition", f"A rule has at most {MOST_CONDITIONS} conditions.")
    found, wrong = [], []
    for place, each in enumerate(given):
        try:
            found.append(_condition(kind, each, f"condition.{place}"))
        except InvalidInput as error:
            wrong.append(error)
    if wrong:
        raise _together(wrong)
    asked = [(each.field, each.op) for each in found]
    if len(set(asked)) != len(asked):
        raise invalid("condition", "Two conditions ask the same; join them into one.")
    return tuple(sorted(found, key=lambda each: (each.field, each.op)))


def _together(wrong: Sequence[InvalidInput]) -> InvalidInput:
    rows = [row for error in wrong for row in _rows(error)]
    joined = InvalidInput(wrong[0].message if len(rows) == 1 else None)
    joined.details = {"fields": rows}
    return joined


def _rows(error: InvalidInput) -> list[Mapping[str, str]]:
    return error.details.get("fields", [])  # type: ignore[return-value]  # `invalid` wrote it


def stored(conditions: Sequence[Json]) -> tuple[Condition, ...]:
    """Give conditions as the database holds them; they were read when they were written."""
    return tuple(
        Condition(str(each["field"]), str(each["op"]), each["value"])  # type: ignore[arg-type]  # `wire` wrote it
        for each in conditions
        if isinstance(each, dict)
    )


def key(kind: str, conditions: Sequence[Condition]) -> str:
    """Name a kind with its conditions, the same for the same ones."""
    wire = [each.wire() for each in conditions]
    return f"{kind}:{canonical(wire).decode()}"  # type: ignore[arg-type]  # texts and whole numbers only


def _condition(kind: str, given: Mapping[str, object], place: str) -> Condition:
    name, op, value = given.get("field"), given.get("op"), given.get("value")
    asked = FIELDS.get(name) if isinstance(name, str) else None
    if asked is None or not isinstance(name, str):
        raise invalid(f"{place}.field", f"A condition asks about one of {', '.join(FIELDS)}.")
    if asked.kinds and kind not in asked.kinds:
        raise invalid(f"{place}.field", f"Cases of kind {kind} have no {asked.label.lower()}.")
    if not isinstance(op, str) or op not in asked.ops:
        said = ", ".join(asked.ops)
        raise invalid(f"{place}.op", f"{asked.label} is compared with one of {said}.")
    try:
        return Condition(name, op, _value(asked.shape, op, value))
    except ValueError as error:
        raise invalid(f"{place}.value", f"{asked.label}: {error}.") from error


def _value(shape: str, op: str, value: object) -> Value:
    if shape == "percent":
        return _percent(value)
    if shape == "hours":
        return _hours(value)
    if shape == "money":
        return _money(value)
    names = _names(value) if op == "in" else [_name(value)]
    for each in names:
        _assert_known(shape, each)
    written = sorted({_written(shape, each) for each in names})
    return written if op == "in" else written[0]


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("give a plain number")  # noqa: TRY004  # told as a field's error
    return format(value, "f") if isinstance(value, Decimal) else str(value).strip()


def _percent(value: object) -> str:
    text = _text(value).removesuffix("%").strip()
    if not _PERCENT.fullmatch(text):
        raise ValueError("give a percentage such as 3 or 2.5, with at most two decimals")
    found = Decimal(text).normalize()
    if not 0 < found <= 1000:
        raise ValueError("the percentage lies above 0 and not above 1000")
    return f"{found:f}"


def _hours(value: object) -> int:
    text = _text(value)
    if not _HOURS.fullmatch(text) or int(text) > LONGEST_AGE_HOURS:
        raise ValueError(f"give whole hours, at most {LONGEST_AGE_HOURS:,}")
    return int(text)


def _money(value: object) -> dict[str, str]:
    if isinstance(value, str):
        amount, _, code = value.strip().partition(" ")
    elif isinstance(value, Mapping) and set(value) == {"amount", "currency"}:
        amount, code = _text(value["amount"]), str(value["currency"])
    else:
        raise ValueError("give an amount with its currency, such as 5.00 EUR")
    of = ASSETS.get(code.strip().upper())
    if of is None:
        raise ValueError("name the currency, such as 5.00 EUR")
    found = money.parse(amount.strip(), of)
    if found.minor <= 0:
        raise ValueError("the amount is above zero")
    return {"amount": found.major(), "currency": of.code}


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("give a name")
    return value.strip()


def _names(value: object) -> list[str]:
    parts: Sequence[object] = value.split(",") if isinstance(value, str) else ()
    if isinstance(value, list | tuple):
        parts = value
    found = [_name(part) for part in parts if part != ""]
    if not found or len(found) > MOST_NAMES:
        raise ValueError(f"give one to {MOST_NAMES} names")
    return found


def _written(shape: str, name: str) -> str:
    return name.upper() if shape == "currency" else name


def _assert_known(shape: str, name: str) -> None:
    if shape == "currency" and name.upper() not in ASSETS:
        raise ValueError("there is no such currency")
    rails = registry.every()
    if shape == "provider" and name not in (each.name for each in rails):
        raise ValueError("there is no such provider")
    if shape == "rail" and name not in (each.rail for each in rails):
        raise ValueError("there is no such rail")
    if shape == "merchant" and not _MERCHANT.fullmatch(name):
        raise ValueError("give a merchant's id, such as mer_01jd…")


def match(conditions: Sequence[Condition], facts: CaseFacts) -> bool:
    """Tell whether a case meets every condition; what is not known of it never does."""
    return bool(conditions) and all(_meets(each, facts) for each in conditions)


def _meets(condition: Condition, facts: CaseFacts) -> bool:
    if condition.field == "shortfallPercent":
        return _is_share(condition, facts.shortfall, facts.expected)
    if condition.field == "excessPercent":
        return _is_share(condition, facts.excess, facts.expected)
    if condition.field == "moneyAtRisk":
        return _is_amount(condition, facts.at_risk)
    if condition.field == "ageHours":
        return _compares(condition.op, facts.age_seconds, int(str(condition.value)) * 3600)
    names = {
        "currency": facts.at_risk.asset.code if facts.at_risk else None,
        "provider": facts.provider,
        "rail": facts.rail,
        "merchant": facts.merchant_id,
    }
    wanted = condition.value if isinstance(condition.value, list) else [condition.value]
    return names[condition.field] is not None and names[condition.field] in wanted


def _is_share(condition: Condition, part: Money | None, whole: Money | None) -> bool:
    """Compare a share exactly: both sides are multiplied out, so nothing is rounded."""
    if part is None or whole is None or whole.minor <= 0:
        return False
    hundredths = int(Decimal(str(condition.value)) * 100)
    return _compares(condition.op, part.minor * 10_000, hundredths * whole.minor)


def _is_amount(condition: Condition, found: Money | None) -> bool:
    value = condition.value
    if found is None or not isinstance(value, dict) or found.asset.code != value["currency"]:
        return False
    return _compares(condition.op, found.minor, money.parse(value["amount"], found.asset).minor)


def _compares(op: str, left: int, right: int) -> bool:
    return {
        "lt": left < right,
        "lte": left <= right,
        "gt": left > right,
        "gte": left >= right,
        "eq": left == right,
    }[op]


_WORDS: Mapping[str, str] = {
    "shortfallPercent": "the shortfall is {} %",
    "excessPercent": "the excess is {} %",
    "moneyAtRisk": "{} is at risk",
    "currency": "the currency is {}",
    "provider": "the provider is {}",
    "rail": "the rail is {}",
    "merchant": "the merchant is {}",
    "ageHours": "the case is {} hours old",
}


def explain(conditions: Sequence[Condition], names: Mapping[str, str] | None = None) -> str:
    """Say conditions as part of a sentence. names: of merchants, by id."""
    said = [_explained(each, names or {}) for each in conditions]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def _explained(condition: Condition, names: Mapping[str, str]) -> str:
    value = condition.value
    if isinstance(value, dict):
        text = f"{value['amount']} {value['currency']}"
    elif isinstance(value, list):
        text = " or ".join(names.get(each, each) for each in value)
    else:
        text = names.get(str(value), str(value))
    if condition.op not in ("eq", "in"):
        text = f"{OPS[condition.op]} {text}"
    elif isinstance(value, dict):
        text = f"exactly {text}"
    return _WORDS[condition.field].format(text)
