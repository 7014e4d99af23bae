"""Settling a case: first the ways there are, then exactly what one of them will do, then doing it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from flask import Blueprint, Response, request

from core import ids
from core.case_kinds import Verb
from core.errors import AppError, FieldError, InvalidInput
from core.money import Money, parse
from core.permissions import Permission
from core.redaction import holds_card_number
from dashboard import case_page, case_words, confirming, exceptions, guarded, render, words
from dashboard.case_page import Shown
from dashboard.shapes import Alert, Fact, Input, View
from domain.cases import case_resolving, case_verbs
from domain.cases.case_resolving import Resolved
from domain.cases.case_verbs import Plan, Refusal, Wanted
from domain.database import reading, transaction
from web import access

routes = Blueprint("desk_exception_settling", __name__)
_VERBS = {verb.value: verb for verb in Verb}
LONGEST_REFERENCE = 140


@dataclass(frozen=True)
class Form:
    """What was typed. shown: the sum that the person saw; once: the same for a second press."""

    reason: str = ""
    payment: str = ""
    reference: str = ""
    shown: str = ""
    once: str = ""


def _read() -> Form:
    return Form(
        *(render.typed(name) for name in ("reason", "payment", "reference", "shown", "once"))
    )


def _back() -> str:
    return render.local(render.storable(request.values.get("back", ""))) or ""


def _address(shown: Shown, verb: Verb | None = None) -> str:
    query = [f"verb={verb.value}"] if verb else []
    query += [f"back={quote(_back(), safe='')}"] if _back() else []
    return f"{shown.href}/resolve" + ("?" + "&".join(query) if query else "")


@routes.get("/exceptions/<case_id>/resolve")
@access.page(Permission.EXCEPTIONS_RESOLVE)
def ask(case_id: str) -> Response:
    actor = render.actor()
    with reading() as session:
        shown = case_page.find(session, case_id, actor=actor)
    verb = _VERBS.get(render.storable(request.args.get("verb", "")))
    if verb is None:
        return _choose(shown)
    if not (act := case_page.verb_act(shown, verb)).enabled:
        render.tell(Alert("warn", f"“{act.label}” is not possible now", act.reason))
        return render.to(_address(shown))
    plan = case_verbs.answer(shown.subject, verb)
    assert isinstance(plan, Plan)  # the act is enabled
    if plan.steps_up and (detour := guarded.detour(_address(shown, verb))) is not None:
        return detour
    return _show(shown, verb, plan, Form(once=ids.new("try")))


def _choose(shown: Shown) -> Response:
    if shown.row.state == "resolved":
        render.tell(Alert("warn", "This case is settled already"))
        return render.to(_back() or shown.href)
    back = f"&back={quote(_back(), safe='')}" if _back() else ""
    kinds = case_words.verbs_of(shown.row.kind)
    verbs = [case_page.verb_act(shown, verb, back=back) for verb in kinds]
    view: View = {
        "case": case_page.head(shown),
        "trail": exceptions.crumb(shown.row),
        "verbs": verbs,
        "back": _back() or shown.href,
    }
    return render.page("exceptions/choose.html", view, live=False)


def _inputs(verb: Verb, form: Form, errors: dict[str, str]) -> list[Input]:
    found = []
    if verb == Verb.LINK:
        found.append(
            Input(
                *("payment", "Payment"),
                value=form.payment,
                error=errors.get("payment"),
                hint="Its whole id, such as pay_01jd7m2c4e0v5d3k8r6t9w1x2y3z.",
                required=True,
                maxlength=40,
                autofocus=True,
            )
        )
    if verb == Verb.MARK:
        found.append(
            Input(
                *("reference", "Provider reference"),
                value=form.reference,
                error=errors.get("reference"),
                hint="Under which name the provider or the bank knows the money.",
                required=True,
                maxlength=LONGEST_REFERENCE,
                autofocus=True,
            )
        )
    return [*found, confirming.reason_input(form.reason, errors.get("reason"))]


def _show(
    shown: Shown,
    verb: Verb,
    plan: Plan,
    form: Form,
    *,
    errors: dict[str, str] | None = None,
    problem: Alert | None = None,
) -> Response:
    known = case_verbs.kind(verb)
    fields = {"verb": verb.value, "once": form.once, "back": _back()}
    if plan.amount is not None:
        fields["shown"] = plan.amount.major()
    facts = [Fact("Case", case_words.kind(shown.row), note=words.short(shown.row.id))]
    if plan.amount is not None:
        facts.append(Fact("Amount", money=words.shown(plan.amount)))
    view: View = {
        "case": case_page.head(shown),
        "trail": exceptions.crumb(shown.row),
        "problem": problem,
        "act": {
            "title": known.label,
            "lead": shown.row.sentence,
            "effects": [*plan.effects, *_told(plan)],
            "postings": case_words.entries(verb, plan.movements),
            "when": _when(verb, plan),
            "facts": facts,
            "action": f"{shown.href}/resolve",
            "fields": fields,
            "inputs": _inputs(verb, form, errors or {}),
            "label": f"Ask for it: {known.label.lower()}" if plan.by_two else known.label,
            "tone": "danger" if verb in (Verb.WRITE_OFF, Verb.REFUND_ALL) else "primary",
            "back": _back() or shown.href,
        },
    }
    if not errors and problem is None:
        return render.page("exceptions/resolve.html", view, live=False)
    return render.page("exceptions/resolve.html", view, status=422, live=False)


def _told(plan: Plan) -> list[str]:
    """Say what the rest of the world hears of it."""
    if plan.by_two:
        return ["Nobody outside is told before a second person has agreed."]
    return ["The merchant is told that the case was settled (exception.resolved)."]


def _when(verb: Verb, plan: Plan) -> str:
    if verb in (Verb.REFUND_ALL, Verb.REFUND_DIFFERENCE):
        return "Posted when the provider has given the money back"
    return "Posted when the second person agrees" if plan.by_two else "Posted at once"


@routes.post("/exceptions/<case_id>/resolve")
@access.page(Permission.EXCEPTIONS_RESOLVE)
def resolve(case_id: str) -> Response:
    form, actor = _read(), render.actor()
    with reading() as session:
        shown = case_page.find(session, case_id, actor=actor)
    verb = _VERBS.get(render.typed("verb"))
    if verb is None:
        return render.to(_address(shown))
    if errors := _errors(verb, form):
        return _again(shown, verb, form, errors=errors)
    try:
        wanted = _wanted(shown, verb, form)
        with transaction() as session:
            source = f"user:{actor.id}"
            done = case_resolving.resolve(session, case_id, wanted, actor=actor, source=source)
    except InvalidInput as error:
        return _again(shown, verb, form, errors=_fields(error))
    except AppError as refused:
        return _refused(shown, verb, form, refused)
    case_resolving.make_call(done)
    render.tell(_said(done, verb))
    return render.to(_back() or shown.href)


def _refused(shown: Shown, verb: Verb, form: Form, refused: AppError) -> Response:
    if refused.code == "STEP_UP_REQUIRED":
        return guarded.detour(_address(shown, verb)) or render.to(_address(shown, verb))
    if refused.http_status in (403, 404):
        raise refused
    return _again(shown, verb, form, problem=Alert("bad", "Nothing was done", refused.message))


def _again(
    shown: Shown,
    verb: Verb,
    form: Form,
    *,
    errors: dict[str, str] | None = None,
    problem: Alert | None = None,
) -> Response:
    """Show the form again as the case stands now, or why it cannot be settled so any more."""
    with reading() as session:
        now = case_page.find(session, shown.row.id, actor=shown.actor)
    answer = case_verbs.answer(now.subject, verb)
    if isinstance(answer, Refusal):
        render.tell(problem or Alert("bad", "Nothing was done", answer.why))
        return render.to(now.href)
    return _show(now, verb, answer, form, errors=errors, problem=problem)


def _errors(verb: Verb, form: Form) -> dict[str, str]:
    found = {}
    if (wrong := confirming.reason_error(form.reason)) is not None:
        found["reason"] = wrong
    if verb == Verb.LINK and not form.payment:
        found["payment"] = "Say to which payment the event belongs."
    if verb == Verb.MARK and not form.reference:
        found["reference"] = "Say under which name the provider or the bank knows it."
    if len(form.reference) > LONGEST_REFERENCE:
        found["reference"] = f"At most {LONGEST_REFERENCE} characters."
    if holds_card_number(form.reference):
        found["reference"] = "This looks like a card number. Card numbers are never kept here."
    return found


def _fields(error: InvalidInput) -> dict[str, str]:
    names = {"paymentId": "payment", "note": "reason"}
    rows = error.details.get("fields") or []
    found = {}
    for row in rows if isinstance(rows, list) else []:
        each = FieldError(**row) if isinstance(row, dict) else None
        if each is not None:
            found[names.get(each.field, each.field)] = each.message
    return found or {"reason": error.message}


def _wanted(shown: Shown, verb: Verb, form: Form) -> Wanted:
    amount: Money | None = None
    unit = shown.subject.unit
    if form.shown and unit is not None:
        try:
            amount = parse(form.shown, unit)
        except ValueError as error:
            raise InvalidInput("This form is not ours. Open it again.") from error
    return Wanted(
        verb,
        form.reason,
        amount=amount,
        payment_id=form.payment or None if verb == Verb.LINK else None,
        reference=form.reference or None if verb == Verb.MARK else None,
        once_key=form.once or None,
    )


def _said(done: Resolved, verb: Verb) -> Alert:
    if done.approval is not None:
        return guarded.waits(done.approval)
    label = case_verbs.kind(verb).label
    made = (done.case.resolution or {}).get("paymentId")
    href, link = f"/exceptions/{done.case.id}", "Open the case"
    if done.call is not None and isinstance(made, str):
        href, link = f"/payments/{made}", "Open the new payment"
    return Alert("good", f"Settled: {label.lower()}", done.case.sentence, href, link)
