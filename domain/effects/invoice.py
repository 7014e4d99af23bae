"""The effect that brings an order's invoices to where its payments put them; it leaves a row only when it fails."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from domain import events
from domain.effects import effects
from domain.effects.kinds import EffectKind, Wanted
from domain.invoices import following
from domain.orders.order_progress import lock_order
from domain.transitions import Why
from models.payments import Payment


def follow(session: Session, payment: Payment, *, why: Why) -> None:
    """Let the invoices of a locked payment's order follow its money, or leave it to the worker.

    The same payments always give the same invoices, so nothing has to be remembered of a success.
    Writes, Emits: as `following.follow`. Raises: EffectBroken, LostRace. Transaction: caller's.
    """
    wanted = Wanted(EffectKind.INVOICE, f"invoice:{payment.id}:{why.source}")
    events.append(session, effects.attempt(session, payment, wanted, why=why))


def carry_out(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    """Fold the payments of a locked payment's order into its invoices. Gives the event rows to append.

    A deposit's invoice that is confirmed by it wants the final one, which the worker opens.
    Writes: invoices, invoice_payments, state_changes, effects. Emits: as `following.follow`.
    Transaction: caller's, with the payment locked.
    """
    del wanted
    if payment.order_id is None:
        return []
    order = lock_order(session, payment.order_id)
    followed = following.follow(session, order, why=why)
    for invoice in followed.deposits_confirmed:
        # The number of its turn is in the key: confirmed anew after a fall, it is asked for anew.
        key = f"final_invoice:{invoice.id}:{invoice.event_sequence}"
        final = Wanted(EffectKind.FINAL_INVOICE, key)
        effects.defer(session, payment, final, source=why.source)
    return followed.rows
