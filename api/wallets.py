"""Wallets: what a person paid in and may spend, what is on its way into it, and its movements."""

from __future__ import annotations

from typing import Any, Literal

from flask import Blueprint

from api.contract import (
    Answer,
    Call,
    MoneyOut,
    NoBody,
    Out,
    PageQuery,
    endpoint,
    money_out,
    place_of,
)
from api.contract.paging import cursor
from core import clock
from core.permissions import Permission
from core.purposes import TRANSACTION_TYPE, Purpose
from domain.books import wallets
from domain.books.wallets import Balance, Entry
from domain.database import reading
from domain.payments.payments import Page

blueprint = Blueprint("wallets", __name__)


class WalletBalanceOut(Out):
    """What a wallet holds of one currency. `balance` moves on Confirmed only; `pending` is asked for and not
    there, `paid` is on its way and not final: neither can be spent.
    """

    balance: MoneyOut
    pending: MoneyOut
    paid: MoneyOut


class WalletEntryOut(Out):
    """One movement, with the balance of its currency after it. transactionId: null when none is behind it."""

    entry_id: str
    kind: str
    direction: Literal["in", "out"]
    amount: MoneyOut
    balance_after: MoneyOut
    transaction_id: str | None
    transaction_type: Literal["payment", "coupon", "payment_method_validation"] | None
    at: str


class WalletOut(Out):
    """A wallet, newest movements first; go on with `cursor=nextCursor` until that is null. A merchant sees
    what came through it.
    """

    user_id: str
    balances: list[WalletBalanceOut]
    entries: list[WalletEntryOut]
    next_cursor: str | None


def _balance(found: Balance) -> dict[str, Any]:
    return {
        "balance": money_out(found.balance),
        "pending": money_out(found.pending),
        "paid": money_out(found.paid),
    }


def _entry(found: Entry) -> dict[str, Any]:
    purpose = Purpose(found.purpose) if found.purpose else None
    return {
        "entryId": found.id,
        "kind": found.kind,
        "direction": "in" if found.is_credit else "out",
        "amount": money_out(found.amount),
        "balanceAfter": money_out(found.after),
        "transactionId": found.payment_id,
        "transactionType": TRANSACTION_TYPE.get(purpose) if purpose else None,
        "at": clock.rfc3339(found.at),
    }


@endpoint(
    blueprint,
    "GET",
    "/api/wallets/{userId}",
    access=Permission.WALLETS_READ,
    query=PageQuery,
    answers={200: WalletOut},
    errors=("NOT_FOUND",),
    summary="Read a person's wallet: one's own, staff all, a merchant of who has paid it.",
    requirement="S220",
)
def show(call: Call[NoBody, PageQuery]) -> Answer:
    user_id, place = call.path["userId"], place_of(call.query)
    with reading() as session:
        wallets.get_owner(session, user_id, actor=call.actor)
        found, more = wallets.list_entries(
            session, user_id, actor=call.actor, page=Page(place.limit, place.before)
        )
        sums = wallets.balances(session, user_id, actor=call.actor)
    body = {
        "userId": user_id,
        "balances": [_balance(each) for each in sums],
        "entries": [_entry(each) for each in found],
        "nextCursor": cursor(more) if more else None,
    }
    return Answer(200, body)
