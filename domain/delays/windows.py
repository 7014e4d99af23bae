"""For how long we go on trying by ourselves while a rail is known to be late (requirement S66); reading only.

Without an open notice that names hours, nothing here changes anything.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from models.delays import DelayNotice
from providers import registry


def hours(session: Session, provider: str) -> int | None:
    """Give the widest window that an open notice gives a provider, in hours; None while none does.

    Raises: NotFound when there is no such provider. Transaction: caller's, reads only.
    """
    statement = select(func.max(DelayNotice.retry_window_hours)).where(
        DelayNotice.open_key.is_not(None),
        DelayNotice.rail == registry.get(provider).rail,
        DelayNotice.provider.in_(("", provider)),
    )
    return session.scalar(statement)


def is_within(session: Session, provider: str, since: datetime) -> bool:
    """Tell whether a verdict that would be given by the clock must wait, for what began at an instant.

    Raises: NotFound when there is no such provider. Transaction: caller's, reads only.
    """
    found = hours(session, provider)
    return found is not None and clock.now() < since + timedelta(hours=found)
