"""What each operation of TrueLayer's API does, without its door."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from uuid import uuid4

from sandbox.bank import accounts, payments, payouts, refunds
from sandbox.bank.truelayer import fields, shapes, tokens
from sandbox.bank.truelayer.problems import Problem, conflict, invalid, not_found
from sandbox.bank.world import CURRENCIES, PAYOUT, REFUND, TRUELAYER, Call
from sandbox.common.wire import Obj

Answer = tuple[int, Obj]

PAGE = 50


def create_payment(call: Call, sent: Obj) -> Answer:
    """Answer `POST /v3/payments`."""
    amount, currency = fields.amount(sent), fields.currency(sent)
    if fields.at(sent, "payment_method.type") != "bank_transfer":
        raise invalid("payment_method.type", "Unknown value. Valid values are 'bank_transfer'.")
    beneficiary = _beneficiary(sent, currency)
    payment_id = str(uuid4())
    user = fields.at(sent, "user.id") or str(uuid4())
    payer = fields.at(sent, "user.name") or "Test Payer"
    reference = beneficiary.get("reference") or payment_id.replace("-", "")[:18]
    payments.create(
        call,
        TRUELAYER,
        payment_id,
        {
            "amount": amount,
            "currency": currency,
            "reference": reference,
            "payee": beneficiary.get("account_holder_name") or call.settings.payee,
            "iban": _iban_of(beneficiary),
            "metadata": fields.metadata(sent),
            "method": sent["payment_method"] | {"beneficiary": beneficiary},
            "user": user,
            "payer": str(payer)[:140],
            "source": str(uuid4()),
        },
    )
    call.later("expire", payment_id, seconds=call.settings.expire_seconds)
    token = tokens.issue(call, f"payment:{payment_id}", tokens.RESOURCE_SECONDS)
    return 201, {
        "id": payment_id,
        "user": {"id": user},
        "resource_token": token,
        "status": shapes.status("created"),
    }


def _beneficiary(sent: Obj, currency: str) -> Obj:
    found = fields.at(sent, "payment_method.beneficiary")
    kind = fields.at(sent, "payment_method.beneficiary.type")
    if kind == "merchant_account":
        given = fields.text(sent, "payment_method.beneficiary.merchant_account_id")
        if given != accounts.merchant_account_id(currency):
            raise invalid("payment_method.beneficiary.merchant_account_id",
                          f"No merchant account in {currency} has this id.")  # fmt: skip
    elif kind == "external_account":
        fields.text(sent, "payment_method.beneficiary.account_holder_name")
        fields.text(sent, "payment_method.beneficiary.reference")
        fields.text(sent, "payment_method.beneficiary.account_identifier.type")
    else:
        raise invalid("payment_method.beneficiary.type",
                      "Unknown value. Valid values are 'merchant_account', 'external_account'.")  # fmt: skip
    return dict(found)


def _iban_of(beneficiary: Obj) -> str | None:
    """Return the IBAN of an external account; a sort code and number are put as they are."""
    if beneficiary["type"] == "merchant_account":
        return None
    given = beneficiary["account_identifier"]
    return str(given.get("iban") or f"{given.get('sort_code')}{given.get('account_number')}")


def read_payment(call: Call, _sent: Obj, payment_id: str) -> Answer:
    """Answer `GET /v3/payments/{id}`."""
    return 200, shapes.payment(_payment(call, payment_id))


def cancel_payment(call: Call, _sent: Obj, payment_id: str) -> Answer:
    """Answer `POST /v3/payments/{id}/actions/cancel`."""
    payments.cancel(call, _payment(call, payment_id))
    return 202, {}


def create_refund(call: Call, sent: Obj, payment_id: str) -> Answer:
    """Answer `POST /v3/payments/{id}/refunds`: all that is left, or a part of it."""
    payment = _payment(call, payment_id)
    left = refunds.left(payment)
    amount = fields.amount(sent) if "amount_in_minor" in sent else left
    reference = fields.text(sent, "reference", longest=35)
    if payment["status"] != "settled":
        raise conflict("Only a settled payment can be refunded.")
    if amount > left or amount < 1:
        raise invalid("amount_in_minor", f"At most {left} can be refunded.")
    content = {"reference": reference, "metadata": fields.metadata(sent)}
    return 202, {"id": refunds.create(call, payment, str(uuid4()), amount, content)["id"]}


def list_refunds(call: Call, _sent: Obj, payment_id: str) -> Answer:
    """Answer `GET /v3/payments/{id}/refunds`."""
    _payment(call, payment_id)
    return 200, {"items": [shapes.refund(each) for each in call.store.of(REFUND, payment_id)]}


def read_refund(call: Call, _sent: Obj, payment_id: str, refund_id: str) -> Answer:
    """Answer `GET /v3/payments/{id}/refunds/{id}`."""
    found = call.store.find(REFUND, refund_id)
    if found is None or found["payment"] != payment_id:
        raise not_found("Refund")
    return 200, shapes.refund(found)


def list_merchant_accounts(call: Call, _sent: Obj) -> Answer:
    """Answer `GET /v3/merchant-accounts`."""
    return 200, {"items": [shapes.merchant_account(call, code) for code in CURRENCIES]}


def read_merchant_account(call: Call, _sent: Obj, account_id: str) -> Answer:
    """Answer `GET /v3/merchant-accounts/{id}`."""
    return 200, shapes.merchant_account(call, _currency(account_id))


def list_transactions(call: Call, sent: Obj, account_id: str) -> Answer:
    """Answer `GET /v3/merchant-accounts/{id}/transactions`, newest first."""
    currency = _currency(account_id)
    since, until = _time(sent, "from"), _time(sent, "to")
    limit = min(PAGE, int(sent.get("limit", PAGE)))
    last = _seq_of(str(sent["cursor"])) if sent.get("cursor") else None
    found = [
        (number, booking)
        for number, booking in enumerate(accounts.booked(call, TRUELAYER, currency))
        if since <= booking["at"] <= until and (last is None or number < last)
    ][::-1]
    shown = [(number, shapes.transaction(call, booking)) for number, booking in found]
    if sent.get("type"):
        shown = [(number, line) for number, line in shown if line["type"] == sent["type"]]
    page: Obj = {"items": [line for _, line in shown[:limit]]}
    if len(shown) > limit:
        page["pagination"] = {"next_cursor": _cursor(shown[limit - 1][0])}
    return 200, page


def _cursor(number: int) -> str:
    return base64.b64encode(f"before:{number}".encode()).decode()


def _seq_of(cursor: str) -> int:
    try:
        word, _, number = base64.b64decode(cursor, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise invalid("cursor", "This is no cursor.") from error
    if word != "before" or not number.isdecimal():
        raise invalid("cursor", "This is no cursor.")
    return int(number)


def _time(sent: Obj, name: str) -> float:
    try:
        found = datetime.fromisoformat(str(sent[name]))
    except KeyError as error:
        raise invalid(name, "This parameter is required.") from error
    except ValueError as error:
        raise invalid(name, "An ISO 8601 time is required.") from error
    if found.tzinfo is None:
        raise invalid(name, "A time needs its offset.")
    return found.timestamp()


def create_payout(call: Call, sent: Obj) -> Answer:
    """Answer `POST /v3/payouts`: to ourselves, to an account, or to whoever paid us."""
    amount, currency = fields.amount(sent), fields.currency(sent)
    if _currency(fields.text(sent, "merchant_account_id")) != currency:
        raise invalid("currency", "The merchant account is in another currency.")
    to = _payee(call, sent, currency)
    reference = fields.text(sent, "beneficiary.reference", longest=35)
    content = {
        "currency": currency,
        "reference": reference,
        "metadata": fields.metadata(sent),
        "beneficiary": dict(sent["beneficiary"]),
        **to,
    }
    made = payouts.create(call, TRUELAYER, str(uuid4()), amount, content)
    call.later("payout", made["id"], seconds=call.settings.refund_seconds)
    return 202, {"id": made["id"]}


def _payee(call: Call, sent: Obj, currency: str) -> Obj:
    kind = fields.at(sent, "beneficiary.type")
    if kind == "business_account":
        return {"name": call.settings.payee, "iban": accounts.iban(accounts.BANK, currency)}
    if kind == "external_account":
        iban = fields.at(sent, "beneficiary.account_identifier.iban")
        name = fields.text(sent, "beneficiary.account_holder_name")
        number = fields.at(sent, "beneficiary.account_identifier.account_number")
        if not iban and not number:
            raise invalid("beneficiary.account_identifier", "An IBAN or a number is required.")
        return {"name": name, "iban": str(iban or number)}
    if kind == "payment_source":
        wanted = fields.text(sent, "beneficiary.payment_source_id")
        found = [each for each in call.store.every("payment") if each.get("source") == wanted]
        if not found:
            raise invalid("beneficiary.payment_source_id", "There is no such payment source.")
        return {"name": found[0]["payer"], "iban": found[0]["payer_account"]["iban"]}
    names = "'business_account', 'external_account', 'payment_source'"
    raise invalid("beneficiary.type", f"Unknown value. Valid values are {names}.")


def read_payout(call: Call, _sent: Obj, payout_id: str) -> Answer:
    """Answer `GET /v3/payouts/{id}`."""
    found = call.store.find(PAYOUT, payout_id)
    if found is None or found["wire"] != TRUELAYER:
        raise not_found("Payout")
    return 200, shapes.payout(found)


def _payment(call: Call, payment_id: str) -> Obj:
    found = payments.find(call, payment_id)
    if found is None or found["wire"] != TRUELAYER:
        raise not_found("Payment")
    return found


def _currency(account_id: str) -> str:
    found = accounts.currency_of(account_id)
    if found is None:
        raise Problem(404, "Not Found", "Merchant account could not be found.")
    return found
