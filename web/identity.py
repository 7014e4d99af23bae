"""Who is asking: a token, an API key or the desk's cookie, resolved once per request into an actor."""

from __future__ import annotations

import hmac
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar

from flask import Request, current_app, g, request

from config import Settings
from core import clock, hashing
from core.errors import AppError, Forbidden, Unauthenticated
from core.vault import Secret
from domain import database
from domain.actors import Actor
from domain.people import keys, sessions, tokens
from domain.secrets import credential_uses
from web import form_tokens, origins
from web.extensions import is_outage

# Together with nothing else in the way, an end to a right is felt within this time.
CACHE_SECONDS = 2.0
LARGEST_CACHE = 4096
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BEARER = re.compile(r"Bearer ([A-Za-z0-9._~+/=-]{1,4096})", re.ASCII | re.IGNORECASE)
T = TypeVar("T")


@dataclass(frozen=True)
class Principal:
    """Who asks and by what. kind: `jwt`, `key` or `session`; credential: its hash, to ask again."""

    actor: Actor
    kind: str
    expires_at: datetime | None = None
    stepped_up_at: datetime | None = None
    theme: str | None = None
    is_due: bool = False
    look_again: Callable[[], Actor | None] = field(default=lambda: None, compare=False, repr=False)


@dataclass
class _Cache(Generic[T]):
    """Answers that may be at most two seconds old."""

    held: dict[str, tuple[float, T]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: str, fresh: Callable[[], T]) -> T:
        found = self.held.get(key)
        now = clock.monotonic()
        if found is not None and now - found[0] < CACHE_SECONDS:
            return found[1]
        value = fresh()
        with self.lock:
            if len(self.held) >= LARGEST_CACHE:
                self.held.clear()
            self.held[key] = (now, value)
        return value


_keys: _Cache[keys.FoundKey | None] = _Cache()
_people: _Cache[Actor | None] = _Cache()


def forget_cached() -> None:
    """Read the database again at the next request; after an act that ends somebody's right."""
    _keys.held.clear()
    _people.held.clear()


def cookie_name(settings: Settings) -> str:
    """Name the desk's cookie; the prefix makes browsers refuse it from anywhere but this host."""
    return "__Host-paydesk_session" if settings.is_https else "paydesk_session"


def settings() -> Settings:
    """Give the settings of the running app."""
    found: Settings = current_app.config["PAYDESK"]
    return found


def address(asked: Request) -> str:
    """Give the caller's address."""
    return (asked.remote_addr or "")[:64]


def _key(credential: str, ip: str) -> Principal:
    if "Origin" in request.headers:
        raise Forbidden("An API key must not be used in a browser.", code="KEY_IN_BROWSER")

    def fresh() -> keys.FoundKey | None:
        with database.reading() as session:
            return keys.find_key(session, credential, address=ip)

    name = hashing.sha256(credential.encode())

    def again() -> Actor | None:
        found = _keys.get(name, fresh)
        return found.actor if found else None

    found = _keys.get(name, fresh)
    if found is None or (found.expires_at is not None and found.expires_at <= clock.now()):
        raise Unauthenticated
    credential_uses.count(found.actor.id)
    return Principal(
        replace(found.actor, address=ip),
        "key",
        expires_at=found.expires_at,
        is_due=found.is_due,
        look_again=again,
    )


def _token(credential: str, ip: str) -> Principal:
    claims = tokens.read(credential)
    name = f"{claims.user_id} {claims.jti}"

    def fresh() -> Actor | None:
        with database.reading() as session:
            return sessions.find_token_user(session, claims.user_id, claims.jti)

    def again() -> Actor | None:
        if claims.expires_at <= clock.now():
            return None
        # The key that signed it may be live no more.
        tokens.read(credential)
        return _people.get(name, fresh)

    actor = _people.get(name, fresh)
    if actor is None:
        raise Unauthenticated
    return Principal(
        replace(actor, address=ip, stepped_up_at=claims.stepped_up_at),
        "jwt",
        expires_at=claims.expires_at,
        stepped_up_at=claims.stepped_up_at,
        look_again=again,
    )


def _session(token: str, ip: str) -> Principal | None:
    def find() -> sessions.Found | None:
        with database.reading() as session:
            return sessions.find_session(session, token, address=ip)

    def again() -> Actor | None:
        found = find()
        return found.actor if found else None

    found = find()
    if found is None:
        return None
    return Principal(
        found.actor,
        "session",
        expires_at=found.ends_at,
        stepped_up_at=found.stepped_up_at,
        theme=found.theme,
        is_due=found.is_due,
        look_again=again,
    )


def assert_meant(asked: Request) -> None:
    """Check that a request carrying the cookie was meant by our own page.

    Raises: Forbidden
    """
    if asked.method in SAFE:
        return
    if not origins.is_trusted(asked, settings()):
        raise Forbidden("This request came from another site.")
    sent = asked.headers.get("X-CSRF-Token") or asked.form.get("csrf_token")
    if not form_tokens.is_good(sent, asked.cookies.get(cookie_name(settings()))):
        raise Forbidden("The form is out of date or lacks its token. Load the page again.")


def is_same_secret(header: str, secret: Secret) -> bool:
    """Compare an Authorization header with a deployment's bearer secret, in constant time."""
    return hmac.compare_digest(header.encode(), f"Bearer {secret.reveal()}".encode())


def resolve(asked: Request) -> Principal | None:
    """Find out who asks; None when no credential came.

    A wrong credential is never passed over for another one.
    Raises: Unauthenticated, Forbidden KEY_IN_BROWSER
    """
    header = asked.headers.get("Authorization")
    if header is not None:
        match = _BEARER.fullmatch(header)
        if match is None:
            raise Unauthenticated
        credential = match.group(1)
        found = _key if keys.looks_like_key(credential) else _token
        return found(credential, address(asked))
    cookie = asked.cookies.get(cookie_name(settings()))
    return _session(cookie, address(asked)) if cookie else None


def principal() -> Principal | None:
    """Give who asks in this request, resolved once.

    Raises: as `resolve`, at every call
    """
    if "paydesk_principal" not in g:
        g.paydesk_principal = resolve(request)
    found: Principal | None = g.paydesk_principal
    return found


def viewer() -> Principal | None:
    """Give the person a page is drawn for; None for strangers, wrong credentials and in an outage.

    For drawing only, an error page included: it decides no right and never raises.
    """
    try:
        found = principal()
    except AppError:
        return None
    except Exception as error:
        if not is_outage(error):
            raise
        return None
    return found if found is not None and found.kind == "session" else None


def require() -> Principal:
    """Give who asks, and for a cookie check that the request was meant.

    Raises: Unauthenticated, Forbidden
    """
    found = principal()
    if found is None:
        raise Unauthenticated
    if found.kind == "session":
        assert_meant(request)
    return found
