// Runs inside the framed card fields: checks entries, talks to the API, tells the page only states.
// The number, the date and the code never leave this document except to the API of its own origin.
"use strict";
(() => {
  const rules = window.cardRules;
  const asked = new URLSearchParams(location.search);
  const host = asked.get("origin");
  const name = asked.get("frame");
  const form = document.getElementById("fields");
  const stacked = form.dataset.kind === "payment";
  const inputs = { number: form.elements.number, expiry: form.elements.expiry, cvc: form.elements.cvc };
  const touched = new Set();

  const tell = (event, more) =>
    window.parent.postMessage({ stripeSandbox: "fields", frame: name, event, ...more }, host);

  const check = () => {
    const brand = rules.brandOf(rules.digits(inputs.number.value));
    return {
      brand,
      number: rules.checkNumber(inputs.number.value),
      expiry: rules.checkExpiry(inputs.expiry.value),
      cvc: rules.checkCvc(inputs.cvc.value, brand),
    };
  };

  // What is wrong for sure, or, when `all` is asked, also what is merely missing.
  const faultOf = (result, all) => {
    if (result.complete) return null;
    if (result.code) return { code: result.code, message: result.message, type: "validation_error" };
    return all ? { code: result.short[0], message: result.short[1], type: "validation_error" } : null;
  };

  const firstFault = (all) => {
    const results = check();
    return ["number", "expiry", "cvc"].map((field) => faultOf(results[field], all)).find(Boolean) || null;
  };

  const mark = (all) => {
    const results = check();
    let wrong = false;
    for (const [field, input] of Object.entries(inputs)) {
      const left = touched.has(field) && input.value !== "" && document.activeElement !== input;
      const fault = faultOf(results[field], all || left);
      input.setAttribute("aria-invalid", String(Boolean(fault)));
      document.getElementById(`${field}-fault`).textContent = stacked && fault ? fault.message : "";
      wrong ||= Boolean(fault);
    }
    form.querySelector(".line").classList.toggle("invalid", wrong);
    document.getElementById("brand").textContent = results.brand === "unknown" ? "" : results.brand;
    tellHeight();
  };

  const state = () => {
    const results = check();
    const values = Object.values(inputs).map((input) => input.value);
    return {
      complete: results.number.complete && results.expiry.complete && results.cvc.complete,
      empty: values.every((value) => value === ""),
      brand: results.brand,
      error: firstFault(false),
    };
  };

  const changed = () => {
    mark(false);
    tell("change", { state: state() });
  };

  const tellHeight = () => tell("height", { height: document.documentElement.offsetHeight });

  const card = () => {
    const { month, year } = rules.checkExpiry(inputs.expiry.value);
    return {
      number: rules.digits(inputs.number.value),
      exp_month: month,
      exp_year: year,
      cvc: inputs.cvc.value,
    };
  };

  const encode = (value, path, into) => {
    if (value === undefined || value === null) return into;
    if (typeof value !== "object") into.append(path, String(value));
    else for (const [key, below] of Object.entries(value)) encode(below, path ? `${path}[${key}]` : key, into);
    return into;
  };

  const send = async (path, fields) => {
    const response = await fetch(path, { method: "POST", body: encode(fields, "", new URLSearchParams()) });
    return response.json();
  };

  const validated = () => {
    for (const field of Object.keys(inputs)) touched.add(field);
    mark(true);
    return firstFault(true);
  };

  // What the page may ask for. Each answers the API's body, or {error}.
  const acts = {
    async validate() {
      const error = validated();
      return error ? { error } : {};
    },
    async confirm({ path, fields, method }) {
      const error = validated();
      if (error) return { error };
      const data = { ...method, type: "card", card: card() };
      return send(path, { ...fields, payment_method_data: data });
    },
    async createMethod({ fields, method }) {
      const error = validated();
      if (error) return { error };
      return send("/v1/payment_methods", { ...fields, ...method, type: "card", card: card() });
    },
    async focus() {
      inputs.number.focus();
      return {};
    },
    async blur() {
      document.activeElement.blur();
      return {};
    },
    async clear() {
      form.reset();
      touched.clear();
      changed();
      return {};
    },
    async appear({ variables }) {
      const root = document.documentElement.style;
      for (const [variable, value] of Object.entries(variables)) root.setProperty(variable, value);
      tellHeight();
      return {};
    },
  };

  window.addEventListener("message", async (message) => {
    if (message.source !== window.parent || message.origin !== host) return;
    const { stripeSandbox, call, act, ...more } = message.data || {};
    if (stripeSandbox !== "fields" || !Object.hasOwn(acts, act)) return;
    let body;
    try {
      body = await acts[act](more);
    } catch (problem) {
      body = { error: { type: "api_connection_error", message: String(problem) } };
    }
    tell("answer", { call, body });
  });

  const shapes = {
    number: (text) => rules.grouped(rules.digits(text).slice(0, 19)),
    expiry: rules.asExpiry,
    cvc: (text) => rules.digits(text).slice(0, 4),
  };
  const nextOf = { number: "expiry", expiry: "cvc" };
  for (const [field, input] of Object.entries(inputs)) {
    input.addEventListener("input", () => {
      if (input.selectionStart === input.value.length) input.value = shapes[field](input.value);
      changed();
      const next = nextOf[field];
      const full = field !== "number" || rules.isFull(rules.digits(input.value));
      if (next && full && document.activeElement === input && check()[field].complete) inputs[next].focus();
    });
    input.addEventListener("focus", () => tell("focus"));
    input.addEventListener("blur", () => {
      touched.add(field);
      mark(false);
      tell("blur");
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    tell("submit");
  });
  new ResizeObserver(tellHeight).observe(document.documentElement);
  tell("ready");
  tellHeight();
})();
