"""Starting a payment for a caller who waits: the open attempt as it is now, and where a checkout returns to."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from core.strictjson import Json
from domain.actors import Actor
from domain.payments import intents, operations
from domain.payments.intents import Begun, PaymentWanted


def start(
    session: Session, wanted: PaymentWanted, *, actor: Actor, source: str, public_url: str
) -> Begun:
    """Begin a payment, or take up the open one as it stands after all locks are ours.

    While `begin` waited for a lock, whoever held it may have finished the creation; then there is
    nothing left to ask the provider. Writes, Emits, Raises: as `intents.begin`. Transaction: caller's.
    """
    begun = intents.begin(session, wanted, actor=actor, source=source)
    if begun.is_new:
        _fill_in(begun, wanted, public_url)
    return as_it_stands(session, begun)


def as_it_stands(session: Session, begun: Begun) -> Begun:
    """Read an attempt that was taken up anew, and leave what somebody has finished meanwhile.

    Writes: operations. Transaction: caller's, with all locks taken.
    """
    if begun.is_new:
        return begun
    session.refresh(begun.payment)
    if begun.fence is not None and begun.operation.state not in operations.UNFINISHED:
        begun.operation.lease_until = None
        session.flush()
        return replace(begun, fence=None)
    return begun


def _fill_in(begun: Begun, wanted: PaymentWanted, public_url: str) -> None:
    """Send the payer of a checkout back to the payment's own return page, where none was named."""
    if wanted.method != "checkout":
        return
    page = f"{public_url}/pay/{begun.payment.public_id}/return"
    said: dict[str, Json] = dict(begun.operation.request)
    for name in ("successUrl", "cancelUrl"):
        said[name] = said.get(name) or page
    begun.operation.request = said
