"""Courtesy limits per principal and per address, counted in this process; lockouts are rows elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from flask import Response, g
from limits import RateLimitItem, RateLimitItemPerMinute

from core import clock
from core.errors import RateLimited
from web import identity
from web.extensions import limiter

PER_PRINCIPAL = RateLimitItemPerMinute(1200)
PER_ADDRESS = RateLimitItemPerMinute(300)
# Deliveries that nobody signed; those that verify are never counted.
PER_UNVERIFIED = RateLimitItemPerMinute(60)


@dataclass(frozen=True)
class Standing:
    """What is left of a limit. reset_seconds: until the window begins anew."""

    limit: int
    remaining: int
    reset_seconds: int


def _hit(item: RateLimitItem, *names: str) -> Standing:
    is_within = limiter.limiter.hit(item, *names)
    window = limiter.limiter.get_window_stats(item, *names)
    wait = max(1, ceil(window.reset_time - clock.now().timestamp()))
    if not is_within:
        raise RateLimited(retry_after=wait)
    return Standing(item.amount, window.remaining, wait)


def count(principal_id: str | None, *, address: str) -> None:
    """Count one request and note what is left for the answer's headers.

    Raises: RateLimited
    """
    if not identity.settings().rate_limits:
        return
    item = PER_PRINCIPAL if principal_id else PER_ADDRESS
    # Noted before it can be refused, so that the refusal's headers say it too.
    g.paydesk_standing = Standing(item.amount, 0, 60)
    g.paydesk_standing = _hit(
        item, "principal" if principal_id else "address", principal_id or address
    )


def count_unverified(address: str) -> None:
    """Count a delivery whose signature did not verify.

    Raises: RateLimited
    """
    if identity.settings().rate_limits:
        _hit(PER_UNVERIFIED, "unverified", address)


def write_headers(response: Response) -> None:
    """Tell the caller what is left, where it was counted."""
    standing: Standing | None = g.get("paydesk_standing")
    if standing is not None:
        response.headers["RateLimit-Limit"] = str(standing.limit)
        response.headers["RateLimit-Remaining"] = str(standing.remaining)
        response.headers["RateLimit-Reset"] = str(standing.reset_seconds)
