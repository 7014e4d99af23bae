"""The one tree of errors: facts with a stable code; translated to HTTP in `web/errors.py` and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Detail: TypeAlias = "str | int | bool | None | Sequence[Detail] | Mapping[str, Detail]"


@dataclass(frozen=True)
class ProviderReference:
    """What support needs to find the same fact at the provider."""

    reference: str | None
    code: str | None


class AppError(Exception):
    """An expected refusal: `code` is stable, `message` is for a human, `details` is for a program."""

    code = "INTERNAL"
    http_status = 500
    retryable = False
    message = "Something went wrong on our side."

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        details: Mapping[str, Detail] | None = None,
        provider: ProviderReference | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.message = message or type(self).message
        self.code = code or type(self).code
        self.details = dict(details or {})
        self.provider = provider
        self.retry_after = retry_after
        super().__init__(self.message)


@dataclass(frozen=True)
class FieldError:
    """One field of the input that cannot be accepted: dotted path, stable code, sentence."""

    field: str
    code: str
    message: str


class InvalidInput(AppError):
    """The request does not have the form that the route asks for."""

    code = "VALIDATION_FAILED"
    http_status = 400
    message = "Some fields cannot be accepted."

    def __init__(
        self, message: str | None = None, *, fields: Sequence[FieldError] = (), code: str = ""
    ) -> None:
        rows = [{"field": f.field, "code": f.code, "message": f.message} for f in fields]
        super().__init__(
            message or (fields[0].message if len(fields) == 1 else None),
            code=code or None,
            details={"fields": rows} if rows else None,
        )


def invalid(field: str, message: str, *, code: str = "invalid") -> InvalidInput:
    """Make the error for one bad field."""
    return InvalidInput(fields=[FieldError(field, code, message)])


class Unauthenticated(AppError):
    """Nobody we know is asking."""

    code = "UNAUTHENTICATED"
    http_status = 401
    message = "Sign in, or send a valid token or API key."


class BadSignature(AppError):
    """A webhook that no live secret signed."""

    code = "WEBHOOK_INVALID_SIGNATURE"
    http_status = 401
    message = "The signature does not match any live secret of this endpoint."


class Forbidden(AppError):
    """We know who asks, and they may not."""

    code = "FORBIDDEN"
    http_status = 403
    message = "Your role does not allow this."


class NotFound(AppError):
    """No such object, or one that belongs to somebody else: the answer is the same."""

    code = "NOT_FOUND"
    http_status = 404
    message = "There is no such object."


class Conflict(AppError):
    """The act does not fit the present state."""

    code = "CONFLICT"
    http_status = 409
    message = "This does not fit the present state."


class Gone(AppError):
    """It was here, and is kept no longer."""

    code = "GONE"
    http_status = 410
    message = "This is older than what we keep."


class IllegalTransition(Conflict):
    """The state machine has no such move."""

    code = "INVALID_TRANSITION"

    def __init__(self, kind: str, old: str, new: str) -> None:
        super().__init__(
            f"A {kind} that is {old} cannot become {new}.",
            details={"kind": kind, "from": old, "to": new},
        )


class LostRace(Conflict):
    """Somebody else changed the row first; reading it again shows what became of it."""

    code = "LOST_RACE"
    retryable = True
    message = "Somebody else changed this at the same moment. Look again."


class SamePerson(Conflict):
    """Two people are asked for, and this is one of them twice."""

    code = "SAME_PERSON"
    message = "Somebody else must agree to this: you asked for it yourself."


class IdempotencyInProgress(Conflict):
    """The first request with this key has not finished."""

    code = "IDEMPOTENCY_IN_PROGRESS"
    retryable = True
    message = "The first request with this Idempotency-Key is still running."

    def __init__(self) -> None:
        super().__init__(retry_after=2)


class IdempotencyMismatch(AppError):
    """One key, two different requests."""

    code = "IDEMPOTENCY_KEY_REUSED"
    http_status = 422
    message = "This Idempotency-Key was used with another request. Use a new key."


class PaymentDeclined(AppError):
    """The provider's final no to this attempt: the card was declined."""

    code = "PAYMENT_FAILED"
    http_status = 402
    message = "The payment was declined."


class Frozen(AppError):
    """A freeze holds this act."""

    code = "FROZEN"
    http_status = 423
    message = "A freeze holds this."


class RateLimited(AppError):
    """Too many requests in this window."""

    code = "RATE_LIMITED"
    http_status = 429
    retryable = True
    message = "Too many requests. Wait, then try again."


class Unavailable(AppError):
    """Something we need does not answer now; nothing was done."""

    code = "DATABASE_UNAVAILABLE"
    http_status = 503
    retryable = True
    message = "The database does not answer. Nothing was done; try again."

    def __init__(
        self, message: str | None = None, *, code: str | None = None, retry_after: int = 5
    ) -> None:
        super().__init__(message, code=code, retry_after=retry_after)


class RailNotConfigured(Unavailable):
    """The rail's keys are missing from the environment."""

    code = "RAIL_NOT_CONFIGURED"
    retryable = False

    def __init__(self, rail: str) -> None:
        super().__init__(
            f"The {rail} rail is not configured on this installation.", retry_after=300
        )


class ProviderRefused(AppError):
    """The provider's final answer is no; asking again gives the same."""

    code = "PROVIDER_REFUSED"
    http_status = 409
    message = "The provider refused the request."


class ProviderUnavailable(Unavailable):
    """The provider certainly did nothing; asking again later may work."""

    code = "PROVIDER_UNAVAILABLE"
    message = "The payment provider does not answer. Nothing was done; try again."


class ProviderUnknown(AppError):
    """We do not know whether the provider did it: never repeat under a new key."""

    code = "PROVIDER_UNKNOWN"
    http_status = 202
    retryable = True
    message = "The provider's outcome is not known yet."


class UnmappedProviderValue(AppError):
    """A word of the provider that our tables do not know; a person decides, never a guess."""

    code = "UNMAPPED_VALUE"
    http_status = 500

    def __init__(self, provider: str, field: str, value: str) -> None:
        self.provider_name, self.field, self.value = provider, field, value
        super().__init__(f"{provider} sent {field} = {value!r}, which is not mapped.")
