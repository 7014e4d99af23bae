"""What the pages of proving oneself share: reading what was shown, the password, words for what went wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from flask import Response, request

from core.errors import RateLimited
from dashboard import render
from dashboard.shapes import Alert, Input, View
from domain.database import reading, transaction
from domain.people import lockouts, passwords, people, proving, sign_in
from domain.people.passkeys import Site
from domain.people.proving import Shown
from web import cookies, identity

LONGEST_PASSWORD = passwords.LONGEST
_USUAL_PORTS = {"http": 80, "https": 443}
NO_SCRIPT = Alert(
    "warn", "Passkeys need JavaScript", "Use a code from your app, or allow scripts for this site."
)
WRONG_PASSKEY = Alert("bad", "This passkey was not accepted", "Try again, or use a code.")
WRONG_CODE = Alert(
    "bad",
    proving.WORDS,
    "Each code counts once; wait for the next one. Five wrong tries lock this for a while.",
)
CODE = Input(
    "code",
    "Code",
    hint="Six digits from your code app.",
    required=True,
    maxlength=6,
    autocomplete="one-time-code",
    inputmode="numeric",
    autofocus=True,
)


def site() -> Site:
    """Say where passkeys count: at the address that people are told."""
    parts = urlsplit(render.settings().public_url)
    # Browsers leave the usual port out of an origin, and we must compare with what they sign.
    is_usual = parts.port in (None, _USUAL_PORTS.get(parts.scheme))
    host = parts.hostname or ""
    return Site(host, f"{parts.scheme}://{host}{'' if is_usual else f':{parts.port}'}")


def why_no_passkeys() -> str | None:
    """Say why no passkey can be set up here, or None when it can."""
    if site().is_named:
        return None
    return "Passkeys belong to a name. Open the desk by its name, not by a bare address."


def shown() -> Shown:
    """Read what the form sent as proof."""
    return Shown(
        code="".join(render.typed("code").split())[:10],
        answer=request.form.get("answer", ""),
        challenge_id=render.typed("challenge")[:64],
    )


def is_without_script(found: Shown) -> bool:
    """Tell whether a passkey was chosen in a browser that could not ask it."""
    return "answer" in request.form and not found.answer


def wrong(found: Shown) -> Alert:
    """Say that what was shown is not right."""
    return WRONG_PASSKEY if found.answer else WRONG_CODE


def locked(error: RateLimited) -> Alert:
    """Say that there were too many tries."""
    wait = -(-(error.retry_after or 60) // 60)
    minutes = "a minute" if wait == 1 else f"{wait} minutes"
    return Alert("bad", "Too many wrong tries", f"Try again in {minutes}.")


def wait(answer: Response, error: RateLimited) -> Response:
    """Tell a program how long to wait, too."""
    answer.headers["Retry-After"] = str(error.retry_after or 60)
    return answer


def token() -> str:
    """Give the secret of the session that this request came in."""
    return request.cookies.get(identity.cookie_name(render.settings()), "")


def to_with(href: str, fresh: str) -> Response:
    """Go on to a page with the session's new secret."""
    identity.forget_cached()
    answer = render.to(href)
    cookies.set_session(answer, fresh, render.settings())
    return answer


def with_next(path: str, target: str) -> str:
    """Carry on where a person wants to be in the end."""
    return f"{path}?next={quote(target, safe='')}" if target else path


def target() -> str:
    """Read where a person wants to be in the end; only ever a page of ours."""
    return render.local(request.values.get("next")) or ""


def password_input(error: str | None = None, *, hint: str = "") -> Input:
    """Prepare the field that asks for the password one has."""
    return Input(
        "password",
        "Your password",
        "password",
        hint=hint,
        error=error,
        required=True,
        autocomplete="current-password",
    )


@dataclass(frozen=True)
class Checked:
    """What came of asking for the password. password_hash: what it was held against; error: beside the
    field; limit: too many tries.
    """

    password_shown: bool = False
    password_hash: str | None = None
    error: str | None = None
    limit: RateLimited | None = None

    @property
    def is_refused(self) -> bool:
        """Whether the form must be shown again."""
        return self.error is not None or self.limit is not None

    @property
    def problem(self) -> Alert | None:
        """What to say above the form."""
        return locked(self.limit) if self.limit else None

    @property
    def status(self) -> int:
        """The status of the form when it is shown again."""
        return 429 if self.limit else 422


def check_password(*, wanted: bool = True) -> Checked:
    """Try the password that the form sent, where one was asked for."""
    if not wanted:
        return Checked()
    try:
        attempt = _begin()
    except RateLimited as error:
        return Checked(limit=error)
    if not sign_in.is_right(attempt, request.form.get("password", "")[: LONGEST_PASSWORD + 1]):
        return Checked(error="This is not your password.")
    with transaction() as session:
        lockouts.forgive(session, list(attempt.rows))
    return Checked(password_shown=True, password_hash=attempt.password_hash)


def _begin() -> sign_in.Attempt:
    """Count a try of one's own password, as a sign-in would be."""
    with reading() as session:
        email = people.email_of(people.get_user(session, render.actor().id))
    with transaction() as session:
        return sign_in.begin(session, email, ip=identity.address(request))


def options(challenge_id: str, options_json: str) -> Response:
    """Answer a script that asks what a passkey is to sign."""
    said = f'{{"challenge":"{challenge_id}","options":{options_json}}}'
    return Response(said, content_type="application/json")


def way_of_passkeys(action: str, asked: str, target: str) -> View:
    """Prepare the form by which a passkey is shown."""
    return {"action": action, "options": asked, "next": target}


def refused(text: str, *, status: int) -> Response:
    """Tell a script why a passkey is not asked for."""
    return Response(json.dumps({"error": text}), status=status, content_type="application/json")
