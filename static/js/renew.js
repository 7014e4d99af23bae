// Waits until the desk has gone away and come back, then opens the sign-in page.
"use strict";

let wasAway = false;

async function look() {
  let isHere = false;
  try {
    // What a process takes in while it ends may never be answered.
    const answer = await fetch("/readyz", { cache: "no-store", signal: AbortSignal.timeout(2000) });
    isHere = answer.ok && (await answer.json()).workers > 0;
  } catch {
    isHere = false;
  }
  wasAway = wasAway || !isHere;
  if (wasAway && isHere) location.replace("/login");
  else setTimeout(look, 400);
}

look();
