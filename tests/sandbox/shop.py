"""A shop's page under a strict policy, on a thread, that takes cards through stripe.js."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.sandbox.standin import PUBLISHABLE_KEY

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
<link rel="stylesheet" href="/shop.css">
<script src="{origin}/v3/"></script><script src="/shop.js" defer></script>
<main><h1>Pay 25.00 USD</h1>
<form id="shop" data-key="{key}"><div id="fields"></div><button>Pay</button></form>
<p id="said" role="status"></p></main></html>"""

_STYLE = (
    "body{font-family:sans-serif;max-width:30rem;margin:2rem auto} :root{color-scheme:light dark}"
)

_SCRIPT = """"use strict";
const form = document.getElementById("shop"), said = document.getElementById("said");
const asked = new URLSearchParams(location.search), secret = asked.get("secret");
const stripe = Stripe(form.dataset.key);
const elements = stripe.elements({clientSecret: secret});
const kind = asked.get("kind");
const element = elements.create(kind);
element.on("ready", () => { document.body.dataset.ready = "yes"; });
element.on("change", (event) => {
  document.body.dataset.complete = event.complete;
  said.textContent = event.error ? event.error.message : "";
});
element.mount("#fields");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const result = asked.has("setup")
    ? await stripe.confirmCardSetup(secret, {payment_method: {card: element}})
    : kind === "card"
    ? await stripe.confirmCardPayment(secret, {
        payment_method: {card: element, billing_details: {name: "Bo", email: "bo@example.com"}}})
    : await stripe.confirmPayment({
        elements, confirmParams: {return_url: location.origin + "/back"},
        redirect: asked.get("redirect") || "if_required"});
  const intent = result.paymentIntent || result.setupIntent;
  said.textContent = result.error ? "refused: " + result.error.message : "paid: " + intent.status;
});
"""


class Shop:
    """The shop's server."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def policy(self) -> str:
        """Return the policy that a careful shop sends."""
        return (
            f"default-src 'none'; style-src 'self'; script-src 'self' {self.origin}; "
            f"frame-src {self.origin}; connect-src 'self' {self.origin}; form-action 'self'"
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        super().__init__(("127.0.0.1", 0), _Connection)


class _Connection(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        page = _PAGE.format(origin=self.server.shop.origin, key=PUBLISHABLE_KEY)
        body, kind = {
            "/shop.js": (_SCRIPT, "text/javascript"),
            "/shop.css": (_STYLE, "text/css"),
            "/back": ("<!doctype html><title>Back</title><h1>Thank you</h1>", "text/html"),
        }.get(path, (page, "text/html"))
        if path == "/favicon.ico":
            body = ""
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Security-Policy", self.server.shop.policy())
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass
