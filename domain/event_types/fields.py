"""What an event type is made of: fields, and the words and examples that several types share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.strictjson import Json
from domain.events import ALIASES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
AT = "2026-11-21T09:30:00.000Z"
PAYMENT, ORDER, MERCHANT, USER, INBOUND = (
    "pay_01jd7m2c4e0v5d3k8r6t9w1x2y3z",
    "ord_01jd7m2b9a0v5d3k8r6t9w1x2y3z",
    "mer_01jd7kzzzz0v5d3k8r6t9w1x2y3z",
    "usr_01jd7m0aaa0v5d3k8r6t9w1x2y3z",
    "inb_01jd7m2f7g0v5d3k8r6t9w1x2y3z",
)


@dataclass(frozen=True)
class Field:
    """One field of an event. type: as JSON Schema names it; words: the only values it takes."""

    type: str
    example: Json
    meaning: str
    nullable: bool = False
    words: tuple[str, ...] = ()

    def schema(self) -> dict[str, Json]:
        """Write it as JSON Schema."""
        kind: Json = [self.type, "null"] if self.nullable else self.type
        found: dict[str, Json] = {"type": kind, "description": self.meaning}
        if self.words:
            found["enum"] = [*self.words, *([None] if self.nullable else [])]
        return found


@dataclass(frozen=True)
class EventType:
    """One type. about: `payment`, `order`, `staff` or `other`; outbound: also sent to merchants' endpoints."""

    name: str
    meaning: str
    about: str
    status: str | None
    fields: Mapping[str, Field] = field(default_factory=dict)
    outbound: bool = False
    staff: bool = False

    @property
    def alias(self) -> tuple[str, str] | None:
        """The sources' hyphenated name and its own type, which ride along in the frame."""
        return ALIASES.get(self.name)


def text(example: str, meaning: str, *, nullable: bool = False) -> Field:
    """Describe a text."""
    return Field("string", example, meaning, nullable)


def about_staff(
    name: str, meaning: str, status: str | None, fields: Mapping[str, Field]
) -> EventType:
    """Describe a type that only staff see."""
    return EventType(name, meaning, "staff", status, fields, staff=True)


MAJOR = "Decimal text in major units of `currency`."
CURRENCY = {"currency": text("EUR", "ISO 4217 code or token symbol.")}
