"""What the page of one payment shows: head, cases, support's words, timeline, facts, notes. No routes."""

from __future__ import annotations

from collections.abc import Sequence

from core.money import Money
from core.money_out import Act as MoneyAct
from core.permissions import Permission
from core.purposes import CHECKS
from core.states import MAPPING_VERSION, OPEN_PAYMENT, lifecycle
from core.states import Payment as Status
from dashboard import (
    books,
    case_words,
    coupon_words,
    effect_words,
    hold_words,
    invoice_words,
    payment_offers,
    payments,
    refund_words,
    states,
    timelines,
    wallet_words,
    words,
)
from dashboard.axis import Lag
from dashboard.payment_shown import Hold, Shown
from dashboard.shapes import Fact, FactGroup, Input, Ref, Sum, View
from dashboard.timelines import Timeline, Told
from domain import desk, naming
from domain.actors import Actor
from domain.books import book_queries
from domain.books.book_queries import EntryFilter
from domain.cases import case_queries
from domain.cases.case_queries import CaseFilter
from domain.control import approval_queries
from domain.desk import Session
from domain.effects import effect_queries
from domain.payments import captures, receipts, timeline
from domain.payments.payments import LONGEST_PAGE, Page, get_payment
from domain.payments.support import outline, support_block
from domain.refunds import refund_queries
from models.cases import ExceptionCase
from models.payments import Payment

LONGEST_NOTE = 2000
PARTS = ("header", "cases", "refunds", "support", "timeline", "facts")
_REFERENCES = {
    "intent": "Payment intent",
    "session": "Checkout session",
    "charge": "Charge",
    "payment_intent": "Payment intent",
    "checkout_session": "Checkout session",
    "payment": "Provider's payment",
}
_PAID = frozenset({Status.COMPLETED, Status.RELEASED, Status.REFUNDED})


def find(session: Session, payment_id: str, *, actor: Actor, public_url: str) -> Shown:
    """Fetch a payment for its page.

    Raises: NotFound, the same for a foreign id.
    """
    payment = get_payment(session, payment_id, actor=actor)
    orders = desk.orders_by_id(session, [payment.order_id])
    replays = actor.may(Permission.INBOUND_READ)
    taken = captures.list_captures(session, payment.id)
    askers = [each.actor for each in taken]
    return Shown(
        payment=payment,
        order=orders.get(payment.order_id or ""),
        actor=actor,
        last_event=desk.last_event_of(session, payment.id) if replays else None,
        has_operation=desk.creation_of(session, payment.id) is not None,
        public_url=public_url,
        suspended=receipts.in_suspense(session, payment),
        marking=approval_queries.waiting_for(
            session, MoneyAct.MARK_PAYMENT, payment.id, actor=actor
        ),
        hold=refund_words.hold_of(session, payment) if actor.is_staff else Hold(),
        coupon=desk.coupons_of(session, [payment]).get(payment.id),
        effects=effect_queries.of_payment(session, payment.id) if actor.is_staff else (),
        captures=taken,
        ending=captures.under_way(session, payment),
        names=naming.actor_names(session, askers, for_staff=actor.is_staff),
    )


def links(shown: Shown) -> dict[str, str]:
    """Give the addresses of the parts that change by themselves."""
    return {part: f"{shown.href}/{part}" for part in PARTS}


def head(shown: Shown) -> View:
    """Prepare the head of the page and its acts."""
    payment = shown.payment
    what = payments.purpose(payment)
    title = f"{what} for “{shown.order.description}”" if shown.order else what
    title = coupon_words.title(shown.coupon) if shown.coupon else title
    is_open = payment.status in OPEN_PAYMENT
    sub = states.sub_words(payment.sub_state, payment.rail) if is_open else None
    return {
        "id": payment.id,
        "short": words.short(payment.id),
        "amount": words.money(payment.amount_minor, payment.asset),
        "state": states.of_payment(payment),
        "sub_state": sub,
        "demo": payment.demo,
        "sentence": f"{title}. {outline(payment, suspended=shown.suspended)}{hold_words.sentence(shown)}",
        "ref": words.ref("payment id", payment.id),
        "order": payments.order_link(shown.order) if shown.order else None,
        "rail": words.rail(payment.rail, payment.provider),
        "created": words.moment(payment.created_at),
        "alert": hold_words.alert(shown),
        "acts": payment_offers.acts(shown),
        "more_acts": payment_offers.more_acts(shown),
    }


def cases(session: Session, shown: Shown) -> list[View]:
    """Prepare the open cases of a payment."""
    if not shown.actor.may(Permission.EXCEPTIONS_READ):
        return []
    wanted = CaseFilter(payment_id=[shown.payment.id], state=case_queries.UNRESOLVED)
    found, _ = case_queries.list_cases(session, wanted, actor=shown.actor, page=Page(limit=10))
    names = naming.actor_names(
        session, [row.owner_id for row in found if row.owner_id], for_staff=shown.actor.is_staff
    )
    return [_case(case_words.for_reader(row, shown.actor), names) for row in found]


def _case(row: ExceptionCase, names: dict[str, str]) -> View:
    risk = row.risk_minor
    return {
        "state": states.of_kind(row.kind),
        "href": f"/exceptions/{row.id}",
        "sentence": row.sentence,
        "opened": words.moment(row.opened_at),
        "owner": names.get(row.owner_id or ""),
        "due": words.moment(row.sla_due_at) if row.sla_due_at else None,
        "at_risk": words.money(risk, row.asset) if risk and row.asset else None,
    }


def refunds(session: Session, shown: Shown) -> list[View]:
    """Prepare what was given back and asked back of a payment, oldest first."""
    if not shown.actor.may(Permission.REFUNDS_READ):
        return []
    rows = refund_queries.of_payment(session, shown.payment.id)
    near = refund_words.around(session, rows, actor=shown.actor)
    return [refund_words.row_view(row, near) for row in rows]


def support(session: Session, shown: Shown) -> View | None:
    """Prepare support's words; None for who is not staff."""
    if not shown.actor.may(Permission.PAYMENTS_SUPPORT):
        return None
    block = support_block(session, shown.payment)
    lines = [f"Payment {block.payment_id}", f"State {states.of_payment(shown.payment).word}"]
    lines += [f"Order {block.order_id}"] if block.order_id else []
    lines += [
        f"{words.provider_label(shown.payment.provider)} {name}"
        for name in block.provider_references
    ]
    lines += [f"Code {block.stripe_code}"] if block.stripe_code else []
    return {
        "what_happened": block.advice.what_happened,
        "tell_customer": block.advice.tell_customer,
        "next_step": block.advice.next_step,
        "block": "\n".join(lines + block.last_events),
    }


def story(session: Session, shown: Shown) -> Timeline:
    """Prepare the timeline: everything known of the payment, and how far the lanes are apart."""
    payment, actor = shown.payment, shown.actor
    wanted = EntryFilter(payment_id=[payment.id])
    booked, _ = book_queries.list_entries(session, wanted, page=Page(limit=LONGEST_PAGE))
    entries = books.told_to(actor, booked)
    lags = timeline.lags(session, payment)
    told = Told(
        items=timeline.payment_timeline(session, payment, actor=actor),
        entries=entries,
        movements=book_queries.movements_of(session, [entry.id for entry in entries]),
        provider=words.provider_label(payment.provider),
        asked=asked_of([payment]),
        lags=lags,
        lag_words=_lag_words(payment, lags, booked=bool(entries)),
        reads_journal=actor.may(Permission.JOURNAL_READ),
    )
    order = (f"/orders/{shown.order.id}", "Whole order") if shown.order else None
    return timelines.build(
        told,
        links=actor.may(Permission.INBOUND_READ),
        note="Times in UTC, long waits shortened",
        order=order,
    )


def asked_of(rows: Sequence[Payment]) -> dict[str, tuple[str, Sum]]:
    """Say what each payment asked for, for its first line."""
    return {
        row.id: (payments.purpose(row), words.money(row.amount_minor, row.asset)) for row in rows
    }


def _lag_words(payment: Payment, lags: timeline.Lags, *, booked: bool) -> list[Lag]:
    provider = words.provider_label(payment.provider)
    found = []
    if lags.provider_to_us_seconds is not None:
        tone, shape = timelines.lag_tone(lags.provider_to_us_seconds)
        found.append(Lag(f"{provider} to us", words.span(lags.provider_to_us_seconds), tone, shape))
    if lags.us_to_books_seconds is not None:
        tone, shape = timelines.lag_tone(lags.us_to_books_seconds)
        found.append(Lag("Us to books", words.span(lags.us_to_books_seconds), tone, shape))
    return [*found, _agreement(payment, lags, booked=booked)]


def _agreement(payment: Payment, lags: timeline.Lags, *, booked: bool) -> Lag:
    """Say whether provider, state and books tell the same story now."""
    said, ours = lags.provider_to_us_seconds is not None, payment.status in _PAID
    if payment.reversed_minor:
        return Lag("Now", "taken back after it was final", "bad", "warn")
    if payment.purpose in CHECKS and ours and not said:
        return Lag("Now", "nothing was to move, and nothing has", "good", "equal")
    if said and not ours:
        text = "paid after the end, booked apart" if booked else "paid there, not here"
        return Lag("Now", text, "warn" if booked else "bad", "warn")
    if ours and not said:
        return Lag("Now", "paid here, not told by the provider", "bad", "warn")
    if ours != booked:
        return Lag("Now", "state and books differ", "bad", "warn")
    return Lag("Now", "all three agree", "good", "equal")


def facts(session: Session, shown: Shown) -> list[FactGroup]:
    """Prepare the panels beside the timeline."""
    return [
        FactGroup(
            *("money", "Money"),
            [*_money(shown.payment, shown.suspended), *hold_words.money_facts(shown)],
        ),
        FactGroup("refs", "References", _references(session, shown), "one click copies"),
        FactGroup("who", "People and order" if shown.order else "People", _people(session, shown)),
        FactGroup("how", "How it stands", _standing(shown.payment)),
        *coupon_words.group(shown.coupon, shown.payment, shown.actor),
        *effect_words.group(shown.effects),
    ]


def _money(payment: Payment, suspended: Money) -> list[Fact]:
    asked, received = coupon_words.sums(payment)
    rows = [
        (asked, payment.amount_minor, True),
        (received, payment.received_minor, True),
        ("Of it in suspense", suspended.minor, bool(suspended.minor)),
        (hold_words.label(payment), payment.capturable_minor, bool(payment.capturable_minor)),
        ("Taken back after it was final", payment.reversed_minor, bool(payment.reversed_minor)),
        ("Refunded", payment.refunded_minor, bool(payment.refunded_minor)),
        ("Being refunded", payment.refunding_minor, bool(payment.refunding_minor)),
    ]
    return [
        Fact(label, money=words.money(minor, payment.asset))
        for label, minor, shown in rows
        if shown
    ]


def _references(session: Session, shown: Shown) -> list[Fact]:
    payment = shown.payment
    rows = [("Payment", Ref("payment id", payment.id, words.short(payment.id)))]
    for row in desk.references_of(session, payment.id):
        label = _REFERENCES.get(row.kind, row.kind.replace("_", " ").capitalize())
        rows.append((label, words.ref(label.lower(), row.reference)))
    if shown.order is not None:
        href, text = f"/orders/{shown.order.id}", shown.order.reference
        rows.append(("Order", words.ref("order id", shown.order.id, href=href, text=text)))
    rows += payment_offers.neighbours(payment)
    rows += invoice_words.of_payment(session, payment, shown.actor)
    named = (
        ("Bank reference", "bank reference", payment.bank_reference),
        ("Your reference", "reference", payment.reference),
        ("Subscription", "subscription", payment.subscription_ref),
        ("Period", "period", payment.subscription_period),
    )
    rows += [(label, words.ref(name, said)) for label, name, said in named if said]
    if wallet_words.has_pay_page(payment):
        url = f"{shown.public_url}/pay/{payment.public_id}"
        rows.append(("Pay link", Ref("pay link", url, words.short(payment.public_id))))
    return [Fact(label, ref=ref) for label, ref in rows] + wallet_words.receipt_fact(payment)


def _people(session: Session, shown: Shown) -> list[Fact]:
    payment = shown.payment
    names = desk.names_of(session, [payment.buyer_id, payment.seller_id], actor=shown.actor)
    merchants = desk.merchants_of(session, [payment.merchant_id])
    if wallet_words.is_without_order(payment):
        name = names.get(payment.buyer_id or "", "Nobody named")
        merchant = merchants.get(payment.merchant_id, payment.merchant_id)
        found = wallet_words.people_facts(payment, name, merchant)
        return [*found, Fact("Purpose", payments.purpose(payment))]
    found = [
        Fact("Buyer", names.get(payment.buyer_id or "", "Nobody named")),
        Fact("Seller", names.get(payment.seller_id or "", "Nobody named")),
        Fact("Merchant", merchants.get(payment.merchant_id, payment.merchant_id)),
        Fact("Purpose", payments.purpose(payment)),
    ]
    if shown.order is not None:
        found.append(Fact("Order", shown.order.description, href=f"/orders/{shown.order.id}"))
    return found


def _standing(payment: Payment) -> list[Fact]:
    found = [
        Fact("Status", payment.status),
        Fact(
            "Lifecycle",
            lifecycle(payment.status, payment.failure_reason).value,
            note=f"mapping v{MAPPING_VERSION}",
        ),
    ]
    if not wallet_words.is_without_order(payment):
        found.append(Fact("Escrow", payment.escrow_state.replace("_", " ")))
    found += wallet_words.source_facts(payment)
    if payment.provider_code:
        found.append(Fact("Last answer", payment.provider_code, note=payment.provider_message))
    found.append(Fact("Method", wallet_words.method_of(payment)))
    found += hold_words.standing_facts(payment)
    if payment.status == Status.PENDING and payment.expires_at:
        found.append(Fact("Open until", at=words.moment(payment.expires_at)))
    found.append(Fact("Created", at=words.moment(payment.created_at)))
    return [*found, Fact("Changed", at=words.moment(payment.updated_at))]


def notes(
    session: Session, shown: Shown, *, value: str = "", error: str | None = None
) -> tuple[list[View], View | None]:
    """Prepare the notes and the form for a new one; staff only, the form for who may write."""
    if not shown.actor.is_staff:
        return [], None
    rows = desk.notes_of(session, shown.payment.id)
    names = naming.actor_names(session, [row.actor for row in rows], for_staff=True)
    found: list[View] = [
        {
            "id": row.id,
            "actor": words.person(row.actor, names),
            "at": words.moment(row.at),
            "text": row.note,
        }
        for row in rows
    ]
    if not shown.actor.may(Permission.PAYMENTS_NOTE):
        return found, None
    field = Input(
        "note",
        "Add a note",
        "text-area",
        value=value,
        error=error,
        hint="Staff read it, customers do not. No card numbers.",
        required=True,
        maxlength=LONGEST_NOTE,
    )
    return found, {"action": f"{shown.href}/notes", "field": field}
