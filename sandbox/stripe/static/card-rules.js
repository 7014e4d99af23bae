// What makes a card number, a date and a code complete or wrong; shared by checkout and card fields.
"use strict";
window.cardRules = (() => {
  const digits = (text) => text.replace(/\D/g, "");

  const brandOf = (number) => {
    if (/^4/.test(number)) return "visa";
    if (/^3[47]/.test(number)) return "amex";
    if (/^(5[1-5]|2(22[1-9]|2[3-9]|[3-6]|7[01]|720))/.test(number)) return "mastercard";
    if (/^3(0|6|8|9)/.test(number)) return "diners";
    if (/^35/.test(number)) return "jcb";
    if (/^62/.test(number)) return "unionpay";
    if (/^6(0|4|5)/.test(number)) return "discover";
    return "unknown";
  };

  const lengths = { amex: [15], diners: [14, 16], unionpay: [16, 17, 18, 19] };
  const lengthsOf = (brand) => lengths[brand] || [16];

  const luhn = (number) =>
    [...number].reverse().reduce((sum, digit, place) => {
      const value = Number(digit) * (place % 2 ? 2 : 1);
      return sum + (value > 9 ? value - 9 : value);
    }, 0) % 10 === 0;

  const grouped = (number) => {
    const sizes = brandOf(number) === "amex" ? [4, 6, 5] : [4, 4, 4, 4, 3];
    const groups = [];
    let from = 0;
    for (const size of sizes) {
      if (from >= number.length) break;
      groups.push(number.slice(from, from + size));
      from += size;
    }
    return groups.join(" ");
  };

  const asExpiry = (text) => {
    let month = digits(text).slice(0, 4);
    if (/^[2-9]/.test(month)) month = `0${month}`.slice(0, 4);
    return month.length > 2 || (month.length === 2 && !/\/$/.test(text) && text.length > 2)
      ? `${month.slice(0, 2)} / ${month.slice(2)}`
      : month;
  };

  // Nothing more can be typed, so the caret may move on; some networks have several lengths.
  const isFull = (number) => number.length === Math.max(...lengthsOf(brandOf(number)));

  // Each check answers {complete, code?, message?}; a code only when what is there cannot be right.
  const checkNumber = (text) => {
    const number = digits(text);
    const allowed = lengthsOf(brandOf(number));
    if (number.length >= Math.min(...allowed) && luhn(number) && allowed.includes(number.length)) {
      return { complete: true };
    }
    if (number.length >= Math.max(16, ...allowed.slice(0, 1)) || number.length > 19) {
      return { complete: false, code: "invalid_number", message: "Your card number is invalid." };
    }
    return { complete: false, short: ["incomplete_number", "Your card number is incomplete."] };
  };

  const checkExpiry = (text, today = new Date()) => {
    const value = digits(text);
    if (value.length < 4) {
      return { complete: false, short: ["incomplete_expiry", "Your card's expiration date is incomplete."] };
    }
    const month = Number(value.slice(0, 2));
    const year = 2000 + Number(value.slice(2, 4));
    if (month < 1 || month > 12) {
      return { complete: false, code: "invalid_expiry_month", message: "Your card's expiration month is invalid." };
    }
    if (year < today.getFullYear() || (year === today.getFullYear() && month < today.getMonth() + 1)) {
      return { complete: false, code: "invalid_expiry_year_past", message: "Your card's expiration date is in the past." };
    }
    return { complete: true, month, year };
  };

  const checkCvc = (text, brand) => {
    const value = digits(text);
    if (value.length === (brand === "amex" ? 4 : 3)) return { complete: true };
    return { complete: false, short: ["incomplete_cvc", "Your card's security code is incomplete."] };
  };

  return { digits, brandOf, grouped, asExpiry, checkNumber, checkExpiry, checkCvc, isFull };
})();
