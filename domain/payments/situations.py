"""What support says and does in each situation of a payment, per rail; `support.py` tells which one it is."""

from __future__ import annotations

from collections.abc import Mapping

from core import rail_words
from core.rail_words import RailWords
from domain.payments.decline_advice import Advice

# Source: requirements S55 to S60 (common errors and fixes)
_ALIKE: Mapping[str, Advice] = {
    "completed": Advice(
        "The payment is confirmed and booked.",
        "We have received your payment. Thank you.",
        "Nothing to do.",
    ),
    "marked": Advice(
        "It was marked as received by hand and awaits the provider's own word.",
        "Your payment is noted as received; its last confirmation is on the way. Please do not pay again.",
        "Ask the provider now. Until it confirms the money itself, what was marked cannot be refunded.",
    ),
    "late": Advice(
        "Money arrived after the attempt had ended. It is kept apart and pays for nothing.",
        "Your payment reached us after it had expired. It is safe with us; we will give it back or use it"
        " for your order, and write to you.",
        "Its case says what can be done: give it back, credit it or start the payment anew.",
    ),
    "expired": Advice(
        "The attempt ran out of time before it was paid.",
        "Your payment link has expired. We will send you a new one.",
        "Start a new payment for the order; this one is never reused.",
    ),
    "stuck": Advice(
        "The provider has spoken of this payment, and its message could not be applied.",
        "We are confirming your payment. Please do not pay again; we will write to you.",
        "Open its webhooks below: the failed one says why. Have it replayed, or ask the provider now.",
    ),
    "effect_failed": Advice(
        "The money is booked. What follows from it failed and is tried again by itself.",
        "We have received your payment; it will show in your account shortly.",
        "Its case says what failed. An engineer may try it again from this page.",
    ),
    "credited": Advice(
        "The payment is confirmed and the wallet is credited.",
        "We have received your payment; it is in your wallet.",
        "Nothing to do.",
    ),
    "coupon": Advice(
        "The coupon was accepted and the wallet is credited. Nobody paid for it.",
        "Your coupon is in your wallet.",
        "Nothing to do.",
    ),
    "cancelled": Advice(
        "The payment was cancelled before money moved.",
        "Your payment was cancelled and you were not charged.",
        "Start a new payment if the customer still wants to pay.",
    ),
    "processing": Advice(
        "The provider has seen the payment; it is not final.",
        "Your payment is on its way and not final yet. We will let you know.",
        "Wait for the provider. If it stays like this for long, ask the provider now.",
    ),
}
# Who pays from an account has a bank that may ask the money back, as who pays by card has.
_WITH_A_BANK: Mapping[str, Advice] = {
    "disputed": Advice(
        "The payer's bank asks for the money back and has not decided yet.",
        "Your bank has opened a dispute about this payment and will tell you how it decides."
        " Until then we cannot refund it.",
        "Open the dispute on this page: it says until when the bank wants evidence."
        " Never refund a payment that is disputed.",
    ),
    "dispute_lost": Advice(
        "The payer's bank decided the dispute for the payer and kept the money.",
        "Your bank has given the money back to you, so the order is no longer paid.",
        "Nothing more is owed to the customer. Agree with finance how the order goes on.",
    ),
}
_CARD: Mapping[str, Advice] = {
    "unknown": Advice(
        "We asked the provider and its answer was lost. It may or may not have acted.",
        "We are confirming your payment with the card network. Please do not pay again yet.",
        "Press “Ask the provider now”. Paydesk also asks by itself until it knows.",
    ),
    "waiting": Advice(
        "The payment was started and no card has been confirmed yet.",
        "Your payment is waiting for your card details. You can use the same link.",
        "Send the pay link again. If the customer says they paid, ask the provider now.",
    ),
    "action": Advice(
        "The bank asks the customer to confirm the payment (3D Secure).",
        "Your bank wants you to confirm the payment. If you closed the window, open the link and try again.",
        "Ask the customer to reopen the pay page; the confirmation can be tried again.",
    ),
    "awaiting_bank": _ALIKE["processing"],
    "declined": Advice(
        "The bank declined the card. No money moved.",
        "Your bank declined the card. Please contact the issuer or try another card.",
        "The pay link still works for another card. The decline code is in the reference block.",
    ),
    "held": Advice(
        "The amount is reserved on the card and not captured.",
        "Your bank has reserved the amount. You will only be charged when the order is confirmed.",
        "Capture or cancel before the reservation lapses.",
    ),
    "checked": Advice(
        "The card was proved. Nothing was charged; what was held on it is let go.",
        "Your card is confirmed. A small amount may show as reserved for a few days; it is not charged.",
        "Nothing to do.",
    ),
    "reversed": Advice(
        "It had been final, and the payer's bank took the money back.",
        "Your bank has taken back this payment, so the order is not paid any more.",
        "Its case says what was delivered for it. Agree with the customer on another way to pay.",
    ),
    "failed": Advice(
        "The payment failed for good.",
        "Your payment did not go through and you were not charged.",
        "Start a new payment for the order.",
    ),
}
_BANK: Mapping[str, Advice] = {
    "unknown": Advice(
        "We asked the provider and its answer was lost. It may or may not have acted.",
        "We are confirming your payment. Please do not pay again yet.",
        "Press “Ask the provider now”. Paydesk also asks by itself until it knows.",
    ),
    "waiting": Advice(
        "The payment was started, and nothing of the payer's bank is known yet.",
        "Your payment is waiting for you to choose your bank. You can use the same link.",
        "Send the pay link again. If the customer says they paid, ask the provider now.",
    ),
    "action": Advice(
        "The payer was sent to their own bank and has not agreed to the payment there yet.",
        "Please agree to the payment in your bank's app or on its website. If you closed it, open the"
        " link again.",
        "Ask the customer whether they finished at their bank. If they say they did, ask the provider now.",
    ),
    "awaiting_bank": Advice(
        "The payer has agreed and their bank has the order to pay. The money has not arrived yet.",
        "Your bank is sending your payment. We will write to you when it has arrived; please do not pay"
        " again.",
        "Wait for the bank: mostly minutes, at some banks until the next working day. If it takes longer,"
        " ask the provider now.",
    ),
    "declined": Advice(
        "The last try at the payer's bank failed. We have received nothing.",
        "Your bank did not carry out the payment. Please try again, or pay from another account.",
        "The pay link still works, also with another bank. The reason code is in the reference block.",
    ),
    "held": Advice(
        "The amount is reserved at the payer's bank and not captured.",
        "Your bank has reserved the amount. You will only be charged when the order is confirmed.",
        "Capture or cancel before the reservation lapses.",
    ),
    "checked": Advice(
        "The bank account was proved. Nothing was charged.",
        "Your bank account is confirmed. Nothing was charged.",
        "Nothing to do.",
    ),
    "reversed": Advice(
        "It had arrived and was taken back: the transfer failed late, or the payer claimed it back from"
        " their bank.",
        "Your payment was taken back by your bank after it had arrived, so the order is not paid any more.",
        "Its case says what was delivered for it. Do not refund it: the payer's bank gives the money back."
        " Agree with the customer on another way to pay.",
    ),
    "failed": Advice(
        "The bank payment failed for good. We have received nothing.",
        "Your payment did not go through and we have received nothing. If the amount left your account,"
        " your bank will put it back; write to us if it does not.",
        "Start a new payment for the order.",
    ),
}
# For a rail without words of its own.
_ANY: Mapping[str, Advice] = {
    "unknown": _BANK["unknown"],
    "waiting": Advice(
        "The payment was started, and nothing has been paid yet.",
        "Your payment is waiting for you. You can use the same link.",
        "Send the pay link again. If the customer says they paid, ask the provider now.",
    ),
    "action": Advice(
        "The payer is asked to confirm the payment.",
        "Please confirm the payment. If you closed the window, open the link and try again.",
        "Ask the customer to reopen the pay page; the confirmation can be tried again.",
    ),
    "awaiting_bank": _ALIKE["processing"],
    "declined": Advice(
        "The last try to pay failed. We have received nothing.",
        "Your payment did not go through. Please try again, or choose another way to pay.",
        "The pay link still works. The reason code is in the reference block.",
    ),
    "held": Advice(
        "The amount is reserved and not captured.",
        "The amount is reserved. You will only be charged when the order is confirmed.",
        "Capture or cancel before the reservation lapses.",
    ),
    "checked": Advice(
        "The way to pay was proved. Nothing was charged.",
        "Your way to pay is confirmed. Nothing was charged.",
        "Nothing to do.",
    ),
    "disputed": Advice(
        "The money is asked back, and that is not decided yet.",
        "This payment is disputed. Until that is decided we cannot refund it.",
        "Open the dispute on this page: it says until when an answer is wanted."
        " Never refund a payment that is disputed.",
    ),
    "dispute_lost": Advice(
        "The dispute was decided for the payer, who keeps the money.",
        "The dispute was decided for you, so the order is no longer paid.",
        "Nothing more is owed to the customer. Agree with finance how the order goes on.",
    ),
    "reversed": Advice(
        "It had been final, and the money was taken back.",
        "This payment was taken back, so the order is not paid any more.",
        "Its case says what was delivered for it. Agree with the customer on another way to pay.",
    ),
    "failed": Advice(
        "The payment failed for good. We have received nothing.",
        "Your payment did not go through and we have received nothing.",
        "Start a new payment for the order.",
    ),
}


def _given_back(words: RailWords) -> dict[str, Advice]:
    """Write what differs between rails only by where money goes back, and how long that takes."""
    find = f"Nothing to do. The provider's name of the refund helps {words.finder} to find it."
    return {
        "refunding": Advice(
            "A refund of it was asked for and is not over yet.",
            f"We are working on your refund. Once it is sent, {words.arrives}.",
            "See under refunds whether it waits for a second person, is held or was sent.",
        ),
        "partly_refunded": Advice(
            "The payment is confirmed; some of it was given back.",
            f"We have refunded a part of your payment. {words.arrives_sentence}",
            find,
        ),
        "refunded": Advice(
            f"All that was received was given back to {words.paid_source}.",
            f"We have refunded your payment. {words.arrives_sentence}",
            find,
        ),
        "late_refunded": Advice(
            "Money arrived after the attempt had ended, and was given back.",
            "Your payment reached us after it had expired and was refunded."
            f" {words.arrives_sentence}",
            "Start a new payment if the customer still wants to pay.",
        ),
    }


_BY_RAIL: Mapping[str, Mapping[str, Advice]] = {
    "card": {**_ALIKE, **_WITH_A_BANK, **_CARD, **_given_back(rail_words.of("card"))},
    "bank": {**_ALIKE, **_WITH_A_BANK, **_BANK, **_given_back(rail_words.of("bank"))},
}
_ELSE: Mapping[str, Advice] = {**_ALIKE, **_ANY, **_given_back(rail_words.of(""))}


def of(rail: str) -> Mapping[str, Advice]:
    """Give the advice of a rail by situation; one without its own gets what is true of any."""
    return _BY_RAIL.get(rail, _ELSE)
