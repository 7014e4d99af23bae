"""Coupons become credit: looked up at the provider, written down as a transaction, spent once per person."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Conflict, InvalidInput, LostRace, NotFound, ProviderUnavailable
from core.money import Money
from core.purposes import Purpose
from core.strictjson import Json
from domain import database
from domain.actors import Actor
from domain.orders.orders import visible
from domain.payments import calls, coupon_uses, kept_cards, transactions
from domain.payments.intents import Begun
from domain.payments.transactions import TransactionWanted
from models.effects import CouponUse
from models.payments import Payment
from providers import registry
from providers.coupon_seam import SaidCoupon
from providers.deliveries import UnreadableDelivery

PROVIDER = "stripe"


def look_up(user_id: str, text: str, *, livemode: bool) -> SaidCoupon | None:
    """Ask the provider about what a person typed; None when they have applied that coupon already.

    Calls: the provider, reads only, with no transaction open. Raises: NotFound COUPON_NOT_FOUND,
    InvalidInput COUPON_EXPIRED or COUPON_UNSUPPORTED, RailNotConfigured, the provider errors.
    Transaction: opens its own.
    """
    rail = registry.configured(PROVIDER, livemode=livemode)
    with database.reading() as session:
        if coupon_uses.find_open(session, user_id, text, livemode=livemode) is not None:
            return None
        customer = kept_cards.customer_of(session, user_id, PROVIDER, livemode)
    try:
        found = rail.find_coupon(text, customer=customer)
    except UnreadableDelivery as error:
        raise ProviderUnavailable("The provider's answer cannot be read.") from error
    if found is None:
        raise NotFound("There is no such coupon or code.", code="COUPON_NOT_FOUND")
    _amount_of(found)
    return found


def _amount_of(found: SaidCoupon) -> Money:
    """Give what a coupon that can be spent is worth.

    Raises: InvalidInput COUPON_EXPIRED, COUPON_UNSUPPORTED
    """
    if found.is_over:
        raise InvalidInput(
            "This coupon has expired or is used up. Nothing was credited.", code="COUPON_EXPIRED"
        )
    if found.obstacle is not None or found.amount is None:
        said = found.obstacle or "It is not over a fixed amount."
        raise InvalidInput(f"This coupon cannot be used. {said}", code="COUPON_UNSUPPORTED")
    return found.amount


def begin(
    session: Session, user_id: str, found: SaidCoupon, *, livemode: bool, actor: Actor, source: str
) -> Begun:
    """Write the transaction of a coupon and its operation down, or take up one that broke off.

    The person's row is locked, and unique keys stand behind the check: a coupon counts once per person
    for as long as its transaction has not ended without money.
    Writes: coupon_uses and as `transactions.begin`. Emits: as that. Raises: as that, InvalidInput,
    Conflict COUPON_ALREADY_APPLIED. Transaction: caller's; the provider is called after its commit.
    """
    amount = _amount_of(found)
    transactions.assert_verified(session, user_id)
    key = coupon_uses.open_key(user_id, PROVIDER, found.coupon_id, livemode=livemode)
    transactions.lock_person(session, user_id)
    if (known := coupon_uses.find_by_key(session, key)) is not None:
        return _take_up(session, known, actor)
    wanted = TransactionWanted(
        Purpose.COUPON,
        user_id,
        calls.APPLY_COUPON,
        amount,
        open_key=f"coupon:{key}",
        request=_request(found, amount),
        method="invoice",
        provider=PROVIDER,
        livemode=livemode,
    )
    begun = transactions.begin(session, wanted, actor=actor, source=source)
    use = CouponUse(
        id=ids.new("cpn"),
        user_id=user_id,
        payment_id=begun.payment.id,
        provider=PROVIDER,
        coupon_id=found.coupon_id,
        code=found.code,
        name=found.name,
        amount_minor=amount.minor,
        asset=str(amount.asset),
        invoice_reference=None,
        open_key=key,
        created_at=clock.now(),
    )
    session.add(use)
    session.flush()
    return begun


def _request(found: SaidCoupon, amount: Money) -> dict[str, Json]:
    return {
        "coupon": found.coupon_id,
        "promotion": found.promotion,
        "description": found.name or "Coupon",
        "amountMinor": amount.minor,
        "asset": str(amount.asset),
    }


def go_on(session: Session, user_id: str, text: str, *, livemode: bool, actor: Actor) -> Begun:
    """Go on with a coupon that a person applied before, if that broke off.

    Raises: Conflict COUPON_ALREADY_APPLIED, LostRace. Transaction: caller's.
    """
    transactions.lock_person(session, user_id)
    known = coupon_uses.find_open(session, user_id, text, livemode=livemode)
    if known is None:
        # It ended without money since; asked once more, the provider is looked at anew.
        raise LostRace
    return _take_up(session, known, actor)


def _take_up(session: Session, use: CouponUse, actor: Actor) -> Begun:
    """Go on with a use whose invoice is not known to be made; one that is made is not made again.

    Whoever may not see the transaction learns only that the coupon is spent.
    """
    own = (Payment.id == use.payment_id, *visible(actor, Payment))
    payment = session.scalars(select(Payment).where(*own)).first()
    if payment is not None and (begun := transactions.go_on(session, payment)).fence is not None:
        return begun
    raise Conflict(
        "This coupon has been applied already.",
        code="COUPON_ALREADY_APPLIED",
        details={"transactionId": payment.id} if payment is not None else None,
    )
