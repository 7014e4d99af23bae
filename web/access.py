"""Who may call what: every route says so in one way, and an app with a silent route does not start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from flask import Flask
from werkzeug.routing import Rule

from core.permissions import Permission

View = TypeVar("View", bound=Callable[..., Any])
_MARK = "paydesk_access"


class Kind(StrEnum):
    """How a caller shows that they may."""

    PUBLIC = "public"
    SIGNATURE = "signature"
    PERMISSION = "permission"
    SESSION = "session"
    METRICS = "metrics"


class Door(StrEnum):
    """Through which door a route is reached: it decides how a refusal looks and who checks."""

    API = "api"
    PAGE = "page"


@dataclass(frozen=True)
class Access:
    """One route's rule. note: whose rows are meant, or why it is open; scripts: page may load Stripe's;
    takes_files: its form may be as large as a file.
    """

    kind: Kind
    door: Door
    permission: Permission | None = None
    note: str = ""
    loads_stripe: bool = False
    takes_files: bool = False


class NotDeclared(RuntimeError):
    """Routes without an access rule; the message names them."""


def declare(access: Access) -> Callable[[View], View]:
    """Give a view its rule.

    Raises: RuntimeError when it has one already
    """
    if access.kind == Kind.PERMISSION and access.permission is None:
        raise RuntimeError("name the permission")
    if access.kind in (Kind.PUBLIC, Kind.SIGNATURE) and not access.note:
        raise RuntimeError("say why an open route is open")

    def mark(view: View) -> View:
        if hasattr(view, _MARK):
            raise RuntimeError(f"{view.__qualname__} has an access rule already")
        setattr(view, _MARK, access)
        return view

    return mark


def public(
    note: str, *, door: Door = Door.PAGE, loads_stripe: bool = False
) -> Callable[[View], View]:
    """Open a route to anybody. note: why that is safe."""
    return declare(Access(Kind.PUBLIC, door, note=note, loads_stripe=loads_stripe))


def signature(note: str) -> Callable[[View], View]:
    """Open a route to senders whose signature the view itself verifies."""
    return declare(Access(Kind.SIGNATURE, Door.API, note=note))


def page(
    permission: Permission, *, note: str = "", takes_files: bool = False
) -> Callable[[View], View]:
    """Open a desk page to signed-in people who hold a permission. note: whose rows they see."""
    return declare(Access(Kind.PERMISSION, Door.PAGE, permission, note, takes_files=takes_files))


def session_only(note: str = "") -> Callable[[View], View]:
    """Open a desk page to anybody who is signed in."""
    return declare(Access(Kind.SESSION, Door.PAGE, note=note))


def of(view: Callable[..., Any]) -> Access | None:
    """Look a view's rule up."""
    return getattr(view, _MARK, None)


def table(app: Flask) -> Iterator[tuple[Rule, Access | None]]:
    """List every rule of the app with its access."""
    for rule in app.url_map.iter_rules():
        yield rule, of(app.view_functions[rule.endpoint])


def assert_complete(app: Flask) -> None:
    """Refuse an app in which a route says nothing about who may call it.

    Raises: NotDeclared
    """
    silent = sorted({str(rule) for rule, access in table(app) if access is None})
    if silent:
        raise NotDeclared(f"no access rule: {', '.join(silent)}")
