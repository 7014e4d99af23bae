"""The bases and field types of the API's records: strict, camelCase, money read from its text."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from core import money
from core.errors import invalid
from core.money import Asset, Money
from core.strictjson import Json

LONGEST_TEXT = 4096
_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


class _Record(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
        frozen=True,
    )


class In(_Record):
    """A body that comes in: no unknown field, no coercion."""

    model_config = ConfigDict(strict=True, validate_by_name=False)


class Query(_Record):
    """The query of a GET: every parameter a text, read as its field's type."""

    model_config = ConfigDict(strict=False, validate_by_name=False, coerce_numbers_to_str=False)


class Out(_Record):
    """A body that goes out; documents it, and in tests every answer is held against it."""

    model_config = ConfigDict(strict=False)


def _instant(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("must be an RFC 3339 time with its offset, such as 2026-11-21T09:30:00Z")
    return datetime.fromisoformat(value.upper().replace(" ", "T")).astimezone(UTC)


def _several(value: object) -> object:
    if isinstance(value, str):
        return tuple(part for part in (each.strip() for each in value.split(",")) if part)
    return value


Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Text = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_TEXT, strip_whitespace=True)
]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,255}$")]
# In a query: several values by comma.
Several = Annotated[
    tuple[str, ...],
    BeforeValidator(_several),
    WithJsonSchema({"type": "string", "description": "One value, or several by comma."}),
]
Metadata = Annotated[dict[str, str], Field(max_length=50)]


def _amount_text(value: object) -> str:
    if isinstance(value, bool):
        raise ValueError("must be a decimal text or a number")  # noqa: TRY004  # pydantic's way
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        # 1e-7 is a plain number in another spelling; 1e999 must never be written out.
        if isinstance(exponent, int) and abs(exponent) <= 18:
            return f"{value:f}"
    if isinstance(value, str):
        return value
    raise ValueError("must be a decimal text or a number")


class MoneyIn(In):
    """An amount as it comes in: `{"amount": "125.00", "currency": "EUR"}`, or bare, in the currency of
    the order it belongs to. `amount` is the text of the JSON string or number, never a float's.
    """

    amount: str = Field(
        max_length=40,
        json_schema_extra={
            "examples": ["125.00"],
            "anyOf": [{"type": "string"}, {"type": "number"}],
        },
    )
    currency: str | None = Field(
        default=None, max_length=16, json_schema_extra={"examples": ["EUR"]}
    )

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: object) -> object:
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            return {"amount": value}
        return value

    @field_validator("amount", mode="before")
    @classmethod
    def _text(cls, value: object) -> str:
        return _amount_text(value)

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.currency is not None:
            self._positive(money.asset(self.currency))
        return self

    def _positive(self, of: Asset) -> Money:
        found = money.parse(self.amount, of)
        if found.minor <= 0:
            raise ValueError("must be more than zero")
        return found

    def money(self, *, default: Asset | None = None, field: str = "amount") -> Money:
        """Read the amount. default: the asset of the order, for a bare amount; field: named when refused.

        Raises: InvalidInput
        """
        of = money.asset(self.currency) if self.currency else default
        if of is None:
            raise invalid(field, "Say the currency too.", code="currency_missing")
        if default is not None and of != default:
            raise invalid(field, f"The currency must be {default.code}.", code="currency_differs")
        try:
            return self._positive(of)
        except ValueError as error:
            raise invalid(field, f"The amount {error}.") from error


class MoneyOut(Out):
    """An amount as it goes out: major units, exactly the asset's scale."""

    amount: str = Field(json_schema_extra={"examples": ["125.00"]})
    currency: str = Field(json_schema_extra={"examples": ["EUR"]})


def money_out(amount: Money) -> dict[str, Json]:
    """Write an amount for an answer."""
    return {"amount": amount.major(), "currency": amount.asset.code}


class Pending(Out):
    """What is said when a person must approve first."""

    model_config = ConfigDict(extra="allow")

    status: Literal["pending_approval"]
    approval_id: str
    approval_expires_at: str


class ErrorField(Out):
    """One field that cannot be accepted."""

    field: str
    code: str
    message: str


class ErrorProvider(Out):
    """Where support finds the same fact at the provider."""

    reference: str | None
    code: str | None


class ErrorBody(Out):
    """What went wrong, for a program (`code`) and for a human (`message`)."""

    code: str
    message: str
    details: dict[str, Any]
    provider: ErrorProvider | None
    request_id: str


class ErrorOut(Out):
    """Every refusal of the API."""

    error: ErrorBody


class WrappedErrorOut(Out):
    """Every refusal of `/api/payment` and `/v1`."""

    success: Literal[False]
    message: str
    error: ErrorBody
