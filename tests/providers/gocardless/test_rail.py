"""The rail as the environment makes it: its mode, its places, its secrets, and what it is asked to be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config import BadSettings
from core.errors import RailNotConfigured
from providers.gocardless import rail as module
from providers.gocardless.places import Places, of
from providers.seam import Rail
from tests.providers.desk_http import made_settings
from tests.providers.gocardless.desk import SECRET
from tests.providers.gocardless.test_calls import NEW

LIVE, TEST = "live_" + "a1" * 16, "sandbox_" + "a1" * 16


def built(**given: str) -> Rail:
    return module.build(made_settings(given))


def placed(**given: str) -> Places:
    return of(made_settings(given))


@pytest.mark.parametrize(
    ("given", "mode", "host"),
    [
        ({}, "test", "api-sandbox"),
        ({"GOCARDLESS_ACCESS_TOKEN": TEST}, "test", "api-sandbox"),
        ({"GOCARDLESS_ACCESS_TOKEN": LIVE}, "live", "api"),
        ({"GOCARDLESS_API_URL": "https://api.gocardless.com/"}, "live", "api"),
        ({"GOCARDLESS_API_URL": "https://api-sandbox.gocardless.com"}, "test", "api-sandbox"),
    ],
)
def test_the_token_or_the_address_tells_the_mode_and_all_other_places(
    given: dict[str, str], mode: str, host: str
) -> None:
    found = placed(**given)
    assert (found.mode, found.is_stand_in) == (mode, False)
    assert found.api == f"https://{host}.gocardless.com"
    assert found.pages == f"https://{host.replace('api', 'pay')}.gocardless.com"
    assert built(**given).hosts == (found.pages,)


def test_another_address_is_a_stand_in_of_test_mode_with_all_in_one_place() -> None:
    found = placed(GOCARDLESS_API_URL="http://127.0.0.1:9001", GOCARDLESS_ACCESS_TOKEN="anything")
    assert (found.mode, found.is_stand_in) == ("test", True)
    assert {found.api, found.pages} == {"http://127.0.0.1:9001"}


@pytest.mark.parametrize(
    "given",
    [
        {"GOCARDLESS_API_URL": "https://api.gocardless.com", "GOCARDLESS_ACCESS_TOKEN": TEST},
        {"GOCARDLESS_API_URL": "https://api-sandbox.gocardless.com"}
        | {"GOCARDLESS_ACCESS_TOKEN": LIVE},
        {"GOCARDLESS_API_URL": "http://127.0.0.1:9001", "GOCARDLESS_ACCESS_TOKEN": LIVE},
        {"GOCARDLESS_API_URL": "api.gocardless.com"},
        {"GOCARDLESS_API_URL": "https://api.gocardless.com/v1"},
        {"GOCARDLESS_API_URL": "https://user:word@api.gocardless.com"},
    ],
)
def test_what_does_not_fit_together_is_refused_at_the_start(given: dict[str, str]) -> None:
    with pytest.raises(BadSettings, match="GOCARDLESS"):
        placed(**given)


def test_production_takes_no_stand_in_and_is_live_unless_told_otherwise() -> None:
    def in_production(**given: str) -> Places:
        return of(replace(made_settings(given), env="production"))

    assert in_production().mode == "live"
    assert in_production(GOCARDLESS_ACCESS_TOKEN=TEST).mode == "test"
    for address in ("https://bank.example", "http://api.gocardless.com"):
        with pytest.raises(BadSettings, match="GOCARDLESS"):
            in_production(GOCARDLESS_API_URL=address)


def test_it_can_be_called_when_there_is_a_token() -> None:
    assert built(GOCARDLESS_ACCESS_TOKEN=TEST).is_configured
    lacking = built(GOCARDLESS_WEBHOOK_SECRET=SECRET)
    assert not lacking.is_configured
    with pytest.raises(RailNotConfigured):
        lacking.create_link(NEW, key="k")


def test_the_environments_secrets_are_handed_over_by_kind() -> None:
    found = built(GOCARDLESS_ACCESS_TOKEN=TEST, GOCARDLESS_WEBHOOK_SECRET=SECRET)
    assert found.given_secrets == {"provider_key": [TEST], "webhook": [SECRET]}
    for secret in (TEST, SECRET):
        assert secret not in repr(found)


def test_a_secret_that_cannot_be_is_explained() -> None:
    rail = built(GOCARDLESS_ACCESS_TOKEN=TEST)
    assert rail.weakness("provider_key", TEST) is None
    assert "test mode" in str(rail.weakness("provider_key", LIVE))
    for value in (
        "",
        "sandbox_",
        "sandbox_has spaces in it, which none has",
        "sk_test_" + "a" * 30,
    ):
        assert rail.weakness("provider_key", value)
    assert rail.weakness("webhook", SECRET) is None
    for value in ("", "short", "has spaces in it, which none has", "é" * 40):
        assert rail.weakness("webhook", value)
    assert rail.weakness("signing_key", SECRET)


def test_a_stand_ins_token_may_be_anything_but_a_live_one() -> None:
    rail = built(GOCARDLESS_API_URL="http://127.0.0.1:9001")
    assert rail.weakness("provider_key", "standin-token") is None
    for value in ("", "short", LIVE):
        assert rail.weakness("provider_key", value)


def test_it_takes_over_what_it_is_asked_to_be() -> None:
    rail = built(GOCARDLESS_ACCESS_TOKEN=TEST)
    assert (rail.name, rail.rail, rail.label) == ("gocardless", "bank", "GoCardless")
    assert (rail.door, rail.signed_by) == ("bank/gocardless", "Webhook-Signature")
    assert (rail.taken_status, rail.refused_status) == (204, 498)
    assert rail.methods == {"link"}
    assert sorted(rail.currencies or ()) == ["EUR", "GBP"]
    assert (rail.names_payer, rail.reference_scheme, rail.returns_by) == (False, None, None)
    assert rail.body_limit == 2**20
