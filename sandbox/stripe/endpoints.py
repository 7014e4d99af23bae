"""Webhook endpoints: where events go and with which secrets they are signed; sends nothing."""

from __future__ import annotations

from urllib.parse import urlsplit

from sandbox.stripe import lists, params
from sandbox.stripe.errors import Obj, invalid
from sandbox.stripe.ids import new_id
from sandbox.stripe.world import Call, visible

KIND = "webhook_endpoint"


def register(
    call: Call, url: str, secrets: list[str], *, enabled_events: list[str] | None = None
) -> Obj:
    """Add an endpoint, or give the one with this URL these secrets. Writes: the endpoint."""
    known = next((end for end in call.store.every(KIND) if end["url"] == url), None)
    if known is not None:
        known |= {"_secrets": secrets, "status": "enabled"}
        known["enabled_events"] = enabled_events or known["enabled_events"]
        return call.store.put(KIND, known)
    endpoint: Obj = {
        "id": new_id("we_1"),
        "object": KIND,
        "api_version": call.world.settings.api_version,
        "application": None,
        "created": call.now,
        "description": None,
        "enabled_events": enabled_events or ["*"],
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
        "_secrets": secrets,
    }
    return call.store.put(KIND, endpoint)


def create(call: Call, sent: Obj) -> Obj:
    """Answer `POST /v1/webhook_endpoints`; the secret is shown this once."""
    params.only(sent, {"url", "enabled_events", "description", "metadata", "api_version",
                       "connect"})  # fmt: skip
    url = params.required_text(sent, "url")
    if urlsplit(url).scheme not in ("http", "https"):
        raise invalid("Invalid URL: An explicit scheme (such as https) must be provided.", "url",
                      code="url_invalid")  # fmt: skip
    secret = new_id("whsec", 32)
    wanted = params.texts(sent, "enabled_events") or ["*"]
    endpoint = register(call, url, [secret], enabled_events=wanted)
    _describe(endpoint, sent)
    call.store.put(KIND, endpoint)
    return visible(endpoint) | {"secret": secret}


def retrieve(call: Call, _sent: Obj, endpoint_id: str) -> Obj:
    """Answer `GET /v1/webhook_endpoints/{id}`."""
    return visible(call.get(KIND, endpoint_id))


def update(call: Call, sent: Obj, endpoint_id: str) -> Obj:
    """Answer `POST /v1/webhook_endpoints/{id}`; a disabled one gets no more retries."""
    params.only(sent, {"url", "enabled_events", "description", "metadata", "disabled"})
    endpoint = call.get(KIND, endpoint_id)
    if "disabled" in sent:
        endpoint["status"] = "disabled" if params.flag(sent, "disabled") else "enabled"
    endpoint["url"] = params.text(sent, "url") or endpoint["url"]
    wanted = params.texts(sent, "enabled_events")
    endpoint["enabled_events"] = wanted or endpoint["enabled_events"]
    _describe(endpoint, sent)
    return visible(call.store.put(KIND, endpoint))


def delete(call: Call, _sent: Obj, endpoint_id: str) -> Obj:
    """Answer `DELETE /v1/webhook_endpoints/{id}`."""
    call.get(KIND, endpoint_id)
    call.store.remove(endpoint_id)
    return {"id": endpoint_id, "object": KIND, "deleted": True}


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/webhook_endpoints`."""
    params.only(sent, lists.PAGING)
    return lists.page(call, KIND, sent, url="/v1/webhook_endpoints")


def _describe(endpoint: Obj, sent: Obj) -> None:
    if "description" in sent:
        endpoint["description"] = params.text(sent, "description")
    endpoint["metadata"] = params.metadata(sent, endpoint["metadata"])
