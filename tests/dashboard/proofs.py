"""People at the desk who prove themselves: with codes, with passkeys, and with neither."""

from __future__ import annotations

import json
import re

import pyotp
from werkzeug.test import TestResponse

from core import clock
from domain.database import transaction
from domain.people import second_factor
from domain.secrets import keyring
from models.people import User
from tests.api.personas import PASSWORD
from tests.dashboard.desk import Browser, hidden
from tests.domain.authenticator import Authenticator, challenge_of

ORIGIN = "http://localhost:8000"
STEP_UP = "/account/step-up"


def give_codes(user_id: str, *, confirmed: bool = True) -> pyotp.TOTP:
    """Give a person codes, as if set up before; gives what makes them."""
    secret = pyotp.random_base32()
    place = second_factor.place(user_id)
    with transaction() as session:
        user = session.get_one(User, user_id)
        user.totp_sealed = keyring.seal_text(secret, purpose=second_factor.PURPOSE, place=place)
        user.totp_confirmed_at = clock.now() if confirmed else None
    return pyotp.TOTP(secret)


def device() -> Authenticator:
    """Give a device that knows the desk's address."""
    return Authenticator(origin=ORIGIN)


def ask_options(
    browser: Browser, path: str, page: str, **form: str
) -> tuple[TestResponse, str, bytes]:
    """Ask what a passkey is to sign, as the script does. Gives the challenge's id and the challenge."""
    sent = {"csrf_token": hidden(browser.get(page).text, "csrf_token")} | form
    answer = browser.client.post(path, data=sent)
    if answer.status_code != 200:
        return answer, "", b""
    return answer, answer.json["challenge"], challenge_of(json.dumps(answer.json["options"]))


def add_passkey(
    browser: Browser, *, name: str = "Blue key", password: str = PASSWORD
) -> Authenticator:
    """Set a passkey up on the pages; gives the device."""
    key, page = device(), "/account/passkeys/new"
    form = {"name": name, "password": password}
    answer, challenge_id, challenge = ask_options(
        browser, "/account/passkeys/options", page, **form
    )
    assert answer.status_code == 200, answer.text[:300]
    made = key.make(challenge)
    answer = browser.post(page, name=name, challenge=challenge_id, answer=made)
    assert answer.status_code == 303, answer.text[:300]
    return key


def shown_secret(page: str) -> pyotp.TOTP:
    """Read the secret off the page that shows it."""
    found = re.search(r'data-copy="([A-Z2-7]{32})"', page)
    assert found
    return pyotp.TOTP(found[1])
