"""Whoever is not verified yet looks and does not act: the one sentence that says so, and the check."""

from __future__ import annotations

from core.errors import Forbidden
from core.states import Kyc
from domain.actors import Actor

KYC_WORDS = "Your account is not verified yet; until it is, you can look but not act."


def lacks_kyc(actor: Actor) -> bool:
    """Tell whether somebody who is not staff may not move money yet."""
    return actor.is_guarded_by_kyc and actor.kyc != Kyc.APPROVED


def assert_kyc(actor: Actor) -> None:
    """Refuse an act about money while the person is not verified.

    Raises: Forbidden KYC_REQUIRED
    """
    if lacks_kyc(actor):
        raise Forbidden(KYC_WORDS, code="KYC_REQUIRED")
