"""Asking to be erased, from one's own account; an admin does it, and it can be taken back until then."""

from __future__ import annotations

from flask import Blueprint, Response

from dashboard import render, user_forms, words
from dashboard.shapes import Act, Alert, Fact, Link
from dashboard.user_forms import Form
from domain.database import reading, transaction
from domain.people import erasure, erasure_outlook, people
from models.people import User
from web import access

routes = Blueprint("desk_own_erasure", __name__)
HERE = "/account/erasure"


def act_of(user: User) -> Act:
    """Offer to ask for it, or to take it back."""
    if user.erasure_asked_at is None:
        text = "What names you goes; an admin does it within a month."
        return Act("erasure", "Ask to be erased", HERE, text=text, verb="Ask")
    text = f"{words.sentence(words.relative(user.erasure_asked_at))} You can take it back until it is done."
    back = f"{HERE}/withdraw"
    return Act(
        "erasure", "You asked to be erased", back, method="post", text=text, verb="Take back"
    )


@routes.get("/account/erasure")
@access.session_only("one's own wish to be erased")
def ask() -> Response:
    with reading() as session:
        user = people.get_user(session, render.actor().id)
        found = erasure_outlook.look(session, user)
    facts = [Fact("In the way", each.said) for each in found.blocks]
    facts += [Fact(line.name, "stays", note=line.why) for line in found.stays if line.why]
    form = Form(
        title="Ask to be erased",
        lead="An admin looks at it within a month. Until then you can take it back.",
        effects=[line.name for line in found.goes],
        facts=facts,
        action=HERE,
        label="Ask to be erased",
        back="/account",
        trail=[Link("Account", "/account")],
        asks_reason=False,
    )
    return user_forms.show(form)


@routes.post("/account/erasure")
@access.session_only("one's own wish to be erased")
def wish() -> Response:
    with transaction() as session:
        erasure.ask(session, actor=render.actor())
    render.tell(Alert("good", "Noted. An admin looks at it within a month"))
    return render.to("/account")


@routes.post("/account/erasure/withdraw")
@access.session_only("one's own wish to be erased")
def withdraw() -> Response:
    with transaction() as session:
        erasure.take_back(session, actor=render.actor())
    render.tell(Alert("good", "Taken back. Nothing of yours is erased"))
    return render.to("/account")
