// Comfort on the hosted page: groups digits and shows one payment method at a time. Works without.
"use strict";
(() => {
  const rules = window.cardRules;
  const form = document.querySelector(".form form");
  const at = (id) => document.getElementById(id);

  const onType = (field, shape) =>
    field?.addEventListener("input", () => {
      if (field.selectionStart === field.value.length) field.value = shape(field.value);
    });
  onType(at("cardNumber"), (text) => rules.grouped(rules.digits(text).slice(0, 19)));
  onType(at("cardExpiry"), rules.asExpiry);
  onType(at("cardCvc"), (text) => rules.digits(text).slice(0, 4));

  const showChosen = () => {
    const chosen = form.elements.method.value;
    for (const fields of form.querySelectorAll("[data-method]")) {
      fields.hidden = fields.dataset.method !== chosen;
    }
  };
  form.addEventListener("change", showChosen);
  form.addEventListener("submit", () => at("pay").setAttribute("aria-busy", "true"));
  showChosen();
})();
