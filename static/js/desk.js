// The desk's only script of its own: copying, keys, theme, times, live marks. Every page works without it.
(function () {
  "use strict";

  const root = document.documentElement;
  root.dataset.scripted = "";
  const byId = (id) => document.getElementById(id);

  // Toasts and copying

  function toast(text) {
    const note = document.createElement("p");
    note.className = "toast";
    note.textContent = text;
    byId("toasts")?.append(note);
    setTimeout(() => note.remove(), 4000);
  }

  // The clipboard exists on https and localhost only; a desk on a plain address still has to copy.
  async function copyFallback(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("copy refused");
  }

  function copy(button) {
    const text = button.dataset.copy;
    (navigator.clipboard ? navigator.clipboard.writeText(text) : copyFallback(text)).then(
      () => {
        button.dataset.state = "copied";
        setTimeout(() => delete button.dataset.state, 1600);
        toast(text.length > 60 || "discreet" in button.dataset ? "Copied" : "Copied " + text);
      },
      () => toast("The browser did not allow copying. Select the text instead."),
    );
  }

  // What is shown once must not come back with the page, when the browser keeps it for "back"
  window.addEventListener("pagehide", () => {
    for (const node of document.querySelectorAll("[data-once]")) node.replaceChildren("It was shown once.");
  });

  // Theme: shown at once, remembered by the server

  const themes = ["auto", "light", "dark"];

  function setTheme(theme, form) {
    root.dataset.theme = theme;
    for (const button of form.querySelectorAll("[name=theme]")) {
      button.setAttribute("aria-pressed", String(button.value === theme));
    }
    const body = new FormData(form);
    body.set("theme", theme);
    fetch(form.action, { method: "POST", body, redirect: "manual", keepalive: true }).catch(() => toast("The theme was not saved."));
  }

  function nextTheme() {
    const form = document.querySelector("[data-theme-form]");
    if (!form) return;
    const theme = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
    setTheme(theme, form);
    toast("Theme: " + theme);
  }

  // Relative times, in the words the server uses

  const steps = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [Infinity, 86400, "d"]];

  function relative(seconds) {
    const span = Math.abs(seconds);
    if (span < 5) return "just now";
    const [, size, unit] = steps.find(([limit]) => span < limit);
    const words = Math.floor(span / size) + " " + unit;
    return seconds < 0 ? "in " + words : words + " ago";
  }

  function refreshTimes() {
    for (const node of document.querySelectorAll("time[data-relative]")) {
      const words = relative((Date.now() - Date.parse(node.dateTime)) / 1000);
      if (node.textContent !== words) node.textContent = words;
    }
  }

  // Live stream: one connection a tab, closed while the tab is hidden, at most one refresh per name in 400 ms

  const [quiet, hiddenFor] = [400, 30000];
  // When each name was last passed on and when each part last asked, counted in steps
  const [happened, asked] = [new Map(), new Map()];
  let tick = 0;

  function showConnection(state) {
    const mark = byId("connection");
    if (mark) mark.dataset.state = state;
  }

  class LiveSource extends EventTarget {
    constructor(url) {
      super();
      this.url = url;
      this.names = new Map();
      this.wasOpen = false;
      this.closed = false;
      document.addEventListener("visibilitychange", () => this.follow());
      window.addEventListener("pagehide", () => this.inner.close());
      window.addEventListener("pageshow", (event) => event.persisted && this.connect());
      this.connect();
    }
    get readyState() {
      return this.inner.readyState;
    }
    connect() {
      if (this.closed) return;
      this.inner = new EventSource(this.url, { withCredentials: true });
      for (const name of this.names.keys()) this.inner.addEventListener(name, () => this.pass(name));
      this.inner.onopen = (event) => {
        showConnection("live");
        // What was sent while we were away is not sent again, so everything is read afresh.
        if (this.wasOpen) for (const name of this.names.keys()) this.pass(name);
        this.wasOpen = true;
        this.onopen?.(event);
      };
      this.inner.onerror = () => {
        showConnection("reconnecting");
        if (this.inner.readyState === EventSource.CLOSED) setTimeout(() => this.connect(), 3000 + Math.random() * 2000);
      };
    }
    follow() {
      clearTimeout(this.sleep);
      if (document.hidden) {
        this.sleep = setTimeout(() => {
          this.inner.close();
          showConnection("paused");
        }, hiddenFor);
      } else if (this.inner.readyState === EventSource.CLOSED) {
        this.connect();
      }
    }
    addEventListener(name, listener) {
      if (!this.names.has(name)) {
        this.names.set(name, { last: 0, timer: null });
        this.inner.addEventListener(name, () => this.pass(name));
      }
      super.addEventListener(name, listener);
    }
    pass(name) {
      const pace = this.names.get(name);
      if (pace.timer) return;
      const wait = Math.max(0, pace.last + quiet - Date.now());
      pace.timer = setTimeout(() => {
        pace.timer = null;
        pace.last = Date.now();
        happened.set(name, ++tick);
        this.dispatchEvent(new MessageEvent(name));
      }, wait);
    }
    close() {
      this.closed = true;
      this.inner.close();
    }
  }

  if (window.htmx) window.htmx.createEventSource = (url) => new LiveSource(url);

  // The answer to a refresh replaces the part that asked, and with it whatever that part heard while it
  // waited: its successor asks once more.

  document.addEventListener("htmx:beforeSend", ({ target }) => asked.set(target.id, ++tick));
  document.addEventListener("htmx:afterSettle", ({ target }) => {
    const triggers = (target.getAttribute("hx-trigger") || "").split(",").map((one) => one.trim().split(" ")[0]);
    const missed = triggers.find((one) => happened.get(one.replace("sse:", "")) > asked.get(target.id));
    if (missed) window.htmx.trigger(target, missed);
  });

  // A part that says nothing new is left alone: a swap under the pointer would lose the click

  function said(part) {
    const copied = part.cloneNode(true);
    for (const node of copied.querySelectorAll("time[data-relative]")) node.textContent = "";
    for (const node of copied.querySelectorAll("[name=csrf_token]")) node.removeAttribute("value");
    for (const node of copied.querySelectorAll("[data-state=copied]")) delete node.dataset.state;
    return copied.innerHTML;
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, serverResponse, requestConfig } = event.detail;
    if (requestConfig.verb !== "get" || !event.detail.shouldSwap) return;
    const parts = new DOMParser().parseFromString(serverResponse, "text/html").body.children;
    if (parts.length === 1 && parts[0].id === target.id && said(parts[0]) === said(target)) {
      event.detail.shouldSwap = false;
    }
  });

  // Rows that are new or changed since the last swap are marked for a moment

  let before = null;
  document.addEventListener("htmx:beforeSwap", ({ target }) => {
    if (!target.matches("[data-live]")) return;
    const rows = Array.from(target.querySelectorAll("[data-version]"), (row) => [row.id, row.dataset.version]);
    const checked = Array.from(target.querySelectorAll("input:checked"), (box) => box.id);
    before = { id: target.id, rows: new Map(rows), checked };
  });
  document.addEventListener("htmx:afterSettle", () => {
    refreshTimes();
    for (const row of (before && byId(before.id)?.querySelectorAll("[data-version]")) || []) {
      if (before.rows.get(row.id) !== row.dataset.version) row.dataset.fresh = "";
    }
    // What was selected stays so.
    for (const id of before?.checked || []) if (byId(id)) byId(id).checked = true;
    before = null;
  });
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status === 401) location.reload();
    else toast("Could not refresh this part of the page. Reload to see the latest.");
  });

  let chord = 0;

  function moveRow(step) {
    const links = Array.from(document.querySelectorAll(".row-link"));
    const at = links.indexOf(document.activeElement);
    const next = at < 0 && step < 0 ? links.at(-1) : links[Math.min(links.length - 1, Math.max(0, at + step))];
    next?.focus();
    next?.closest(".row").scrollIntoView({ block: "nearest" });
  }

  // A key leads to an act; Enter does it.
  const toAct = (key) => document.querySelector('[data-act-key="' + key + '"]')?.focus();

  // A letter does what the row under the focus offers for it, else the page; what moves money only opens its form.
  function press(key) {
    const offers = (place) => Array.from(place?.querySelectorAll('[data-press="' + key + '"]') || []);
    const row = document.activeElement.closest(".row");
    const found = offers(row)[0] || offers(byId("main")).find((one) => !one.closest(".row"));
    if (!found) return false;
    if (found.matches("a, button, input")) found.click();
    else found.querySelector("textarea")?.focus();
    return true;
  }

  const keys = {
    "/": () => (document.querySelector("[data-page-search]") || document.querySelector("[data-search]"))?.focus(),
    "?": () => byId("keys")?.showModal(),
    j: () => moveRow(1),
    k: () => moveRow(-1),
    a: () => toAct("a"),
    x: () => toAct("x"),
    t: nextTheme,
    c: () => {
      const row = document.activeElement.closest(".row") || byId("main");
      const button = row?.querySelector("[data-copy]");
      if (button) copy(button);
    },
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (event.key === "Escape") {
      for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
      if (typing) event.target.blur();
      return;
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("textarea")) {
      return event.target.form?.requestSubmit();
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (Date.now() - chord < 1200 && /^[a-z]$/.test(event.key)) {
      // Each link of the navigation says its own key.
      const link = document.querySelector('.nav-link[data-key="' + event.key + '"]');
      if (link) {
        chord = 0;
        return location.assign(link.href);
      }
    }
    chord = event.key === "g" ? Date.now() : 0;
    if (/^[a-z]$/.test(event.key) && press(event.key)) return event.preventDefault();
    if (keys[event.key]) event.preventDefault();
    keys[event.key]?.();
  });

  // Clicks and forms

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-copy], [data-opens], [data-theme-form] [name=theme]");
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    if (!target) return;
    if (target.dataset.copy !== undefined) copy(target);
    else if (target.dataset.opens) byId(target.dataset.opens)?.showModal();
    else setTheme(target.value, target.form);
    event.preventDefault();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });
  // Empty filters stay out of the address, so that a saved link is short.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches(".filters")) return;
    const empty = Array.from(event.target.elements).filter((field) => field.name && !field.value);
    for (const field of empty) field.disabled = true;
    setTimeout(() => empty.forEach((field) => (field.disabled = false)));
  });

  // A link that leads to a field leads into it.
  const aimed = location.hash.length > 1 && byId(location.hash.slice(1));
  if (aimed && aimed.matches("textarea, input, select")) aimed.focus();

  refreshTimes();
  setInterval(refreshTimes, 5000);
})();
