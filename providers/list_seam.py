"""What a provider lists of the objects it holds: page by page, each page one call that can be asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from providers.said import Reading


class Listing(StrEnum):
    """What can be listed."""

    PAYMENTS = "payments"
    REFUNDS = "refunds"
    DISPUTES = "disputes"


@dataclass(frozen=True)
class Listed:
    """One object. name: its own at the provider; made_at: when it was made there, None when it is not said."""

    name: str
    reading: Reading
    made_at: datetime | None = None


@dataclass(frozen=True)
class ListPage:
    """One page. after: what to ask the next one with; None: this is the last one."""

    items: Sequence[Listed]
    after: str | None = None


class ListKeeper(Protocol):
    """The objects that one provider holds. Raises, from every call: ProviderUnavailable, ProviderRefused."""

    def list_page(
        self,
        what: Listing,
        *,
        since: datetime,
        until: datetime | None = None,
        after: str | None = None,
    ) -> ListPage:
        """List what was made in a window, both ends included: payments of every kind, refunds or disputes.

        What cannot be read comes as an oddity and does not hide what follows. The same page asked for
        again tells of the same objects. Calls: the provider, once.
        """
        ...
