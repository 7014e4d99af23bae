"""The hosted payment page of a checkout session, usable without JavaScript; moves nothing itself."""

from __future__ import annotations

from sandbox.common.wire import Reply, Request
from sandbox.stripe import money, paying, sessions
from sandbox.stripe.challenges import redirect_target
from sandbox.stripe.errors import ApiError, Obj
from sandbox.stripe.pages import page, redirect
from sandbox.stripe.world import Call, World, unit

_FIELDS = ("email", "number", "expiry", "cvc", "name", "method", "iban")


def show(world: World, _request: Request, session_id: str) -> Reply:
    """Answer `GET /c/pay/{id}`."""
    with unit(world) as call:
        session = call.store.find(sessions.KIND, session_id)
        return _page(call, session, entered={}, problem=None)


def submit(world: World, request: Request, session_id: str) -> Reply:
    """Answer `POST /c/pay/{id}`: pay, ask for 3DS, or say why not."""
    form = request.form()
    entered = {name: form.get(name, "").strip() for name in _FIELDS}
    with unit(world) as call:
        session = call.store.find(sessions.KIND, session_id)
        if session is None or _is_over(call, session):
            return _page(call, session, entered={}, problem=None)
        problem = _incomplete(entered)
        if problem is not None:
            return _page(call, session, entered=entered, problem=problem)
        back = f"{world.settings.public_url}/c/pay/{session_id}/return"
        try:
            intent = paying.pay(call, session, _method_data(entered), return_url=back)
        except ApiError as error:
            return _page(call, session, entered=entered, problem=paying.refused(error))
        target = redirect_target(intent)
        return redirect(target or _success_url(session))


def returned(world: World, _request: Request, session_id: str) -> Reply:
    """Answer `GET /c/pay/{id}/return`: where the bank's page sends the buyer back to."""
    with unit(world) as call:
        session = call.store.find(sessions.KIND, session_id)
        if session is None:
            return page("not_found.html", status=404)
        if session["setup_intent"]:
            paying.complete_setup(call, session)
        if session["status"] == "complete":
            return redirect(_success_url(session))
        return _page(call, session, entered={}, problem=paying.problem_of(call, session))


def _page(call: Call, session: Obj | None, *, entered: Obj, problem: str | None) -> Reply:
    if session is None:
        return page("not_found.html", status=404, framed=False)
    over = _is_over(call, session)
    if over:
        back = _success_url(session) if over == "complete" else session["cancel_url"]
        return page("checkout_over.html", status=410, framed=False, over=over, back=back)
    details = session["customer_details"] or {}
    shown = {name: entered.get(name) or "" for name in _FIELDS}
    # A card's number and code are never sent back to the page.
    shown |= {"number": "", "cvc": "", "email": shown["email"] or details.get("email") or ""}
    shown["method"] = shown["method"] or session["payment_method_types"][0]
    return page(
        "checkout.html",
        status=402 if problem else 200,
        framed=False,
        session=session["id"],
        cancel_url=session["cancel_url"],
        total=_total(session),
        items=[_line(item) for item in session["_items"]],
        methods=session["payment_method_types"],
        email_fixed=bool(details.get("email")),
        entered=shown,
        problem=problem,
        act=_act(session),
    )


def _is_over(call: Call, session: Obj) -> str | None:
    """Return complete or expired, also in the moment before the timetable has expired it."""
    if session["status"] == "open" and session["expires_at"] <= call.now:
        sessions.expire(call, session)
    return None if session["status"] == "open" else str(session["status"])


def _incomplete(entered: dict[str, str]) -> str | None:
    """Return what the buyer still has to fill in."""
    needed = {"email": "Enter your email address."}
    if entered["method"] == "sepa_debit":
        needed |= {"iban": "Enter your IBAN.", "name": "Enter the account holder's name."}
    else:
        needed |= {
            "number": "Enter your card number.",
            "expiry": "Enter your card's expiration date.",
            "cvc": "Enter your card's security code.",
        }
    return next((sentence for name, sentence in needed.items() if not entered[name]), None)


def _method_data(entered: dict[str, str]) -> Obj:
    billing = {n: entered[n] for n in ("email", "name") if entered[n]}
    if entered["method"] == "sepa_debit":
        return {
            "type": "sepa_debit",
            "sepa_debit": {"iban": entered["iban"]},
            "billing_details": billing,
        }
    month, _, year = entered["expiry"].replace(" ", "").partition("/")
    if not year and len(month) == 4:
        month, year = month[:2], month[2:]
    card = {"number": entered["number"], "exp_month": month, "exp_year": year,
            "cvc": entered["cvc"]}  # fmt: skip
    return {"type": "card", "card": card, "billing_details": billing}


def _total(session: Obj) -> str | None:
    if session["amount_total"] is None:
        return None
    return money.shown(session["amount_total"], session["currency"])


def _line(item: Obj) -> Obj:
    return {
        "name": item["description"],
        "quantity": item["quantity"],
        "each": money.shown(item["price"]["unit_amount"], item["currency"]),
        "sum": money.shown(item["amount_total"], item["currency"]),
    }


def _act(session: Obj) -> str:
    if session["mode"] == "setup":
        return "Save card"
    words = {"book": "Book", "donate": "Donate", "subscribe": "Subscribe"}
    return f"{words.get(session['submit_type'] or '', 'Pay')} {_total(session)}"


def _success_url(session: Obj) -> str:
    url = session["success_url"] or session["return_url"] or "/"
    return str(url).replace("{CHECKOUT_SESSION_ID}", session["id"])
