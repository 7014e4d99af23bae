"""The page of one person's wallet: what it holds, what is on its way into it, and each movement."""

from __future__ import annotations

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import listing, person_cards, render, wallet_words, words
from dashboard.listing import Asked
from dashboard.shapes import Empty, View
from domain import desk
from domain.books import wallets
from domain.database import reading
from web import access

routes = Blueprint("desk_wallet", __name__)
_OWN = "staff all, a merchant of who has paid it, others their own"


def _view(asked: Asked, user_id: str) -> View:
    actor = render.actor()
    with reading() as session:
        owner = wallets.get_owner(session, user_id, actor=actor)
        page = listing.page_of(asked)
        found, more = wallets.list_entries(session, owner.id, actor=actor, page=page)
        name = desk.names_of(session, [owner.id], actor=actor)[owner.id]
        own = owner.id == actor.id
        reads_people = actor.may(Permission.USERS_ADMINISTER)
        sums = wallet_words.sums(session, owner.id, actor)
        cards = person_cards.view(session, owner.id, actor)
    return {
        "wallet": {
            "id": owner.id,
            "title": "Your wallet" if own else f"Wallet of {name}",
            "lead": _lead(own=own, is_staff=actor.is_staff),
            "ref": words.ref("user id", owner.id),
            "href": wallet_words.href(owner.id),
            "person_href": f"/users/{owner.id}" if reads_people else None,
            "demo": owner.demo,
        },
        "sums": sums,
        "cards": cards,
        "rows": wallet_words.entry_views(found),
        "page": listing.pages(asked, len(found), more),
        "body_url": asked.href(f"{wallet_words.href(owner.id)}/body"),
        "empty_note": Empty("Nothing has moved yet", "A confirmed top-up is shown here.", "card"),
    }


def _lead(*, own: bool, is_staff: bool) -> str:
    if own or is_staff:
        return "Only confirmed money is in the balance; what is pending or not final is not yet."
    return "What came through you. Only confirmed money is in the balance."


@routes.get("/wallets/<user_id>")
@access.page(Permission.WALLETS_READ, note=_OWN)
def show(user_id: str) -> Response:
    asked = listing.read(wallet_words.href(user_id), ())
    return render.page("wallets/show.html", _view(asked, user_id))


@routes.get("/wallets/<user_id>/body")
@access.page(Permission.WALLETS_READ, note=_OWN)
def part(user_id: str) -> Response:
    asked = listing.read(wallet_words.href(user_id), ())
    if not render.wants_fragment():
        return render.to(asked.href())
    return render.part("wallets/_body.html", _view(asked, user_id))
