"""The truth about a payment, whichever wire asked for it: its states and the money that it moves."""

from __future__ import annotations

from sandbox.bank import accounts, wires
from sandbox.bank.banks import BANKS, Bank
from sandbox.bank.world import GOCARDLESS, PAYMENT, TRUELAYER, Call
from sandbox.common.wire import Obj

# created → visited → authorised → executed → settled, or failed, or cancelled.
OPEN = ("created", "visited")
TAKEN = ("executed", "settled")


class WrongState(ValueError):
    """An act that the payment's state forbids; says why."""


def create(call: Call, wire: str, payment_id: str, content: Obj) -> Obj:
    """Take a payment down that somebody wants to have paid.

    `content` holds amount, currency, reference, metadata, payer, and what its wire needs. Writes: the payment.
    """
    payment: Obj = {
        "id": payment_id,
        "wire": wire,
        "status": "created",
        "created": call.ms,
        "created_at": call.moment,
        "bank": None,
        "payee": call.settings.payee,
        "description": None,
        "refunded": 0,
        "payout": None,
        **dict.fromkeys(("settled", "late_failed", "charged_back", "disputed", "reversed",
                         "stalled"), False),
    }  # fmt: skip
    return call.store.put(PAYMENT, payment | content | {"_group": wire})


def find(call: Call, payment_id: str) -> Obj | None:
    """Return a payment by its id on either wire, also by GoCardless' `PM…`."""
    found = call.store.find(PAYMENT, payment_id)
    if found is None and payment_id.startswith("PM"):
        found = next(call.store.of(PAYMENT, payment_id), None)
    return found


def bank_of(payment: Obj) -> Bank:
    """Return the bank that the payer chose."""
    return BANKS[payment["bank"]]


def visit(call: Call, payment: Obj) -> None:
    """Note that the payer has come. Emits: what the wire says then."""
    if payment["status"] == "created":
        _put(call, payment, status="visited")
        wires.tell(call, payment, "visited")


def choose(call: Call, payment: Obj, bank: Bank) -> None:
    """Note which bank the payer chose."""
    numbers = accounts.numbers(payment["payer"], payment["currency"], bank.sort_code)
    _put(call, payment, bank=bank.id, payer_account=numbers)
    wires.tell(call, payment, "chosen")


def authorise(call: Call, payment: Obj) -> None:
    """Let the payer agree: the bank executes it, now or later settles it, or refuses."""
    _require(payment, OPEN)
    bank = bank_of(payment)
    if bank.refuses:
        refuse(call, payment, by="bank")
        return
    _put(call, payment, status="authorised", authorised=True, authorised_at=call.moment)
    wires.tell(call, payment, "authorised")
    execute(call, payment)
    if bank.is_slow:
        call.later("settle", payment["id"], seconds=call.settings.settle_seconds)
    elif ends_settled(payment):
        settle(call, payment)


def refuse(call: Call, payment: Obj, *, by: str) -> None:
    """End an attempt that the payer or the bank refused; GoCardless lets the payer try again."""
    _require(payment, OPEN)
    if payment["wire"] == GOCARDLESS:
        _put(call, payment, status="created")
        wires.tell(call, payment, "denied" if by == "payer" else "refused")
    else:
        fail(call, payment, "authorization_failed" if by == "payer" else "provider_rejected")


def execute(call: Call, payment: Obj) -> None:
    """Let the payer's bank send the money. Emits: executed."""
    _put(call, payment, status="executed", executed_at=call.moment)
    if not ends_settled(payment) and payment["iban"] == accounts.iban("bank", payment["currency"]):
        _book(call, payment, "bank", payment["amount"], "payment")
    wires.tell(call, payment, "executed")


def ends_settled(payment: Obj) -> bool:
    """Return whether the money goes to an account that the provider can look into."""
    return payment["iban"] is None


def settle(call: Call, payment: Obj) -> None:
    """Let the money arrive at the provider. Writes: bookings. Emits: settled."""
    _require(payment, ("executed",))
    if not ends_settled(payment):
        raise WrongState("a payment to an external account ends executed")
    _put(call, payment, status="settled", settled=True, settled_at=call.moment)
    kind = "payment" if payment["wire"] == TRUELAYER else "payment_paid_out"
    _book(call, payment, payment["wire"], payment["amount"], kind)
    if payment["wire"] == GOCARDLESS and call.settings.fee:
        _book(call, payment, payment["wire"], -call.settings.fee, "gocardless_fee")
    wires.tell(call, payment, "settled")


def fail(call: Call, payment: Obj, reason: str) -> None:
    """Fail a payment that has not settled. Emits: failed."""
    _require(payment, (*OPEN, "authorised", "executed"))
    stage = payment["status"]
    _put(call, payment, status="failed", failed_at=call.moment, stage=stage, reason=reason)
    wires.tell(call, payment, "failed")


def cancel(call: Call, payment: Obj) -> None:
    """Withdraw a payment that nobody has agreed to yet."""
    _require(payment, OPEN)
    if payment["wire"] == TRUELAYER:
        fail(call, payment, "canceled")
        return
    _put(call, payment, status="cancelled")
    wires.tell(call, payment, "cancelled")


def late_failure(call: Call, payment: Obj) -> None:
    """Fail a payment that was already good: GoCardless takes the money back with its next payout."""
    if payment["wire"] == TRUELAYER:
        if payment["settled"]:
            raise WrongState("TrueLayer knows no failure after settlement; use reverse")
        _require(payment, ("executed",))
        fail(call, payment, "provider_rejected")
        return
    _require_settled(payment, "late_failed", "charged_back")
    _book(call, payment, payment["wire"], -payment["amount"], "payment_failed")
    _put(call, payment, late_failed=True, status="failed")
    wires.tell(call, payment, "late_failed")


def charge_back(call: Call, payment: Obj) -> None:
    """Let the payer dispute it: GoCardless takes the money, TrueLayer only tells."""
    if payment["wire"] == TRUELAYER:
        _require_settled(payment, "disputed", "reversed")
        _put(call, payment, disputed=True, disputed_at=call.moment)
        wires.tell(call, payment, "disputed")
        return
    _require_settled(payment, "late_failed", "charged_back")
    _book(call, payment, payment["wire"], -payment["amount"], "payment_charged_back")
    _put(call, payment, charged_back=True)
    wires.tell(call, payment, "charged_back")


def cancel_chargeback(call: Call, payment: Obj) -> None:
    """Let the payer take a chargeback back, which only GoCardless has a word for."""
    if payment["wire"] != GOCARDLESS or not payment["charged_back"]:
        raise WrongState("only a payment charged back over GoCardless can have that cancelled")
    _book(call, payment, payment["wire"], payment["amount"], "payment_paid_out")
    _put(call, payment, charged_back=False)
    wires.tell(call, payment, "chargeback_cancelled")


def reverse(call: Call, payment: Obj) -> None:
    """Take settled money out of a merchant account again, which only TrueLayer has a word for."""
    if payment["wire"] != TRUELAYER:
        raise WrongState("GoCardless knows no reversal; use chargeback or late_failure")
    _require_settled(payment, "reversed")
    _book(call, payment, payment["wire"], -payment["amount"], "reversal")
    _put(call, payment, reversed=True, reversed_at=call.moment)
    wires.tell(call, payment, "reversed")


def stall(call: Call, payment: Obj) -> None:
    """Keep an executed payment from settling by itself."""
    _require(payment, ("executed",))
    _put(call, payment, stalled=True, stalled_at=call.moment)
    wires.tell(call, payment, "stalled")


def creditable(call: Call, payment: Obj) -> None:
    """Let TrueLayer say that the payer may be credited already."""
    _require(payment, ("authorised", *TAKEN))
    _put(call, payment, creditable_at=call.moment)
    wires.tell(call, payment, "creditable")


def _put(call: Call, payment: Obj, **changed: object) -> None:
    payment |= changed
    call.store.put(PAYMENT, payment)


def _book(call: Call, payment: Obj, holder: str, amount: int, kind: str) -> None:
    accounts.book(
        call,
        holder,
        payment,
        amount,
        kind=kind,
        name=payment["payer"],
        iban=payment["payer_account"]["iban"],
        reference=payment["reference"],
        is_due=holder == GOCARDLESS,
    )


def _require(payment: Obj, states: tuple[str, ...]) -> None:
    if payment["status"] not in states:
        raise WrongState(f"{payment['id']} is {payment['status']}, not {' or '.join(states)}")


def _require_settled(payment: Obj, *never: str) -> None:
    done = [word for word in never if payment[word]]
    if not payment["settled"] or done:
        raise WrongState(f"{payment['id']} is {', '.join(done) or payment['status']}")
