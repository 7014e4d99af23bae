"""What the secrets cockpit is sent and answers over the API; no value of a secret but the one just generated."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from api.contract import In, Instant, Out, Query, Reference, Several, Text
from domain.secrets.secret_kinds import LONGEST_OVERLAP_HOURS

# A private key on P-521 in base64, beside its name, has some 600 characters.
LONGEST_VALUE = 1024


class VersionOut(Out):
    """One version of a secret; its value is nowhere to be read."""

    version: int
    state: Literal["active", "retiring", "retired", "revoked"]
    created_at: str
    retire_at: str | None
    hits_24h: int = Field(alias="hits24h")
    last_hit_at: str | None


class VerdictOut(Out):
    """Whether the oldest version on its way out may go, and why."""

    safe_to_retire: bool
    why: str


class SecretOut(Out):
    """One secret. endpoint: where what it verifies arrives, or the outbound endpoint it belongs to."""

    secret_id: str
    kind: str
    provider: str
    endpoint: str | None
    versions: list[VersionOut]
    age_days: int | None
    overdue: bool
    verdict: VerdictOut


class SecretsOut(Out):
    """All secrets."""

    items: list[SecretOut]
    next_cursor: None


class HitOut(Out):
    """How often a version was used in one bar of the chart; bars without a use are left out."""

    at: str
    version: int
    count: int


class SecretDetailOut(SecretOut):
    """One secret with the chart of its uses."""

    hits: list[HitOut]


class RevokeForecastOut(Out):
    """What revoking costs. inFlight: stored events that the version verified and that are not applied yet;
    none of them is lost. backfillable: deliveries that it verified in the last three hours: what the
    provider goes on signing with it is refused from now on, and can be fetched from its API.
    """

    in_flight: int
    backfillable: int


class RevokedOut(SecretOut):
    """The secret after one of its versions was revoked."""

    forecast: RevokeForecastOut


class MadeVersionOut(Out):
    """A version just made. `value` is told when we generated it, in this answer only."""

    secret_id: str
    version: int
    state: str
    value: str | None
    retire_at: str | None


class ProbeOut(Out):
    """What came of a signed probe through the public URL."""

    ok: bool
    version: int | None
    status_code: int | None
    ms: int


class ReencryptionOut(Out):
    """How far sealing everything anew has come. rate: values per second."""

    master_key_id: str
    done: int
    total: int
    rate: int
    state: Literal["idle", "running", "done"]


class SecretsQuery(Query):
    """Which secrets."""

    kind: Several = ()
    provider: Several = ()


class ChartQuery(Query):
    """How far back the chart goes."""

    chart: Literal["24h", "7d"] = "24h"


class VersionActIn(In):
    """Why."""

    reason: Text


class VersionIn(VersionActIn):
    """The new version: a value entered, or one that we generate."""

    value: str | None = Field(default=None, min_length=1, max_length=LONGEST_VALUE, repr=False)
    generate: Literal[True] | None = None
    overlap_hours: int | None = Field(default=None, ge=0, le=LONGEST_OVERLAP_HOURS)
    reference: Reference | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> VersionIn:
        if (self.value is None) == (self.generate is None):
            raise ValueError("send either a value or generate: true")
        return self


class RetireIn(VersionActIn):
    """When, and whether although it is not safe."""

    at: Instant | None = None
    force: bool = False
