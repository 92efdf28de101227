"use strict";
// The formulas of economics.py: change both.
(() => {
  const month = document.getElementById("month");
  const put = (id, text) => { document.getElementById(id).textContent = text; };
  const set = (id, values) => {
    const element = document.getElementById(id);
    for (const name in values) element.setAttribute(name, values[name]);
  };
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
    const months = saved > 0 ? given.card_usd / saved : Infinity;
    put("out-months", saved > 0 ? months.toFixed(1) + " months" : "never");

    const horizon = Math.max(6, Math.min(60, Math.ceil(2 * months)));
    const spent = [api * horizon, given.card_usd + electricity * horizon];
    const top = Math.max(...spent, 1);
    const height = (amount) => Math.round((180 - 180 * amount / top) * 10) / 10;
    const meet = months <= horizon;
    put("course-top", "$" + top.toFixed(0));
    put("course-horizon", horizon + " months");
    set("course-api", { y2: height(spent[0]) });
    set("course-card", { y1: height(given.card_usd), y2: height(spent[1]) });
    set("course-api-name", { y: height(spent[0]) + 4 });
    set("course-card-name", { y: height(spent[1]) + 4 });
    set("course-even", {
      cx: meet ? Math.round(600 * months / horizon * 10) / 10 : -99,
      cy: meet ? height(api * months) : -99,
    });
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
