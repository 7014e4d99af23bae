"""How the effects of a payment read on the desk: their names, their states, what may be done. No routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.permissions import Permission
from dashboard.shapes import Act, Fact, FactGroup, State
from domain.actors import Actor
from models.effects import Effect

NAMES: Mapping[str, str] = {
    "order_advance": "Counted for the order",
    "wallet_credit": "Wallet credited",
    "wallet_debit": "Wallet debited",
    "entitlement": "Entitlement",
    "receipt": "Receipt by mail",
    "method_validated": "Card proved",
    "hold_release": "Hold to be let go",
    "trial_grant": "Trial granted",
    "refund_letter": "Letter about the refund",
    "refund_failed_letter": "Letter that the refund failed",
    "invoice": "Invoice brought up to date",
    "final_invoice": "Final invoice",
    "credit_note": "Credit note",
    "credit_note_void": "Credit note taken back",
}
STATES: Mapping[str, State] = {
    "pending": State("Waiting", "open", "quiet"),
    "applied": State("Done", "done", "good"),
    "failed": State("Failed, will retry", "retry", "warn"),
}


def name(effect: Effect) -> str:
    """Name an effect."""
    return NAMES.get(effect.kind, effect.kind.replace("_", " ").capitalize())


def group(effects: Sequence[Effect]) -> list[FactGroup]:
    """Prepare the panel of what followed from a payment; none when nothing did."""
    if not effects:
        return []
    facts = [Fact(name(each), state=STATES[each.state], note=each.last_error) for each in effects]
    return [FactGroup("effects", "What followed", facts)]


def retry_acts(effects: Sequence[Effect], href: str, actor: Actor) -> list[Act]:
    """Offer to try again what failed, or say why somebody may not."""
    reason = None if actor.may(Permission.EFFECTS_RETRY) else "Your role reads payments only."
    return [
        Act(
            f"retry-{each.id}",
            f"Try again: {name(each).lower()}",
            f"{href}/effects/{each.id}/retry",
            reason is None,
            reason,
            text="Paydesk tries again by itself. Asks for a reason first.",
            verb="Try again",
        )
        for each in effects
        if each.state == "failed"
    ]
