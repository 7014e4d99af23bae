"""What Stripe's invoices say, in our words; ours are coupons turned into credit, all others are not ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from core.errors import UnmappedProviderValue
from core.fold import Fact
from core.money import Money
from providers.deliveries import UnreadableDelivery
from providers.said import KeyedFact, Oddity, Reading
from providers.stripe.amounts import from_stripe
from providers.stripe.things import Thing, money, thing, whole, word

NOT_OURS = "an invoice that no transaction of ours asked for; it credits nothing"
# The ends without money, by status, and the word for why; a draft or an open invoice states nothing.
_ENDS = {"void": "voided", "uncollectible": "uncollectible"}
_SILENT = frozenset({"draft", "open"})


def discounted(subject: Thing) -> Money:
    """Sum what the discounts took off an invoice: what a coupon brought. Raises: UnreadableDelivery."""
    found = subject.get("total_discount_amounts")
    currency = word(subject.get("currency"))
    if not isinstance(found, list) or currency is None:
        raise UnreadableDelivery("total_discount_amounts or currency is missing")
    total = sum(whole(thing(each).get("amount"), "total_discount_amounts") for each in found)
    try:
        return from_stripe(total, currency)
    except ValueError as error:
        raise UnmappedProviderValue("stripe", "currency", currency) from error


def _key(subject: Thing, said: str) -> str:
    """Name a fact that an invoice can state only once, whichever event or answer tells of it."""
    return f"stripe:{word(subject.get('id'))}:{said}"


def _facts(subject: Thing, status: str, said_at: datetime) -> tuple[KeyedFact, ...]:
    if status == "paid":
        fact = Fact("succeeded", said_at, amount_minor=discounted(subject).minor)
        return (KeyedFact(_key(subject, "succeeded"), fact),)
    if status in _ENDS:
        fact = Fact("cancelled", said_at, code=_ENDS[status])
        return (KeyedFact(_key(subject, _ENDS[status]), fact),)
    if status == "payment_failed":
        said = "Something was due on the coupon's invoice, and it could not be collected."
        fact = Fact("failed", said_at, code="invoice_payment_failed", message=said)
        return (KeyedFact(_key(subject, "failed"), fact),)
    if status == "requires_action":
        key = _key(subject, f"requires_action:{int(said_at.timestamp())}")
        return (KeyedFact(key, Fact("requires_action", said_at)),)
    if status in _SILENT:
        return ()
    raise UnmappedProviderValue("stripe", "invoice.status", status)


def _collected(subject: Thing, status: str) -> tuple[Oddity, ...]:
    """Let a person see money that was collected on an invoice which a coupon should have covered."""
    if status != "paid" or not subject.get("amount_paid"):
        return ()
    amount = money(subject, "amount_paid")
    if not amount.minor:
        return ()
    sentence = (
        f"Stripe collected {amount.major()} {amount.asset.code} on this coupon's invoice, which the coupon"
        " should have covered. Only the coupon's part is booked."
    )
    return (Oddity("RECON_DIFFERENCE", f"collected:{word(subject.get('id'))}", sentence, amount),)


def named(subject: Thing) -> Reading:
    """Read only which invoice it is and whose.

    Raises: UnreadableDelivery
    """
    reference, currency = word(subject.get("id")), word(subject.get("currency"))
    if reference is None:
        raise UnreadableDelivery("the invoice has no id")
    return Reading(
        references=(reference,),
        payment_id=word(thing(subject.get("metadata")).get("payment_id")),
        asset_code=currency.upper() if currency else None,
        is_invoice=True,
        unowned=NOT_OURS,
    )


def read_invoice(subject: Thing, *, said_at: datetime, status: str | None = None) -> Reading:
    """Read an invoice; `status` overrides the snapshot's where the event's type says it.

    What is credited is what the discounts took off: of a coupon's invoice that is all of it.
    Raises: UnreadableDelivery, UnmappedProviderValue
    Source: https://docs.stripe.com/api/invoices/object, https://docs.stripe.com/invoicing/overview
    """
    who = named(subject)
    found = status or word(subject.get("status"))
    if found is None:
        raise UnreadableDelivery("the invoice has no status")
    if who.payment_id is None and status is not None:
        # Not made by us: it may hold words that we need not know.
        return who
    return Reading(
        references=who.references,
        payment_id=who.payment_id,
        facts=_facts(subject, found, said_at),
        asset_code=who.asset_code,
        oddities=_collected(subject, found),
        is_invoice=True,
        unowned=NOT_OURS,
    )


def _odd(kind: str, sentence: str) -> Callable[[Thing, datetime], Reading]:
    def read(subject: Thing, _: datetime) -> Reading:
        who = named(subject)
        subject_key = f"{kind.lower()}:{who.references[0]}"
        return Reading(
            references=who.references,
            payment_id=who.payment_id,
            oddities=(Oddity("RECON_DIFFERENCE", subject_key, sentence),),
            is_invoice=True,
            unowned=NOT_OURS,
        )

    return read


def _said(status: str) -> Callable[[Thing, datetime], Reading]:
    return lambda subject, said_at: read_invoice(subject, said_at=said_at, status=status)


def _named(subject: Thing, _: datetime) -> Reading:
    return named(subject)


# Credit comes from `paid` and `payment_succeeded` alone: Stripe sends both for one invoice, in any order.
# Source: protocols 4E; https://docs.stripe.com/api/events/types#event_types-invoice.paid
READERS: dict[str, Callable[[Thing, datetime], Reading]] = {
    "invoice.created": _named,
    "invoice.updated": _named,
    "invoice.finalized": _named,
    "invoice.paid": _said("paid"),
    "invoice.payment_succeeded": _said("paid"),
    "invoice.payment_failed": _said("payment_failed"),
    "invoice.payment_action_required": _said("requires_action"),
    "invoice.voided": _said("void"),
    "invoice.deleted": _said("void"),
    "invoice.marked_uncollectible": _said("uncollectible"),
    "invoice.overpaid": _odd(
        "OVERPAID", "Stripe says that more was paid on this coupon's invoice than was due on it."
    ),
    "invoice.overdue": _odd(
        "OVERDUE",
        "Stripe calls this coupon's invoice overdue: something is due that the coupon did not cover.",
    ),
}
# Types that change no money of ours, and why not.
_AT_ONCE = "coupons are read when they are applied, so that nothing here changes with them"
NOTED: dict[str, str] = {
    "coupon.created": _AT_ONCE,
    "coupon.updated": _AT_ONCE,
    "coupon.deleted": _AT_ONCE,
    "promotion_code.created": _AT_ONCE,
    "promotion_code.updated": _AT_ONCE,
    **dict.fromkeys(
        ("customer.discount.created", "customer.discount.updated", "customer.discount.deleted"),
        "credit comes from a coupon's paid invoice alone, never from a discount of the customer",
    ),
}
