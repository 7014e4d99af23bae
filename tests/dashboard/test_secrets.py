"""The secrets cockpit on the desk: who sees and does what, values shown once, acts that ask first."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from core import clock
from core.vault import Secret
from domain.database import reading
from domain.secrets import credential_uses, secret_queries, secrets
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, hidden, rows, text

STRONG = "whsec_" + "Zq3x7Lw9Rt2y5Uv8Kp4n6Mb1Hd0"
WHY = {"reason": "quarterly rotation"}


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def path_of(kind: str = "webhook") -> str:
    secrets.adopt_all()
    with reading() as session:
        return f"/secrets/{secret_queries.list_secrets(session, kinds=[kind])[0].row.id}"


def rotate(ada: Browser, path: str, **more: str) -> str:
    answer = ada.post(f"{path}/rotate", WHY | {"overlap": "24"} | more)
    assert answer.status_code in (200, 303), answer.text[:500]
    return answer.text


def test_the_list_shows_every_secret_with_age_and_verdict(
    desk: Desk, till: Till, who: Personas
) -> None:
    del till
    secrets.adopt_all()
    for person in (who.ada, who.ed, who.ann):
        page = desk.browser(person).page("/secrets")
        listed = " ".join(rows(page))
        assert "Stripe: webhook signing secret" in listed and "made today" in listed
        assert "whsec_till" not in page
    for person in (who.fin, who.sue, who.mel, who.bo):
        assert desk.browser(person).get("/secrets").status_code == 403
    assert desk.anonymous().get("/secrets").status_code == 303


def test_readers_see_the_acts_disabled_with_the_reason(
    desk: Desk, till: Till, who: Personas
) -> None:
    del till
    path = path_of()
    ann = desk.browser(who.ann)
    shown = text(ann.page(path))
    assert "Only admins change secrets." in shown and "Your role reads secrets only." in shown
    for way in ("rotate", "versions/1/retire", "versions/1/revoke", "versions/1/restore"):
        assert ann.get(f"{path}/{way}").status_code == 403
        assert ann.post(f"{path}/{way}", WHY).status_code == 403
    assert ann.post(f"{path}/probe").status_code == 403
    for place in ("api-keys/key_x/rotate", "master-keys/seal"):
        assert ann.post(f"/secrets/{place}", WHY).status_code == 403


def test_a_stale_proof_is_asked_for_first_and_nothing_is_done(
    desk: Desk, till: Till, who: Personas
) -> None:
    del till
    path, ada = path_of(), desk.browser(who.ada)
    for way in ("rotate", "versions/1/revoke"):
        for answer in (ada.get(f"{path}/{way}"), ada.post(f"{path}/{way}", WHY)):
            assert answer.status_code == 303
            assert answer.headers["Location"].startswith("/account/step-up?next=")
    assert "v2" not in text(ada.page(path))


def test_a_generated_value_is_shown_once_and_never_again(
    desk: Desk, till: Till, who: Personas
) -> None:
    del till
    path, ada = path_of(), desk.browser(who.ada, fresh=True)
    asked = ada.page(f"{path}/rotate")
    assert "What will happen" in asked and "Way back" in text(asked)
    answer = ada.post(f"{path}/rotate", WHY | {"overlap": "24", "after": hidden(asked, "after")})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    found = re.search(r'id="once-value">([^<]+)<', answer.text)
    assert found and found[1].startswith("whsec_")
    assert secrets.live("stripe")[0].value == found[1]
    for page in (path, "/secrets", "/audit"):
        assert found[1] not in ada.page(page)
    again = ada.post(f"{path}/rotate", WHY | {"overlap": "24", "after": hidden(asked, "after")})
    assert again.status_code == 422 and "was made meanwhile" in text(again.text)
    assert "v3" not in text(ada.page(path))


def test_an_entered_value_is_never_given_back(desk: Desk, till: Till, who: Personas) -> None:
    del till
    path, ada = path_of(), desk.browser(who.ada, fresh=True)
    for sent, said in (
        ({"value": "whsec_weak", "reason": "quarterly"}, "random characters"),
        ({"value": STRONG, "reason": ""}, "Say why in a few words."),
    ):
        wrong = ada.post(f"{path}/rotate", sent | {"overlap": "72"})
        assert wrong.status_code == 422 and said in text(wrong.text)
        assert sent["value"] not in wrong.text
        assert 'value="72" selected' in wrong.text
    done = ada.post(f"{path}/rotate", WHY | {"overlap": "72", "value": STRONG})
    assert done.status_code == 303 and STRONG not in done.headers["Location"]
    page = ada.page(path)
    assert "v2 is in use" in text(page) and STRONG not in page


def test_retire_says_why_it_is_not_safe_and_can_be_forced(
    desk: Desk, till: Till, who: Personas
) -> None:
    path, ada = path_of(), desk.browser(who.ada, fresh=True)
    till.deliver(till.event("payment_intent.created", till.payment(who.bo)))
    credential_uses.flush()
    rotate(ada, path, value=STRONG)
    asked = ada.page(f"{path}/versions/1/retire")
    assert "v2 has verified nothing yet" in text(asked)
    assert "although it is not safe" in text(asked)
    later = ada.post(f"{path}/versions/1/retire", WHY | {"when": "48"})
    assert later.status_code == 303
    assert "stops verifying in 1 d" in text(ada.page(path)) and len(secrets.live("stripe")) == 2
    wrong = ada.post(f"{path}/versions/1/retire", {"when": "48", "reason": ""})
    assert wrong.status_code == 422 and 'value="48" selected' in wrong.text
    done = ada.post(f"{path}/versions/1/retire", WHY | {"force": hidden(asked, "force")})
    assert done.status_code == 303
    assert "Retired" in text(ada.page(path))
    restored = ada.post(f"{path}/versions/1/restore", WHY)
    assert restored.status_code == 303
    assert secrets.live("stripe")[0].value == "whsec_till"


def test_revoke_shows_its_forecast_first(desk: Desk, till: Till, who: Personas) -> None:
    path, ada = path_of(), desk.browser(who.ada, fresh=True)
    till.deliver(till.event("payment_intent.created", till.payment(who.bo)))
    rotate(ada, path, value=STRONG)
    asked = text(ada.page(f"{path}/versions/1/revoke"))
    assert "Stored, not applied yet 1" in asked and "Deliveries in the last 3 h 1" in asked
    assert ada.post(f"{path}/versions/1/revoke", {"reason": ""}).status_code == 422
    assert ada.post(f"{path}/versions/1/revoke", WHY).status_code == 303
    page = text(ada.page(path))
    assert "Revoked" in page and "v1 is revoked" in page
    last = ada.post(f"{path}/versions/2/revoke", WHY)
    assert last.status_code == 422 and "last live version" in text(last.text)
    assert ada.get(f"{path}/versions/9/revoke").status_code == 404


def test_the_chart_draws_old_against_new(desk: Desk, till: Till, who: Personas) -> None:
    path, ada = path_of(), desk.browser(who.ada, fresh=True)
    body = till.event("payment_intent.created", till.payment(who.bo))
    till.deliver(body)
    rotate(ada, path, value=STRONG)
    from tests.api.till import signature

    till.deliver(body, Stripe_Signature=signature(body, secret=STRONG))
    credential_uses.flush()
    for name in ("24h", "7d"):
        page = ada.page(f"{path}?chart={name}")
        assert 'aria-label="Uses by version. v2: 1, v1: 1."' in page
        assert page.count('class="hits-bar"') == 2
    assert "<html" not in ada.part(f"{path}/body?chart=7d")


def test_forms_drawn_under_the_old_session_key_stay_good_until_it_is_revoked(
    desk: Desk, till: Till, who: Personas
) -> None:
    del till
    path, ada = path_of("session"), desk.browser(who.ada, fresh=True)
    token = ada.csrf()
    rotate(ada, path)
    sent = {"csrf_token": token, "theme": "dark", "next": "/account"}
    assert ada.client.post("/account/theme", data=sent).status_code == 303
    assert ada.post(f"{path}/versions/1/revoke", WHY).status_code == 303
    assert ada.client.post("/account/theme", data=sent).status_code == 403
    # Nobody is signed out: the page is loaded again and its form is good.
    form = {"csrf_token": ada.csrf(), "theme": "light", "next": "/account"}
    assert ada.client.post("/account/theme", data=form).status_code == 303


def test_keys_of_merchants_are_rotated_and_revoked(desk: Desk, till: Till, who: Personas) -> None:
    del till
    held, ada = who.mels_key, desk.browser(who.ada, fresh=True)
    listed = " ".join(rows(ada.page("/secrets/api-keys")))
    assert "Mel's" in listed and held.key not in listed
    base = f"/secrets/api-keys/{held.id}"
    assert "for 24 h more" in text(ada.page(f"{base}/rotate"))
    made = ada.post(f"{base}/rotate", WHY)
    found = re.search(r'id="once-value">([^<]+)<', made.text)
    assert found and found[1].startswith("pd_test_")
    api = desk.app.test_client()
    for key in (held.key, found[1]):
        assert api.get("/api/me", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert ada.post(f"{base}/rotate", WHY).status_code == 422
    assert ada.post(f"{base}/revoke", WHY).status_code == 303
    assert api.get("/api/me", headers=held.headers).status_code == 401
    assert ada.get("/secrets/api-keys/key_unknown/revoke").status_code == 404
    assert found[1] not in ada.page("/secrets/api-keys")


def test_the_master_keys_page_counts_and_begins_a_pass_once(
    desk: Desk, till: Till, who: Personas
) -> None:
    del till
    ada = desk.browser(who.ada, fresh=True)
    assert "k1" in text(ada.page("/secrets/master-keys"))
    assert ada.post("/secrets/master-keys/seal", WHY).status_code == 303
    again = ada.post("/secrets/master-keys/seal", WHY)
    assert again.status_code == 422 and "running already" in text(again.text)
    assert "A pass is running." in text(ada.page("/secrets/master-keys"))


def test_what_is_overdue_is_marked(
    desk: Desk, till: Till, who: Personas, monkeypatch: pytest.MonkeyPatch
) -> None:
    del till
    from domain.secrets import secret_kinds

    secrets.adopt_all()
    monkeypatch.setitem(
        secret_kinds.KINDS,  # type: ignore[arg-type]  # a dict underneath
        "webhook",
        secret_kinds.Kind(**(vars(secret_kinds.KINDS["webhook"]) | {"max_age_days": 0})),
    )
    assert "older than it should be" in text(desk.browser(who.ed).page(path_of()))


def test_nothing_of_a_secret_is_on_any_page(desk: Desk, till: Till, who: Personas) -> None:
    settings = till.app.config["PAYDESK"]
    path, ada = path_of(), desk.browser(who.ada, fresh=True)
    rotate(ada, path, value=STRONG)
    hushed = [STRONG, "whsec_till", settings.secret_key.reveal()]
    hushed += [Secret(str(key.key)).reveal() for key in settings.jwt_keys]
    pages = [path, f"{path}/rotate", "/secrets", "/secrets/api-keys", "/secrets/master-keys"]
    for page in (*pages, "/audit", "/"):
        shown = ada.page(page)
        assert not [value for value in hushed if value in shown], (page, clock.now())
