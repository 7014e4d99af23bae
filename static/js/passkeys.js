// Forms that are sent with a passkey: asks the desk what to sign, the browser for the signature, then sends.
"use strict";

(() => {
  const toBytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
  const toText = (bytes) =>
    btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(""))
      .replace(/\+/g, "-")
      .replace(/\//g, "_")
      .replace(/=+$/, "");

  function readable(options) {
    const read = { ...options, challenge: toBytes(options.challenge) };
    if (options.user) read.user = { ...options.user, id: toBytes(options.user.id) };
    for (const list of ["allowCredentials", "excludeCredentials"]) {
      read[list] = (options[list] || []).map((one) => ({ ...one, id: toBytes(one.id) }));
    }
    return read;
  }

  function written(credential) {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature"]) {
      if (credential.response[name]) response[name] = toText(credential.response[name]);
    }
    return JSON.stringify({
      id: credential.id,
      rawId: toText(credential.rawId),
      type: credential.type,
      response,
    });
  }

  async function ask(form) {
    const answer = await fetch(form.dataset.options, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
      redirect: "error",
    });
    const isJson = (answer.headers.get("Content-Type") || "").startsWith("application/json");
    const said = isJson ? await answer.json() : {};
    if (!answer.ok) throw new Error(said.error || "The desk did not answer. Load the page again.");
    return said;
  }

  function inWords(failure) {
    if (failure.name === "NotAllowedError") return "No passkey was shown. Try again when you are ready.";
    if (failure.name === "InvalidStateError") return "This device has a passkey here already.";
    if (failure.name === "SecurityError") return "Open the desk by its own address; passkeys count only there.";
    if (failure.name === "TypeError") return "The desk did not answer. Load the page again.";
    return failure.message;
  }

  async function send(form) {
    const { challenge, options } = await ask(form);
    const publicKey = readable(options);
    const shown =
      form.dataset.passkey === "make"
        ? await navigator.credentials.create({ publicKey })
        : await navigator.credentials.get({ publicKey });
    form.elements.challenge.value = challenge;
    form.elements.answer.value = written(shown);
    form.submit();
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-passkey]")) return;
    event.preventDefault();
    const word = form.querySelector("[data-passkey-word]");
    const button = form.querySelector("[type=submit]");
    if (!window.PublicKeyCredential) {
      word.textContent = "This browser knows no passkeys here. Use a code instead.";
      return;
    }
    word.dataset.state = "waiting";
    word.textContent = "Waiting for your passkey …";
    button.disabled = true;
    send(form).catch((failure) => {
      button.disabled = false;
      delete word.dataset.state;
      word.textContent = inWords(failure);
    });
  });
})();
