// Tells the page that framed this challenge how it ended; the intent itself is fetched, not believed.
"use strict";
const ended = document.querySelector("[data-outcome]");
if (window.parent !== window) {
  window.parent.postMessage(
    { stripeSandbox: "challenge", outcome: ended.dataset.outcome, intent: ended.dataset.intent },
    "*",
  );
}
