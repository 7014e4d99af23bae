"""What people read of a payment, where it depends on what pays: a card, a bank account, or a rail to come.

Words alone. Sentences for support are in `domain/payments/situations.py`, made of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.fold import AWAITING_BANK, AWAITING_PAYER, CHARGE_FAILED, CHARGE_PAID
from core.states import PaymentSub


@dataclass(frozen=True)
class RailWords:
    """The words of one rail; each fits into a sentence as its example shows.

    pays: what pays, alone ("Card ending 4242"); source: what of a payment's money it came from ("back to
    the card"); paid_source: the same, where there may be more ("the card that paid"); payer_source: to
    staff, of a payer ("the payer's card"); buyer_source: to the payer ("did not reach your card");
    unnamed: where what paid is not known ("No card"); letter_line: the line of a letter that says so.

    arrives: how long a refund takes, as a clause; arrives_short: the same beside other clauses;
    finder: whom the provider's name of a refund helps; receipt_of: whose receipt a provider's is.

    held_at, held_at_any: where an authorised amount waits ("held on the card"); holder: what holds it
    ("charges the card that holds"); buyer_waits: why a payer cannot end what has gone that far.

    sub_states: waiting, by `PaymentSub`; facts: what a provider said, by kind; changes: what happened, by
    event type; each only where rails differ. asks: what `payment.requires_action` says is asked.
    needs_payer, last_refused: notes on a state; link: how somebody pays by a link;
    disputer: who disputes; consent: what proves that they agreed.
    """

    pays: str
    source: str
    paid_source: str
    payer_source: str
    buyer_source: str
    unnamed: str
    letter_line: str | None
    arrives: str
    arrives_short: str
    finder: str
    receipt_of: str
    held_at: str
    held_at_any: str
    holder: str
    buyer_waits: str
    sub_states: Mapping[str, str]
    facts: Mapping[str, str]
    changes: Mapping[str, str]
    asks: str
    needs_payer: str
    last_refused: str
    link: str
    disputer: str
    consent: str

    @property
    def arrives_sentence(self) -> str:
        """How long a refund takes, as a sentence of its own."""
        return f"{self.arrives[0].upper()}{self.arrives[1:]}."


_CARD = RailWords(
    pays="card",
    source="the card",
    paid_source="the card that paid",
    payer_source="the payer's card",
    buyer_source="your card",
    unnamed="No card",
    letter_line=None,
    arrives="banks usually take 5 to 10 days to show it",
    arrives_short="banks take 5 to 10 days",
    finder="the customer's bank",
    receipt_of="the card processor",
    held_at="on the card",
    held_at_any="on a card",
    holder="the card",
    buyer_waits="Your card holds the amount for the seller; ask them to give it up.",
    sub_states={
        PaymentSub.REQUIRES_PAYMENT_METHOD: "waiting for a card",
        PaymentSub.REQUIRES_ACTION: "waiting for 3D Secure",
        PaymentSub.AWAITING_BANK: "waiting for the bank",
    },
    facts={
        "requires_payment_method": "Waiting for a card",
        "attempt_failed": "Card declined",
        "requires_action": "3D Secure needed",
        AWAITING_PAYER: "Waiting for the payer to agree at their bank",
        AWAITING_BANK: "Their bank has it",
        CHARGE_PAID: "The debit was paid",
        CHARGE_FAILED: "The debit failed",
    },
    changes={
        "payment.requires_action": "waits for 3D Secure",
        "payment.authorized": "held on the card",
        "payment.failed": "declined",
    },
    asks="3ds",
    needs_payer="The bank asks for a confirmation",
    last_refused="The last card was declined",
    link="A page of the provider",
    disputer="cardholder",
    consent="3D Secure",
)
_BANK = RailWords(
    pays="bank account",
    source="the bank account",
    paid_source="the bank account that paid",
    payer_source="the payer's bank account",
    buyer_source="your bank account",
    unnamed="Bank account",
    letter_line="Paid from: your bank account",
    # Source: https://gocardless.com/legal/payment-timings/ (two business days for a refund)
    arrives="bank transfers usually arrive within 3 working days",
    arrives_short="it usually arrives within 3 working days",
    finder="the customer's bank",
    receipt_of="the bank payment",
    held_at="at the bank",
    held_at_any="at a bank",
    holder="the bank account",
    buyer_waits="Your bank has your order to pay already; it cannot be stopped here.",
    sub_states={
        PaymentSub.REQUIRES_PAYMENT_METHOD: "waiting for the payer to choose their bank",
        PaymentSub.REQUIRES_ACTION: "waiting for the payer to agree at their bank",
        PaymentSub.AWAITING_BANK: "waiting for the payer's bank to send it",
    },
    facts={
        "requires_payment_method": "Waiting for the payer to choose their bank",
        "attempt_failed": "A try at the payer's bank failed",
        "requires_action": "Waiting for the payer to agree at their bank",
        AWAITING_PAYER: "Waiting for the payer to agree at their bank",
        AWAITING_BANK: "Their bank has it",
        CHARGE_PAID: "The transfer arrived",
        CHARGE_FAILED: "The transfer failed or was taken back",
    },
    changes={
        "payment.requires_action": "waits for the payer at their bank",
        "payment.authorized": "held at the bank",
        "payment.failed": "failed at the bank",
    },
    asks="bank",
    needs_payer="They are to agree to it at their own bank",
    last_refused="The last try at their bank failed",
    link="A link to the payer's own bank",
    disputer="payer",
    consent="that they agreed at their bank",
)
# For a rail without words of its own: nothing here may be untrue of any way to pay.
_ANY = RailWords(
    pays="account",
    source="the payer",
    paid_source="whoever paid",
    payer_source="the payer",
    buyer_source="you",
    unnamed="Payer's own account",
    letter_line=None,
    arrives="it may take some days until it shows",
    arrives_short="it may take some days",
    finder="the customer",
    receipt_of="the payment provider",
    held_at="at the provider",
    held_at_any="at a provider",
    holder="the account",
    buyer_waits="Your payment is on its way already; it cannot be stopped here.",
    sub_states={
        PaymentSub.REQUIRES_PAYMENT_METHOD: "waiting for the payer",
        PaymentSub.REQUIRES_ACTION: "waiting for the payer to confirm it",
        PaymentSub.AWAITING_BANK: "waiting for the payment to arrive",
    },
    facts={
        "requires_payment_method": "Waiting for the payer",
        "attempt_failed": "A try to pay failed",
        "requires_action": "Waiting for the payer to confirm it",
        AWAITING_PAYER: "Waiting for the payer to confirm it",
        AWAITING_BANK: "On its way",
        CHARGE_PAID: "The money arrived",
        CHARGE_FAILED: "The money failed to arrive or was taken back",
    },
    changes={
        "payment.requires_action": "waits for the payer",
        "payment.authorized": "held at the provider",
        "payment.failed": "failed",
    },
    asks="payer",
    needs_payer="They are to confirm it",
    last_refused="The last try failed",
    link="A link of the provider",
    disputer="payer",
    consent="that they agreed to it",
)
WORDS: Mapping[str, RailWords] = {"card": _CARD, "bank": _BANK}


def of(rail: str) -> RailWords:
    """Give the words of a rail; one without its own gets those that are true of any."""
    return WORDS.get(rail, _ANY)


def fact_words(kind: str) -> tuple[str, ...]:
    """Give every rail's words for one kind of fact in which they differ."""
    return tuple(words.facts[kind] for words in (*WORDS.values(), _ANY))
