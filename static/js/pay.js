// The pay page: mounts Stripe's card field, confirms, then follows the payment's own state until it is final.
(function () {
  "use strict";

  const form = document.getElementById("pay-form");
  const follow = form || document.getElementById("pay-follow");
  if (!follow) return;
  const stateUrl = follow.dataset.stateUrl;

  // The state is always asked of the desk, never believed from the browser.

  let asked = 60;
  let timer = null;
  let release = () => undefined;

  function stateNode() {
    return document.getElementById("pay-state");
  }

  async function readState() {
    const answer = await fetch(stateUrl, { headers: { Accept: "text/html" }, credentials: "same-origin", cache: "no-store" });
    if (!answer.ok) return;
    const holder = document.createElement("template");
    holder.innerHTML = await answer.text();
    const fresh = holder.content.getElementById("pay-state");
    const shown = stateNode();
    if (fresh && shown && fresh.outerHTML !== shown.outerHTML) shown.replaceWith(fresh);
  }

  function followState() {
    clearTimeout(timer);
    asked += 1;
    readState()
      .catch(() => undefined)
      .finally(() => {
        const state = stateNode();
        if (state.hasAttribute("data-final")) return;
        // Right after paying, "declined" may still speak of the attempt before; later it speaks of this one.
        if (form && state.dataset.state === "declined" && asked === 15) release();
        timer = setTimeout(followState, asked < 15 ? 1000 : asked < 60 ? 3000 : 15000);
      });
  }

  if (!form) {
    asked = 0;
    followState();
    return;
  }

  const problem = document.getElementById("pay-problem");
  const button = document.getElementById("pay-button");
  const buttonText = document.getElementById("pay-button-text");
  const mount = document.getElementById("card-mount");
  const label = buttonText.textContent;

  const plainWords = {
    insufficient_funds: "The card has not enough money for this payment. Nothing was charged. Try another card.",
    expired_card: "The card has expired. Try another card.",
    incorrect_cvc: "The security code is wrong. Check the three or four digits and try again.",
    incorrect_number: "The card number is wrong. Check it and try again.",
    lost_card: "The bank refused the card. Nothing was charged. Try another card or call the bank.",
    stolen_card: "The bank refused the card. Nothing was charged. Try another card or call the bank.",
    processing_error: "The bank could not process the card just now. Nothing was charged. Try again in a minute.",
    generic_decline: "The bank refused the card. Nothing was charged. Try another card or call the bank.",
    payment_intent_authentication_failure: "The bank could not confirm that it is you. Nothing was charged. Try again or use another card.",
    card_declined: "The bank refused the card. Nothing was charged. Try another card or call the bank.",
  };

  function wordsFor(error) {
    return plainWords[error.decline_code] || plainWords[error.code] || error.message || "The payment did not go through. Try again.";
  }

  function say(text) {
    problem.textContent = text || "";
  }

  function busy(text) {
    button.disabled = Boolean(text);
    button.dataset.state = text ? "busy" : "ready";
    buttonText.textContent = text || label;
  }

  release = () => busy("");

  if (typeof window.Stripe !== "function") {
    mount.dataset.state = "failed";
    say("The card field could not be loaded. Check the connection, then reload this page. Nothing was charged.");
    return;
  }

  const secret = form.dataset.clientSecret;
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark"
    || (document.documentElement.dataset.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  const ink = getComputedStyle(document.body).color;
  const stripe = window.Stripe(form.dataset.publishableKey);
  const whole = form.dataset.element === "payment";
  const elements = whole
    ? stripe.elements({ clientSecret: secret, appearance: { theme: dark ? "night" : "stripe" } })
    : stripe.elements();
  const card = whole
    ? elements.create("payment")
    : elements.create("card", { hidePostalCode: true, style: { base: { color: ink, fontSize: "15px", iconColor: ink } } });

  card.on("ready", () => {
    mount.dataset.state = "ready";
    busy("");
  });
  card.on("change", (event) => say(event.error ? event.error.message : ""));
  card.mount("#card-mount");

  timer = setTimeout(followState, 15000);

  function confirm() {
    const name = document.getElementById("pay-name").value.trim();
    const billing = name ? { name } : {};
    if (whole) {
      return stripe.confirmPayment({
        elements,
        confirmParams: { return_url: form.dataset.returnUrl, payment_method_data: { billing_details: billing } },
        redirect: "if_required",
      });
    }
    return stripe.confirmCardPayment(secret, {
      payment_method: { card, billing_details: billing },
      return_url: form.dataset.returnUrl,
    });
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    say("");
    busy("Paying");
    try {
      const result = await confirm();
      if (result.error && result.error.type !== "api_connection_error" && result.error.type !== "api_error") {
        say(wordsFor(result.error));
        busy("");
        return;
      }
      // No answer is not a no: the desk finds out and says so.
      if (result.error) say("Stripe did not answer in time. We are asking; please do not pay again.");
    } catch {
      say("The connection was lost while paying. We are asking; please do not pay again.");
    }
    busy("Waiting for the bank");
    asked = 0;
    followState();
  });
})();
