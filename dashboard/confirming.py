"""The page before an act: what will happen, and the reason that is asked for. Its form does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import Response

from core.money import Asset
from core.redaction import holds_card_number
from dashboard import render
from dashboard.shapes import Alert, Fact, Input, Link, View

SHORTEST_REASON, LONGEST_REASON = 3, 500


@dataclass(frozen=True)
class Question:
    """One act about to be done. fields: what the form sends along; inputs: what it asks beside why."""

    title: str
    lead: str
    effects: Sequence[str]
    action: str
    label: str
    back: str
    trail: Sequence[Link]
    facts: Sequence[Fact] = ()
    tone: str = "primary"
    fields: Mapping[str, str] = field(default_factory=dict)
    asks_reason: bool = True
    inputs: Sequence[Input] = ()


def reason() -> str:
    """Read the reason that the form sent."""
    return render.typed("reason")


def reason_error(text: str) -> str | None:
    """Say what is wrong with a reason, or None."""
    if len(text) < SHORTEST_REASON:
        return "Say why in a few words."
    if len(text) > LONGEST_REASON:
        return f"A reason has at most {LONGEST_REASON} characters."
    if holds_card_number(text):
        return "This looks like a card number. Card numbers are never kept here."
    return None


def reason_input(value: str = "", error: str | None = None) -> Input:
    """Prepare the field that asks why."""
    return Input(
        "reason",
        "Reason",
        "text-area",
        value=value,
        error=error,
        hint="Kept with the act and in the audit log.",
        required=True,
        maxlength=LONGEST_REASON,
    )


def amount_input(unit: Asset, value: str, *, error: str | None, hint: str) -> Input:
    """Prepare the field that asks how much, in major units."""
    return Input(
        "amount",
        f"Amount in {unit.code}",
        value=value,
        error=error,
        hint=hint,
        required=True,
        maxlength=24,
        autocomplete="off",
        inputmode="decimal",
    )


def show(
    question: Question, *, reason: str = "", error: str | None = None, problem: Alert | None = None
) -> Response:
    """Ask before acting; with an error or a problem, again."""
    view: View = {
        "trail": question.trail,
        "problem": problem,
        "act": {
            "title": question.title,
            "lead": question.lead,
            "effects": question.effects,
            "facts": question.facts,
            "action": question.action,
            "fields": question.fields,
            "inputs": [
                *question.inputs,
                *([reason_input(reason, error)] if question.asks_reason else []),
            ],
            "label": question.label,
            "tone": question.tone,
            "back": question.back,
        },
    }
    if error is None and problem is None:
        return render.page("acts/confirm.html", view, live=False)
    if render.wants_fragment():
        return render.part("acts/_form.html", view, status=422)
    return render.page("acts/confirm.html", view, status=422, live=False)
