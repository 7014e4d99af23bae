"""Each kind of secret rotates under traffic: nothing is refused inside the window, nothing accepted after it."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import time
from collections.abc import Callable

import pytest

from core import clock
from core.states import Role
from domain import database
from domain.database import transaction
from domain.people import sessions, tokens
from models.people import DeskSession, User
from tests.api import personas
from tests.reliability import clients, rotating
from tests.reliability.rotating import Cockpit, Storm, ask_once, assert_refused_by_all, exchange
from tests.reliability.stage import Stage
from tests.rig import product

WEB_PROCESSES = 2
# What is asked at the same time is the same on both; on SQLite each of its writes waits for the last one.
REQUESTS = {"postgresql": 2_000, "sqlite": 600}
WEBHOOK = "/api/webhooks/stripe"
_numbers = itertools.count(1)


def delivery(connection: http.client.HTTPConnection, secret: str) -> int:
    """Deliver an event of a type that has no effect here."""
    name = f"evt_rotation_{os.getpid()}_{time.time_ns()}_{next(_numbers)}"
    subject = {"id": f"cus_{name}", "object": "customer"}
    event = {"id": name, "object": "event", "type": "customer.created", "livemode": False}
    body = json.dumps(event | {"created": int(time.time()), "data": {"object": subject}}).encode()
    headers = {
        "Stripe-Signature": clients.signed(body, secret=secret),
        "Content-Type": "application/json",
    }
    return exchange(connection, "POST", WEBHOOK, body=body, headers=headers)


def me(connection: http.client.HTTPConnection, credential: str) -> int:
    """Ask who a token or key is."""
    headers = {"Authorization": f"Bearer {credential}"}
    return exchange(connection, "GET", "/api/me", headers=headers)


def rotate_webhook(cockpit: Cockpit, requests: int) -> None:
    """Rotate the webhook secret while deliveries come, signed with whatever the provider has by then."""
    url = cockpit.stage.web.url
    old = _webhook_secret(cockpit)
    storm = Storm(url, delivery, 200, [old])

    def work() -> None:
        value = cockpit.rotate("webhook")
        assert value is not None
        # Every process has heard of it before the provider can have been given it.
        clients.until(lambda: _all_accept(url, value), what="every process to know the new one")
        time.sleep(rotating.REMEMBERED)
        storm.held.append(value)

    storm.run(work, total=requests)
    assert storm.refused == []
    cockpit.revoke_old("webhook")
    assert_refused_by_all(url, delivery, old, status=401)
    assert ask_once(url, delivery, storm.held[1]) == 200
    _webhooks[url] = storm.held[1]


_webhooks: dict[str, str] = {}


def _webhook_secret(cockpit: Cockpit) -> str:
    return _webhooks.get(cockpit.stage.web.url, product.STRIPE_WEBHOOK_SECRET)


def _all_accept(url: str, secret: str) -> bool:
    return all(ask_once(url, delivery, secret) == 200 for _ in range(20))


def rotate_jwt(cockpit: Cockpit, requests: int) -> None:
    """Rotate the token signing key while people of old and new tokens call."""
    url = cockpit.stage.web.url
    person = personas.user(f"bo-{time.time_ns()}@people.test")
    storm = Storm(url, me, 200, [person.token])

    def work() -> None:
        cockpit.rotate("jwt")
        # Made by whoever signs at the moment, all the time.
        storm.held.append(_token(person.id))
        cockpit.wait_until_signing("jwt")
        storm.held.append(_token(person.id))

    storm.run(work, total=requests)
    assert storm.refused == []
    cockpit.ada = personas.fresh(cockpit.ada)
    cockpit.revoke_old("jwt")
    assert_refused_by_all(url, me, person.token, status=401)
    assert ask_once(url, me, storm.held[-1]) == 200


def _token(user_id: str) -> str:
    return tokens.issue(user_id, role="buyer", kyc="approved").token


def rotate_api_key(cockpit: Cockpit, requests: int) -> None:
    """Rotate a merchant's API key while both call."""
    url = cockpit.stage.web.url
    held = personas.key(personas.merchant(f"Shop {time.time_ns()}"))
    base = f"/api/merchants/{held.merchant_id}/api-keys/{held.id}"
    storm = Storm(url, me, 200, [held.key])

    def work() -> None:
        made = cockpit.post(f"{base}/rotate", overlapHours=24).json
        storm.held.append(made["key"])

    storm.run(work, total=requests)
    assert storm.refused == []
    ended = clients.send(url, "DELETE", base, headers=cockpit.ada.headers)
    assert ended.status == 204
    assert_refused_by_all(url, me, held.key, status=401)
    assert ask_once(url, me, storm.held[1]) == 200


def rotate_session(cockpit: Cockpit, requests: int) -> None:
    """Rotate the session signing key while a person sends forms drawn before and after."""
    url = cockpit.stage.web.url
    cookie = _sign_in()

    def send_form(connection: http.client.HTTPConnection, token: str) -> int:
        return _send_form(connection, cookie, token)

    storm = Storm(url, send_form, 303, [_form_token(url, cookie)])

    def work() -> None:
        cockpit.rotate("session")
        storm.held.append(_form_token(url, cookie))
        cockpit.wait_until_signing("session")
        clients.until(
            lambda: _form_token(url, cookie) not in storm.held, what="forms drawn with the new key"
        )
        storm.held.append(_form_token(url, cookie))

    storm.run(work, total=requests)
    assert storm.refused == []
    old = storm.held[0]
    cockpit.revoke_old("session")
    assert_refused_by_all(url, send_form, old, status=403)
    # Nobody was signed out: a form of now is good.
    assert ask_once(url, send_form, _form_token(url, cookie)) == 303


def _sign_in() -> str:
    person = personas.user(f"sue-{time.time_ns()}@people.test", role=Role.SUPPORT)
    with transaction() as session:
        user = session.get_one(User, person.id)
        opened = sessions.open_session(session, user, address="127.0.0.1", browser="Firefox")
        session.get_one(DeskSession, opened.session_id).stepped_up_at = clock.now()
    return f"paydesk_session={opened.token}"


def _form_token(url: str, cookie: str) -> str:
    page = clients.send(url, "GET", "/account", headers={"Cookie": cookie})
    assert page.status == 200, "the person was signed out"
    found = re.search(rb'name="csrf_token" value="([^"]+)"', page.body)
    assert found
    return found[1].decode()


def _send_form(connection: http.client.HTTPConnection, cookie: str, token: str) -> int:
    body = f"csrf_token={token}&theme=dark&next=%2Faccount".encode()
    headers = {
        "Cookie": cookie,
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": f"http://{connection.host}:{connection.port}",
        "Sec-Fetch-Site": "same-origin",
    }
    return exchange(connection, "POST", "/account/theme", body=body, headers=headers)


ROTATIONS: dict[str, Callable[[Cockpit, int], None]] = {
    "webhook": rotate_webhook,
    "jwt": rotate_jwt,
    "api_key": rotate_api_key,
    "session": rotate_session,
}


@pytest.mark.parametrize("kind", ROTATIONS)
def test_nothing_is_refused_inside_the_window_and_nothing_accepted_after(
    stage: Stage, kind: str
) -> None:
    ROTATIONS[kind](Cockpit.enter(stage), REQUESTS[database.engine().dialect.name])
