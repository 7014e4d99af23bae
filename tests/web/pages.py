"""A few desk pages that only show whether they were reached."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Flask, Response, redirect, session
from flask.testing import FlaskClient
from flask_login import current_user
from flask_wtf.csrf import generate_csrf  # type: ignore[import-untyped]
from werkzeug.wrappers import Response as Answer

from core.permissions import Permission
from domain.database import transaction
from domain.people import sessions
from models.people import User
from web import access, cookies, identity


@dataclass
class Desk:
    """The pages and how to sign in at them."""

    app: Flask
    acts: int = 0

    def sign_in(self, user_id: str) -> FlaskClient:
        """Give a browser in which somebody is signed in."""
        browser = self.app.test_client()
        with transaction() as db:
            user = db.get_one(User, user_id)
            opened = sessions.open_session(db, user, address=None, browser="test")
        browser.set_cookie("paydesk_session", opened.token)
        return browser


def mount(app: Flask) -> Desk:
    """Add the pages to an app that has not answered yet."""
    desk = Desk(app)
    blueprint = Blueprint("knock", __name__)

    @blueprint.get("/knock/open")
    @access.public("test")
    def opened() -> str:
        return str(generate_csrf())

    @blueprint.post("/knock/open")
    @access.public("test")
    def posted() -> str:
        desk.acts += 1
        return "done"

    @blueprint.get("/knock/pay")
    @access.public("test", loads_stripe=True)
    def pay() -> str:
        return "pay"

    @blueprint.get("/knock/home")
    @access.session_only()
    def home() -> str:
        return f"{current_user.actor.id} {generate_csrf()}"

    @blueprint.get("/knock/audit")
    @access.page(Permission.AUDIT_READ)
    def audit() -> str:
        return "audit"

    @blueprint.post("/knock/act")
    @access.page(Permission.AUDIT_READ)
    def act() -> Answer:
        desk.acts += 1
        session["said"] = "done"
        return redirect("/knock/home")

    @blueprint.post("/knock/login")
    @access.public("test")
    def login() -> Response:
        response = Response("in")
        cookies.set_session(response, "fresh-token", identity.settings())
        return response

    @blueprint.post("/knock/logout")
    @access.session_only()
    def logout() -> Response:
        actor = identity.require().actor
        with transaction() as db:
            sessions.end_session(db, actor.session_id or "", user_id=actor.id, actor=actor)
        response = Response("out")
        cookies.clear_session(response, identity.settings())
        return response

    app.register_blueprint(blueprint)
    return desk
