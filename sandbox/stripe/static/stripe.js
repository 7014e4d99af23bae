// The sandbox's stripe.js: elements in frames, confirmation, 3DS in a dialog. Same calls as js.stripe.com/v3.
"use strict";
window.Stripe = (() => {
  const origin = new URL(document.currentScript.src).origin;
  let count = 0;

  const encode = (value, path = "", into = new URLSearchParams()) => {
    if (value === undefined || value === null) return into;
    if (typeof value !== "object") into.append(path, String(value));
    else for (const [key, below] of Object.entries(value)) encode(below, path ? `${path}[${key}]` : key, into);
    return into;
  };

  const api = async (method, path, fields) => {
    const content = encode(fields);
    try {
      const response = method === "GET"
        ? await fetch(`${origin}${path}?${content}`)
        : await fetch(origin + path, { method, body: content });
      return await response.json();
    } catch {
      return { error: { type: "api_connection_error", message: "We could not reach the payment provider. Check your connection and try again." } };
    }
  };

  // ---------------------------------------------------------------- one element in one frame

  const SCHEMES = { night: "dark", stripe: "light", flat: "light" };
  const VARIABLES = {
    colorPrimary: "--accent", colorText: "--ink", colorTextSecondary: "--quiet", colorBackground: "--field",
    colorDanger: "--danger", fontFamily: "--font", borderRadius: "--radius",
  };

  const schemeOf = (node, appearance) => {
    if (appearance?.theme) return SCHEMES[appearance.theme] || "light";
    const words = getComputedStyle(node).colorScheme;
    if (words.includes("dark")) return words.includes("light") ? "light dark" : "dark";
    return "light";
  };

  class Element {
    constructor(kind, appearance) {
      this.kind = kind;
      this.appearance = appearance;
      this.name = `__stripeFrame${++count}`;
      this.listeners = new Map();
      this.waiting = new Map();
      this.state = { complete: false, empty: true, error: null };
      this.hear = (message) => this.heard(message);
    }

    mount(target) {
      const place = typeof target === "string" ? document.querySelector(target) : target;
      if (!place) throw new Error(`The selector you specified (${target}) applies to no DOM elements that are currently on the page.`);
      this.unmount();
      this.place = place;
      const scheme = schemeOf(place, this.appearance);
      const frame = document.createElement("iframe");
      const asked = new URLSearchParams({ kind: this.kind, frame: this.name, origin: location.origin, scheme });
      frame.src = `${origin}/v3/fields?${asked}`;
      frame.name = this.name;
      frame.title = this.kind === "card" ? "Secure card payment input frame" : "Secure payment input frame";
      frame.allow = "payment *";
      Object.assign(frame.style, {
        border: "0", display: "block", width: "100%", margin: "-4px -4px 0", minWidth: "calc(100% + 8px)",
        height: this.kind === "card" ? "52px" : "170px", colorScheme: scheme, background: "transparent",
      });
      this.frame = frame;
      this.ready = new Promise((resolve) => { this.isReady = resolve; });
      addEventListener("message", this.hear);
      place.replaceChildren(frame);
      this.mark();
      const variables = {};
      for (const [given, ours] of Object.entries(VARIABLES)) {
        const value = this.appearance?.variables?.[given];
        if (value) variables[ours] = value;
      }
      this.ask("appear", { variables });
      return this;
    }

    unmount() {
      removeEventListener("message", this.hear);
      this.frame?.remove();
      this.frame = null;
    }

    destroy() {
      this.unmount();
      this.listeners.clear();
    }

    on(event, listener) {
      if (!this.listeners.has(event)) this.listeners.set(event, new Set());
      this.listeners.get(event).add(listener);
      return this;
    }

    once(event, listener) {
      const single = (value) => { this.off(event, single); listener(value); };
      return this.on(event, single);
    }

    off(event, listener) {
      if (listener) this.listeners.get(event)?.delete(listener);
      else this.listeners.delete(event);
      return this;
    }

    update() { return this; }
    focus() { this.frame?.focus(); this.ask("focus"); }
    blur() { this.ask("blur"); }
    clear() { this.ask("clear"); }
    collapse() { return this; }

    emit(event, value) {
      for (const listener of [...(this.listeners.get(event) || [])]) listener(value);
    }

    async ask(act, more = {}) {
      if (!this.frame) return { error: { type: "integration_error", message: "This element is not mounted." } };
      await this.ready;
      const call = ++count;
      const answer = new Promise((resolve) => this.waiting.set(call, resolve));
      this.frame.contentWindow.postMessage({ stripeSandbox: "fields", call, act, ...more }, origin);
      return answer;
    }

    heard(message) {
      if (message.origin !== origin || message.source !== this.frame?.contentWindow) return;
      const told = message.data || {};
      if (told.stripeSandbox !== "fields" || told.frame !== this.name) return;
      if (told.event === "answer") {
        this.waiting.get(told.call)?.(told.body);
        this.waiting.delete(told.call);
      } else if (told.event === "height") {
        this.frame.style.height = `${Math.ceil(told.height)}px`;
      } else if (told.event === "submit") {
        this.place.closest("form")?.requestSubmit();
      } else if (told.event === "change") {
        this.state = told.state;
        this.mark();
        this.emit("change", { elementType: this.kind, value: { type: "card", postalCode: "" }, ...told.state, error: told.state.error || undefined });
      } else {
        if (told.event === "ready") this.isReady();
        this.place.classList.toggle("StripeElement--focus", told.event === "focus");
        this.emit(told.event, { elementType: this.kind });
      }
    }

    mark() {
      const { classList } = this.place;
      classList.add("StripeElement");
      classList.toggle("StripeElement--empty", this.state.empty);
      classList.toggle("StripeElement--complete", this.state.complete);
      classList.toggle("StripeElement--invalid", Boolean(this.state.error));
    }
  }

  class Elements {
    constructor(options = {}) {
      this.options = options;
      this.made = new Map();
    }

    create(kind, options = {}) {
      if (kind !== "card" && kind !== "payment") throw new Error(`A valid Element name must be provided. The sandbox has card and payment; you passed ${kind}.`);
      const element = new Element(kind, options.appearance || this.options.appearance);
      this.made.set(kind, element);
      return element;
    }

    getElement(kind) { return this.made.get(kind) || null; }
    update(options) { Object.assign(this.options, options); }
    async fetchUpdates() { return {}; }

    get fields() { return this.made.get("payment") || this.made.get("card"); }

    async submit() {
      const { error } = await this.fields.ask("validate");
      return error ? { error } : { selectedPaymentMethod: "card" };
    }
  }

  // ---------------------------------------------------------------- intents

  const KINDS = {
    payment_intent: { path: "/v1/payment_intents", result: "paymentIntent", failure: "last_payment_error" },
    setup_intent: { path: "/v1/setup_intents", result: "setupIntent", failure: "last_setup_error" },
  };
  const kindOf = (secret) => (String(secret).startsWith("seti_") ? "setup_intent" : "payment_intent");
  const idOf = (secret) => String(secret).split("_secret_")[0];

  const challenge = (url) => new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    const frame = document.createElement("iframe");
    const close = document.createElement("button");
    dialog.setAttribute("aria-label", "Confirm your payment with your bank");
    Object.assign(dialog.style, { width: "min(34rem, calc(100vw - 2rem))", padding: "0", border: "0", borderRadius: "12px", overflow: "hidden", background: "Canvas", color: "CanvasText", boxShadow: "0 0 0 100vmax rgb(0 0 0 / 50%)" });
    Object.assign(frame.style, { display: "block", width: "100%", height: "min(30rem, 70vh)", border: "0" });
    Object.assign(close.style, { display: "block", margin: "8px 8px 0 auto", font: "inherit", padding: "4px 12px", cursor: "pointer" });
    frame.title = "3D Secure authentication";
    frame.name = "stripe-challenge-frame";
    frame.src = url;
    close.type = "button";
    close.textContent = "Cancel";
    dialog.append(close, frame);
    document.body.append(dialog);
    const end = () => {
      removeEventListener("message", hear);
      dialog.close();
      dialog.remove();
      resolve();
    };
    const hear = (message) => {
      if (message.origin === origin && message.source === frame.contentWindow && message.data?.stripeSandbox === "challenge") end();
    };
    // Giving up is an answer too: the bank is told, so that the intent does not wait for ever.
    const giveUp = async (event) => {
      event.preventDefault();
      await fetch(url, { method: "POST", mode: "no-cors", body: new URLSearchParams({ outcome: "fail" }) });
      end();
    };
    addEventListener("message", hear);
    close.addEventListener("click", giveUp);
    dialog.addEventListener("cancel", giveUp);
    dialog.showModal();
    frame.focus();
  });

  class Client {
    constructor(key) {
      this.key = key;
    }

    elements(options) { return new Elements(options); }

    async retrieve(secret) {
      const kind = KINDS[kindOf(secret)];
      const body = await api("GET", `${kind.path}/${idOf(secret)}`, { key: this.key, client_secret: secret });
      return body.error ? { error: body.error } : { [kind.result]: body };
    }

    retrievePaymentIntent(secret) { return this.retrieve(secret); }
    retrieveSetupIntent(secret) { return this.retrieve(secret); }

    // Turns an API answer into what the page gets, after the payer has passed or failed 3DS.
    async follow(body, secret, { handleActions = true } = {}) {
      const kind = KINDS[kindOf(secret)];
      if (body.error) return { error: body.error };
      if (!handleActions || body.status !== "requires_action") return { [kind.result]: body };
      const action = body.next_action;
      if (action.type === "redirect_to_url") {
        location.assign(action.redirect_to_url.url);
        return new Promise(() => {});
      }
      await challenge(origin + new URL(action.use_stripe_sdk.stripe_js).pathname);
      const after = await this.retrieve(secret);
      const failure = after[kind.result]?.[kind.failure];
      if (after[kind.result]?.status === "requires_payment_method" && failure) {
        return { error: { ...failure, [kindOf(secret)]: after[kind.result] } };
      }
      return after;
    }

    async handleNextAction({ clientSecret }) {
      const found = await this.retrieve(clientSecret);
      const body = found[KINDS[kindOf(clientSecret)].result];
      return body ? this.follow(body, clientSecret) : found;
    }

    handleCardAction(clientSecret) { return this.handleNextAction({ clientSecret }); }

    async confirmCard(secret, given = {}, options = {}) {
      const { path } = KINDS[kindOf(secret)];
      const { payment_method: method, ...rest } = given;
      const fields = { ...rest, key: this.key, client_secret: secret, use_stripe_sdk: true };
      const target = `${path}/${idOf(secret)}/confirm`;
      if (method?.card instanceof Element) {
        const { card, ...described } = method;
        return this.follow(await card.ask("confirm", { path: target, fields, method: described }), secret, options);
      }
      if (typeof method === "object" && method !== null) fields.payment_method_data = { ...method, type: "card" };
      else if (method) fields.payment_method = method;
      return this.follow(await api("POST", target, fields), secret, options);
    }

    confirmCardPayment(secret, given, options) { return this.confirmCard(secret, given, options); }
    confirmCardSetup(secret, given, options) { return this.confirmCard(secret, given, options); }

    async confirmPayment({ elements, clientSecret, confirmParams = {}, redirect = "always" }) {
      const secret = clientSecret || elements?.options.clientSecret;
      const kind = KINDS[kindOf(secret)];
      const { payment_method_data: described = {}, payment_method: method, ...rest } = confirmParams;
      const fields = { ...rest, key: this.key, client_secret: secret, use_stripe_sdk: true };
      const path = `${kind.path}/${idOf(secret)}/confirm`;
      const body = elements && !method
        ? await elements.fields.ask("confirm", { path, fields, method: described })
        : await api("POST", path, { ...fields, payment_method: method });
      const result = await this.follow(body, secret);
      if (result.error || redirect === "if_required") return result;
      const back = new URL(confirmParams.return_url);
      const name = kindOf(secret);
      back.searchParams.set(name, result[kind.result].id);
      back.searchParams.set(`${name}_client_secret`, secret);
      back.searchParams.set("redirect_status", "succeeded");
      location.assign(back);
      return new Promise(() => {});
    }

    confirmSetup(given) { return this.confirmPayment(given); }

    async createPaymentMethod({ elements, card, params = {}, ...given }) {
      const { type, ...described } = given;
      const element = card instanceof Element ? card : elements?.fields;
      const fields = { key: this.key };
      const body = element
        ? await element.ask("createMethod", { fields, method: { ...described, ...params } })
        : await api("POST", "/v1/payment_methods", { ...fields, ...described, type, card });
      return body.error ? { error: body.error } : { paymentMethod: body };
    }
  }

  const Stripe = (key) => {
    if (!/^pk_/.test(key || "")) throw new Error("Please call Stripe() with your publishable key. You used something else.");
    return new Client(key);
  };
  Stripe.version = "sandbox";
  return Stripe;
})();
