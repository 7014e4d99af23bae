"""`@endpoint`: declares a route of the API and checks each call in the order of surface §1."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

from flask import Blueprint, Response
from pydantic import BaseModel

from api.contract import checks, registry
from api.contract.answers import Answer
from api.contract.calls import Call
from api.contract.registry import Endpoint, Key, Open, Style, Who
from api.contract.running import Replayed, store_refusal
from core.errors import AppError
from web import access
from web.access import Access, Door, Kind

Result = Answer | Response
View = Callable[[Call[Any, Any]], Result]
Raw = TypeVar("Raw", bound=Callable[..., Any])
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def _access(found: Endpoint) -> Access:
    if isinstance(found.who, Open):
        kind = Kind.SIGNATURE if found.who.signed else Kind.PUBLIC
        return Access(kind, Door.API, note=found.who.why)
    return Access(Kind.PERMISSION, Door.API, found.who, found.requirement)


def _mount(blueprint: Blueprint, found: Endpoint, view: Callable[..., Any]) -> None:
    registry.add(found)
    access.declare(_access(found))(view)
    rule = _PLACEHOLDER.sub(r"<\1>", found.path)
    name = f"{found.method.lower()}_{re.sub(r'[^A-Za-z0-9]+', '_', found.path).strip('_')}"
    blueprint.add_url_rule(rule, endpoint=name, view_func=view, methods=[found.method])


def _answered(found: Endpoint, view: View, call: Call[Any, Any]) -> Result:
    try:
        result = view(call)
    except Replayed as replayed:
        return replayed.answer
    except AppError as error:
        store_refusal(call, error, path=found.path)
        raise
    if call.claim is not None and not call.claim.is_finished:
        raise RuntimeError(f"{found.name} left its Idempotency-Key without an answer")
    return result


def endpoint(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    access: Who,
    summary: str,
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    answers: Mapping[int, type[BaseModel] | None] | None = None,
    key: Key = None,
    money: bool = False,
    errors: Sequence[str] = (),
    events: Sequence[str] = (),
    requirement: str = "",
    surface_style: Style = "api",
    deviation: str | None = None,
    media: str = "application/json",
    takes_file: bool = False,
) -> Callable[[View], View]:
    """Declare one route; the view receives a checked `Call` and gives an `Answer` or a stream.

    access: a permission, or `Open(why)`; key: `R` required, `O` heeded, None ignored;
    money: buyers, sellers and merchants need an approved KYC; path: with `{placeholders}`;
    takes_file: the body is a form with one file, which the call holds.
    """
    found = Endpoint(
        method=method,
        path=path,
        who=access,
        summary=summary,
        body=body,
        query=query,
        answers=answers or {200: None},
        key=key,
        money=money,
        errors=tuple(errors),
        events=tuple(events),
        requirement=requirement,
        style=surface_style,
        tag=blueprint.name,
        deviation=deviation,
        media=media,
        takes="multipart/form-data" if takes_file else "application/json",
        takes_file=takes_file,
    )

    def declared(view: View) -> View:
        @wraps(view)
        def mounted(**path_values: str) -> Response:
            early = checks.answer_early(found, path_values)
            result = _answered(found, view, early) if isinstance(early, Call) else early
            if isinstance(result, Answer):
                checks.assert_as_documented(found, result)
                return checks.finished(result.response())
            return checks.finished(result)

        _mount(blueprint, found, mounted)
        return view

    return declared


def route(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    access: Open,
    summary: str,
    answers: Mapping[int, type[BaseModel] | None] | None = None,
    errors: Sequence[str] = (),
    events: Sequence[str] = (),
    requirement: str = "",
    surface_style: Style = "api",
    deviation: str | None = None,
    media: str = "application/json",
    takes: str = "*/*",
) -> Callable[[Raw], Raw]:
    """Declare and document a route whose view does everything itself, such as a webhook."""
    found = Endpoint(
        method=method,
        path=path,
        who=access,
        summary=summary,
        answers=answers or {200: None},
        errors=tuple(errors),
        events=tuple(events),
        requirement=requirement,
        style=surface_style,
        tag=blueprint.name,
        deviation=deviation,
        media=media,
        takes=takes,
        is_checked=False,
    )

    def declared(view: Raw) -> Raw:
        _mount(blueprint, found, view)
        return view

    return declared
