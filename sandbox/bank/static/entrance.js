// TrueLayer's payment page gets its fields in the fragment, which no server sees; hand them over.
"use strict";
(() => {
  const fields = location.hash.slice(1);
  const named = fields.includes("payment_id=");
  document.getElementById(named ? "opening" : "missing").hidden = false;
  if (named) location.replace(`/pay?${fields}`);
})();
