"""Acts on cards over the wire whose answers the stand-in loses, and what it then says really happened."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from core.errors import AppError
from core.states import Role
from domain import database
from domain.jobs import janitor, worker
from domain.payments import kept_cards
from tests.api import personas
from tests.api.personas import Persona
from tests.reliability import clients
from tests.reliability.clients import Answer, Buyer
from tests.reliability.stage import Stage

CREATE, CAPTURE = "payment_intents.create", "payment_intents.capture"
HELD = "payment_intent.amount_capturable_updated"
# So many clients are at work at once.
CLIENTS = 4
MINOR = 2_500
_LOCK = threading.Lock()
_PEOPLE: dict[str, dict[str, Persona]] = {}


def person(stage: Stage, name: str, role: Role) -> Persona:
    """Give one person of the stage, made when first asked for."""
    with _LOCK:
        known = _PEOPLE.setdefault(stage.url, {})
        if name not in known:
            known[name] = personas.user(f"{name}-loses@people.test", role=role)
        return known[name]


def together(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run many acts by a few clients at once. Gives what they came to, in order."""
    came: list[Any] = [None] * len(acts)
    failed: list[Exception] = []
    left = iter(range(len(acts)))

    def run() -> None:
        while not failed:
            with _LOCK:
                number = next(left, None)
            if number is None:
                return
            try:
                came[number] = acts[number]()
            except (*clients.BROKEN, AssertionError, AppError) as error:
                failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return came


def lose(stage: Stage, op: str, kind: str, acts: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Carry acts out whose answers all get lost, those to the adapter's second try too; each says unknown."""
    stage.provider.fault({"op": op, "kind": kind, "times": None})
    answers = together(acts)
    stage.provider.control("DELETE", "faults")
    assert Counter(answer.status for answer in answers) == {202: len(acts)}
    assert {answer.json["status"] for answer in answers} == {"unknown"}
    return answers


def resolve(stage: Stage) -> None:
    """Have the janitor look at every operation whose outcome is open, until none is or it has no more to say."""
    stage.bind()
    for _ in range(2):
        stage.hurry()
        while janitor.finish_operation():
            pass


def unresolved(stage: Stage, operation_ids: set[str]) -> set[str]:
    """Name the operations that neither ended nor are a case somebody owns."""
    open_ = stage.ask("select id from operations where state not in ('succeeded', 'failed')")
    owned = stage.ask(
        "select operation_id from exception_cases where state in ('open', 'assigned')"
    )
    return operation_ids & ({row[0] for row in open_} - {row[0] for row in owned})


@dataclass
class Ledger:
    """What the provider itself says it made and took, by our payments' ids."""

    made: Counter[str] = field(default_factory=Counter)
    taken: dict[str, list[int]] = field(default_factory=dict)


def truth(stage: Stage) -> Ledger:
    """Read the stand-in's own ledger."""
    ledger = Ledger()
    for intent in stage.provider.control("GET", "ledger").values():
        payment_id = intent["metadata"]["payment_id"]
        ledger.made[payment_id] += 1
        amounts = [capture["amount"] for capture in intent["captures"]]
        ledger.taken.setdefault(payment_id, []).extend(amounts)
    return ledger


def begin(stage: Stage, **more: object) -> dict[str, Any]:
    """Start the payment of a new order."""
    buyer = stage.buyer
    said = {"orderId": buyer.order(minor=MINOR)} | more
    answer = buyer.ask("/api/payments/intents", said)
    assert answer.status in (201, 202), answer
    begun = answer.json
    buyer.payments.add(str(begun["paymentId"]))
    return begun | {"answer": answer}


def cancel_there(stage: Stage, reference: str) -> None:
    """End an intent in the provider's own dashboard."""
    stage.provider.call("POST", f"payment_intents/{reference}/cancel")


def hold(stage: Stage) -> str:
    """Have an amount held on a card, and heard of. Gives the payment's id."""
    begun = begin(stage, captureMethod="manual")
    stage.provider.pay(begun["providerReference"])
    return str(begun["paymentId"])


def holds(stage: Stage, times: int) -> list[str]:
    """Have many amounts held on cards, and heard of. Gives the payments' ids."""
    payment_ids = together([partial(hold, stage)] * times)
    for event in stage.provider.events():
        if event["type"] == HELD and event["id"] not in stage.provider.acked:
            stage.provider.deliver(event)
    # The others say nothing more, and there are many of them.
    stage.provider.skip_new()
    hear(stage)
    held = stage.ask("select id from payments where sub_state = 'requires_capture'")
    assert set(payment_ids) <= {row[0] for row in held}
    return payment_ids


def hear(stage: Stage) -> None:
    """Deliver what the stand-in has to tell, and apply it."""
    stage.provider.deliver_new()
    stage.bind()
    while worker.work_until_idle():
        pass


def capture(stage: Stage, payment_id: str, *, minor: int | None = None) -> Answer:
    """Take what is held, as somebody of finance does over the API."""
    fin = person(stage, "fin", Role.FINANCE)
    client = Buyer(stage.buyer.url, fin.token, stage.hurry)
    said = {"amount": {"amount": f"{minor / 100:.2f}", "currency": "EUR"}} if minor else {}
    return client.ask(f"/api/payments/{payment_id}/capture", said)


def keep_card(stage: Stage, name: str = "visa") -> tuple[Persona, str]:
    """Have a person keep a card at the provider, and heard of. Gives both."""
    owner = person(stage, "bo", Role.BUYER)
    customer = kept_cards.ensure_customer(owner.id, "stripe", livemode=False)
    path = f"payment_methods/pm_card_{name}/attach"
    card = stage.provider.call("POST", path, customer=customer)["id"]
    hear(stage)
    with database.reading() as session:
        assert card in {row.id for row in kept_cards.list_cards(session, owner.id)}
    return owner, card


def top_up(stage: Stage, owner: Persona, card: str, *, minor: int = MINOR) -> Answer:
    """Pay into a person's wallet with their kept card, in one call with a key of its own."""
    key = clients.new_key()
    said = {
        "paymentMethodId": card,
        "amount": f"{minor // 100}.{minor % 100:02}",
        "currency": "eur",
        "idempotencyKey": key,
    }
    client = Buyer(stage.buyer.url, owner.token, stage.hurry)
    answer = client.ask("/v1/stripe/transactions/confirm", said, key=key)
    stage.buyer.payments.add(str(answer.json["transactionId"]))
    return answer
