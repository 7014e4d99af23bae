"""The desk as its tests use it: people with a session, pages and forms, with htmx and without."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core import clock
from domain.database import transaction
from domain.people import sessions
from models.people import DeskSession, User
from tests.api.personas import Persona

COOKIE = "paydesk_session"
HTMX = {"HX-Request": "true"}


@dataclass
class Browser:
    """One person's browser. session_id: None when nobody is signed in."""

    client: FlaskClient
    session_id: str | None = None
    token: str = field(default="", repr=False)
    read: dict[str, str] = field(default_factory=dict, repr=False)

    def get(self, path: str, *, htmx: bool = False) -> TestResponse:
        return self.client.get(path, headers=HTMX if htmx else {})

    def page(self, path: str) -> str:
        """Open a page that must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:400])
        return answer.text

    def part(self, path: str) -> str:
        """Fetch a fragment that must be there, and must be no page."""
        answer = self.get(path, htmx=True)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:400])
        assert "<html" not in answer.text
        return answer.text

    def csrf(self, path: str = "/account") -> str:
        """Read the token that a page of this session carries."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.page(path))
        assert found, "the page carries no token"
        return found[1]

    def kept_csrf(self) -> str:
        """Give the token that was read last in this session: reading it anew would be a page for each form."""
        cookie = self.client.get_cookie(COOKIE)
        session = cookie.value if cookie is not None else ""
        if session not in self.read:
            self.read[session] = self.csrf()
        return self.read[session]

    def post(
        self,
        path: str,
        sent: dict[str, str] | None = None,
        *,
        htmx: bool = False,
        csrf: bool = True,
        **more: str,
    ) -> TestResponse:
        """Send a form, with the session's token unless told otherwise."""
        form = (sent or {}) | more
        if csrf:
            form["csrf_token"] = self.kept_csrf()
        return self.client.post(path, data=form, headers=HTMX if htmx else {})


@dataclass
class Desk:
    """The app's desk."""

    app: Flask

    def anonymous(self) -> Browser:
        return Browser(self.app.test_client())

    def browser(self, person: Persona, *, fresh: bool = False) -> Browser:
        """Sign a person in, as the login page would. fresh: they have just shown a second factor."""
        with transaction() as session:
            user = session.get_one(User, person.id)
            opened = sessions.open_session(session, user, address="127.0.0.1", browser="Firefox")
            if fresh:
                session.get_one(DeskSession, opened.session_id).stepped_up_at = clock.now()
        client = self.app.test_client()
        client.set_cookie(COOKIE, opened.token)
        return Browser(client, opened.session_id, opened.token)


def text(page: str) -> str:
    """Give what a person reads of a page: no tags, one space between words."""
    bare = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def rows(page: str) -> list[str]:
    """Give the rows of a list, as a person reads them."""
    return [
        text(match[0]) for match in re.finditer(r'<(tr|li) class="row\b.*?</\1>', page, re.DOTALL)
    ]


def ids_of(page: str, kind: str) -> list[str]:
    """Give the ids of a list's rows, in their order."""
    return re.findall(rf'<(?:tr|li) class="row[^"]*" id="{kind}-([^"]+)"', page)


def hidden(page: str, name: str) -> str:
    """Give the value of a form's hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return html.unescape(found[1])
