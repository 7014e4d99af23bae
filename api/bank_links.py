"""Starting a payment from the payer's own bank: a link that leads them there."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from api import shapes
from api.contract import Answer, Call, In, MoneyOut, NoQuery, Out, endpoint
from api.contract.records import ErrorOut
from api.intents import ERRORS, Id, Purpose, Ref, Url, pay, return_url
from api.operations import EtaOut
from api.shapes import PaymentWord, UnknownOut
from core import clock
from core.money import asset
from core.permissions import Permission
from domain.delays import eta
from domain.payments.intents import PaymentWanted
from models.payments import Payment

blueprint = Blueprint("bank_links", __name__)


class LinkIn(In):
    """What to pay. `returnUrl`: where the payer is sent on to after their bank (on PUBLIC_URL or
    CORS_ORIGINS); `reference`: your own name of it, which the bank statement shows as well.
    """

    order_id: Id
    purpose: Purpose = "deposit"
    return_url: Url | None = None
    reference: Ref | None = None


class LinkOut(Out):
    """A payment to be agreed to at the payer's bank, by the page at `url`."""

    payment_id: str
    order_id: str | None
    status: PaymentWord
    url: str | None
    provider: str
    provider_reference: str | None
    bank_reference: str | None
    amount: MoneyOut
    eta: EtaOut | None
    pay_url: str
    expires_at: str | None


def link_out(session, payment: Payment) -> dict[str, Any]:
    """Write a bank payment as the payer needs it."""
