"""What a browser holds between the two steps of a sign-in: the key to one row, for a few minutes."""

from __future__ import annotations

from flask import Request, Response

from config import Settings
from domain.people.challenges import LIVES_SECONDS


def _name(settings: Settings) -> str:
    return "__Host-paydesk_sign_in" if settings.is_https else "paydesk_sign_in"


def held(asked: Request, settings: Settings) -> str:
    """Give what this browser holds; empty when it is in the middle of no sign-in."""
    return asked.cookies.get(_name(settings), "")


def give(response: Response, key: str, settings: Settings) -> None:
    """Give the browser the key of a sign-in whose second step follows."""
    response.set_cookie(
        _name(settings),
        key,
        max_age=LIVES_SECONDS,
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="Strict",
    )


def take(response: Response, settings: Settings) -> None:
    """Take that key from the browser."""
    response.delete_cookie(
        _name(settings), path="/", secure=settings.is_https, httponly=True, samesite="Strict"
    )
