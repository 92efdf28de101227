"use strict";
// The formula of economics.py: change both.
(() => {
  const month = document.getElementById("month");
  const put = (id, text) => { document.getElementById(id).textContent = text; };
  const usd = (amount) => "$" + amount.toFixed(2);
  const reckon = () => {
    const given = {};
    for (const field of month.elements) {
      const value = field.valueAsNumber;
      given[field.name] = Number.isFinite(value) && value > 0 ? value : 0;
    }
    const sessions = given.sessions * given.days;
    const api = sessions * given.usd_per_session;
    const kwh = sessions * given.minutes / 60 * given.watts / 1000;
    const electricity = kwh * given.usd_per_kwh;
    const saved = api - electricity;
    put("out-api", usd(api));
    put("out-card", usd(electricity));
    put("out-kwh", kwh.toFixed(1) + " kWh");
    put("out-months", saved > 0 ? (given.card_usd / saved).toFixed(1) + " months" : "never");
  };
  month.addEventListener("input", reckon);
  month.addEventListener("submit", (event) => event.preventDefault());
  reckon();  // a browser may have kept other values over a reload

  const filter = document.getElementById("filter");
  const find = document.getElementById("find");
  const verdict = document.getElementById("verdict");
  const entries = [...document.querySelectorAll(".entry")];
  const choose = () => {
    const text = find.value.trim().toLowerCase();
    let shown = 0;
    for (const entry of entries) {
      const fits = entry.dataset.name.includes(text)
        && (!verdict.value || entry.dataset.verdicts.split("|").includes(verdict.value));
      entry.hidden = !fits;
      shown += fits;
    }
    put("shown", shown + " of " + entries.length);
  };
  filter.hidden = false;
  filter.addEventListener("input", choose);
  filter.addEventListener("submit", (event) => event.preventDefault());
  choose();
})();
