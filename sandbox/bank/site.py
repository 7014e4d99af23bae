"""What a payer sees: the provider's choice of banks, then the bank's login, code and consent."""

from __future__ import annotations

import re
from pathlib import Path

from sandbox.bank import journeys, money, payments
from sandbox.bank.banks import BANKS, Bank
from sandbox.bank.world import GOCARDLESS, PAYMENT, TRUELAYER, Call, World, unit
from sandbox.common import pages
from sandbox.common.wire import Obj, Reply, Request

OWN = pages.Pages(Path(__file__).parent)
_PROVIDERS = {TRUELAYER: "TrueLayer", GOCARDLESS: "GoCardless"}
WRONG_CODE = "000000"
_CODE = re.compile(r"\d{6}")


def answer(world: World, request: Request) -> Reply:
    """Answer a page, a script or a style sheet."""
    return OWN.answer(_PAGES, request, world)


def _entrance(world: World, request: Request) -> Reply:
    """Answer `GET /payments`: TrueLayer's fields are in the fragment, which only a script can read."""
    return _enter(world, request) if request.query else OWN.page("entrance.html", framed=False)


def _enter(world: World, request: Request) -> Reply:
    """Answer `GET /pay?payment_id=…`."""
    with unit(world) as call:
        return _begun(journeys.start_truelayer(call, request.asked()))


def _flow(world: World, request: Request) -> Reply:
    """Answer `GET /billing/static/flow?id=…`."""
    with unit(world) as call:
        return _begun(journeys.start_gocardless(call, request.asked().get("id", "")))


def _begun(journey: Obj | None) -> Reply:
    if journey is None:
        return OWN.page("not_found.html", status=404, framed=False)
    if journey["bank"]:
        return pages.redirect(f"/bank/{journey['id']}/login")
    return pages.redirect(f"/pay/{journey['id']}")


def _banks(world: World, _request: Request, journey_id: str) -> Reply:
    """Answer `GET /pay/{journey}`."""
    with unit(world) as call:
        found = _open(call, journey_id)
        return found if isinstance(found, Reply) else _choice(*found)


def _choice(journey: Obj, payment: Obj, problem: str | None = None) -> Reply:
    return OWN.page(
        "banks.html",
        status=402 if problem else 200,
        framed=False,
        banks=list(BANKS.values()),
        problem=problem,
        provider=_PROVIDERS[payment["wire"]],
        **_shown(journey, payment),
    )


def _choose(world: World, request: Request, journey_id: str) -> Reply:
    """Answer `POST /pay/{journey}`."""
    bank = BANKS.get(request.form().get("bank", ""))
    with unit(world) as call:
        found = _open(call, journey_id)
        if isinstance(found, Reply):
            return found
        journey, payment = found
        if bank is None:
            return _choice(journey, payment, "Choose a bank.")
        call.store.put(journeys.KIND, journey | {"bank": bank.id, "known": False, "coded": False})
        return pages.redirect(f"/bank/{journey_id}/login")


def _leave(world: World, _request: Request, journey_id: str) -> Reply:
    """Answer `POST /pay/{journey}/leave`."""
    with unit(world) as call:
        found = _open(call, journey_id)
        if isinstance(found, Reply):
            return found
        return _sent_on(journeys.leave(call, *found))


def _step(world: World, _request: Request, journey_id: str, step: str) -> Reply:
    """Answer `GET /bank/{journey}/{step}`."""
    with unit(world) as call:
        found = _open(call, journey_id, at_bank=True)
        if isinstance(found, Reply):
            return found
        due = _due(found[0])
        if due != step:
            return pages.redirect(f"/bank/{journey_id}/{due}")
        return _bank_page(*found, step)


def _take(world: World, request: Request, journey_id: str, step: str) -> Reply:
    """Answer `POST /bank/{journey}/{step}`: check what was entered, then go on."""
    form = request.form()
    with unit(world) as call:
        found = _open(call, journey_id, at_bank=True)
        if isinstance(found, Reply):
            return found
        journey, payment = found
        if _due(journey) != step:
            return pages.redirect(f"/bank/{journey_id}/{_due(journey)}")
        if step == "consent":
            return _decide(call, journey, payment, form.get("decision", ""))
        problem = _problem(step, form)
        if problem is not None:
            return _bank_page(journey, payment, step, problem)
        journey |= {"known": True} if step == "login" else {"coded": True}
        call.store.put(journeys.KIND, journey)
        return pages.redirect(f"/bank/{journey_id}/{_due(journey)}")


def _due(journey: Obj) -> str:
    """Return the step that comes next at the bank."""
    if not journey["known"]:
        return "login"
    asks = BANKS[journey["bank"]].asks_code and not journey["coded"]
    return "code" if asks else "consent"


def _problem(step: str, form: dict[str, str]) -> str | None:
    if step == "code":
        code = form.get("code", "").strip()
        right = _CODE.fullmatch(code) and code != WRONG_CODE
        return None if right else "That code is not right. Enter the six digits again."
    entered = form.get("user", "").strip() and form.get("password", "").strip()
    return None if entered else "Enter your user name and your password."


def _decide(call: Call, journey: Obj, payment: Obj, decision: str) -> Reply:
    if decision not in {"agree", "decline"}:
        return _bank_page(journey, payment, "consent", "Choose whether you agree.")
    payments.choose(call, payment, BANKS[journey["bank"]])
    if decision == "agree":
        payments.authorise(call, payment)
    else:
        payments.refuse(call, payment, by="payer")
    if payment["status"] in payments.OPEN:
        call.store.put(journeys.KIND, journey | {"bank": None, "known": False, "coded": False})
        said = "You did not agree." if decision == "decline" else "The bank refused the payment."
        return _choice(journey, payment, f"{said} Nothing was paid. Choose a bank to try again.")
    return _sent_on(journeys.back(journey, payment))


def _sent_on(url: str | None) -> Reply:
    return pages.redirect(url) if url else OWN.page("done.html", framed=False)


def _open(call: Call, journey_id: str, *, at_bank: bool = False) -> tuple[Obj, Obj] | Reply:
    """Return journey and payment, or the page that says why there is nothing to do."""
    journey = call.store.find(journeys.KIND, journey_id)
    payment = call.store.find(PAYMENT, journey["payment"]) if journey else None
    if journey is None or payment is None:
        return OWN.page("not_found.html", status=404, framed=False)
    if payment["status"] not in payments.OPEN:
        back = journeys.back(journey, payment)
        return OWN.page("over.html", status=410, framed=False, back=back)
    if at_bank and journey["bank"] is None:
        return pages.redirect(f"/pay/{journey_id}")
    return journey, payment


def _bank_page(journey: Obj, payment: Obj, step: str, problem: str | None = None) -> Reply:
    bank: Bank = BANKS[journey["bank"]]
    return OWN.page(
        f"{step}.html",
        status=422 if problem else 200,
        framed=False,
        bank=bank,
        problem=problem,
        **_shown(journey, payment),
    )


def _shown(journey: Obj, payment: Obj) -> Obj:
    return {
        "journey": journey["id"],
        "payee": payment["payee"],
        "about": payment["description"],
        "amount": money.shown(payment["amount"], payment["currency"]),
        "reference": payment["reference"],
    }


_STEPS = r"/bank/([A-Za-z0-9]+)/(login|code|consent)"
_PAGES: pages.Table = [
    ("GET", re.compile(r"/payments"), _entrance),
    ("GET", re.compile(r"/pay"), _enter),
    ("GET", re.compile(r"/billing/static/flow"), _flow),
    ("GET", re.compile(r"/pay/([A-Za-z0-9]+)"), _banks),
    ("POST", re.compile(r"/pay/([A-Za-z0-9]+)"), _choose),
    ("POST", re.compile(r"/pay/([A-Za-z0-9]+)/leave"), _leave),
    ("GET", re.compile(_STEPS), _step),
    ("POST", re.compile(_STEPS), _take),
]
