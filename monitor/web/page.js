// Draws the page from /api and keeps it up to date by /events; in a report (report.c) from the answers that stand in the page. No build step; Chart.js draws the charts when the server has it, else tables stand in their place.
"use strict";

const WINDOWS = 200;                 // of a chart
const SHOWN_CLASSES = 7;             // the rest is one series, "others"
const SERIES = 8;                    // colours, see page.css
const LIVE_S = 60;                   // a model or publisher that was heard so lately is live
const POLL_MS = 30000;               // also without news

const byId = (id) => document.getElementById(id);
const hasCharts = () => typeof Chart === "function";
const chosen = { model: "", feature: "", metric: "" };
const report = JSON.parse(byId("report")?.textContent || "null");            // {made, program, verdict, good, answers: [[path, model, feature], answer, ...]}; null: live
const NAME = report ? "flywheel report" : "flywheel monitor";

// ---- elements ----

function element(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) e.setAttribute(name, value === true ? "" : value);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

const note = (text) => element("p", { class: "note" }, text);
const show = (id, ...children) => byId(id).replaceChildren(...children.filter((c) => c !== null && c !== undefined));

/** columns: [{title, number, long}]; rows: lists of texts or elements. */
function table(name, columns, rows) {
  const classOf = (c) => (c.number ? "number" : c.long ? "long" : null);
  const head = element("tr", {}, ...columns.map((c) => element("th", { scope: "col", class: classOf(c) }, c.title)));
  const body = rows.map((row) => element("tr", {}, ...row.map((cell, i) => element("td", { class: classOf(columns[i]) }, cell))));
  return element("div", { class: "scroll", role: "region", "aria-label": name, tabindex: "0" },
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

function fill(select, values, current, none) {
  const options = values.map((v) => element("option", { value: v, selected: v === current }, v));
  if (options.length === 0) options.push(element("option", { value: "" }, none));
  if (select.dataset.values !== JSON.stringify(values)) {
    select.replaceChildren(...options);
    select.dataset.values = JSON.stringify(values);
  }
  select.disabled = values.length === 0;
  if (values.length > 0) select.value = current;
}

// ---- numbers and times ----

const known = (v) => typeof v === "number" && Number.isFinite(v);
const count = (v) => (known(v) ? v.toLocaleString("en-GB").replaceAll(",", "\u202f") : "\u2013");
const figure = (v) => (known(v) ? (v !== 0 && (Math.abs(v) < 1e-3 || Math.abs(v) >= 1e6) ? v.toExponential(2) : String(Number(v.toPrecision(4)))) : "\u2013");
const percent = (v) => (known(v) ? `${(100 * v).toFixed(1)} %` : "\u2013");
const clock = (time) => (time ? time.slice(11, 19) : "\u2013");
const moment = (time) => (time ? `${time.slice(0, 10)} ${time.slice(11, 19)}` : "\u2013");
const seconds = (time) => (Date.now() - Date.parse(time)) / 1000;
const isLive = (time) => !report && Boolean(time) && seconds(time) < LIVE_S;

function ago(time) {
  if (!time) return "never";
  if (report) return moment(time);
  const s = Math.max(0, seconds(time));
  if (s < 90) return `${Math.round(s)} s ago`;
  if (s < 5400) return `${Math.round(s / 60)} min ago`;
  return s < 172800 ? `${Math.round(s / 3600)} h ago` : `${Math.round(s / 86400)} days ago`;
}

// ---- charts ----

const charts = new Map();            // id of the body -> {chart, spec}
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A band (the upper of two series, filled down to the lower one) has the colour of series `of`. */
function dataset(series, i, type) {
  const c = colour(`--series-${((series.of ?? i) % SERIES) + 1}`);
  return {
    label: series.name, data: series.values, borderColor: c, backgroundColor: series.fill || type === "bar" ? `${c}${series.of === undefined ? "66" : "26"}` : c,
    borderWidth: type === "bar" ? 1 : series.of === undefined ? 2 : 0, borderDash: series.dashed ? [6, 4] : [], fill: series.fill || false, spanGaps: false,
    pointRadius: series.points ? 4 : series.of === undefined && series.values.length < 3 ? 4 : 0, pointHitRadius: 8, showLine: !series.points,
  };
}

function options(spec) {
  const axis = (title, more) => ({
    title: { display: Boolean(title), text: title, color: colour("--quiet") }, grid: { color: colour("--grid") },
    ticks: { color: colour("--quiet"), maxRotation: 0, autoSkip: true, autoSkipPadding: 16 }, ...more,
  });
  return {
    animation: false, responsive: true, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
    scales: { x: axis(spec.x), y: axis(spec.y, { stacked: spec.stacked, min: spec.min, max: spec.max, beginAtZero: spec.zero }) },
    plugins: { legend: { display: spec.series.length > 1, labels: { color: colour("--text"), usePointStyle: spec.type !== "bar", pointStyle: "line", boxWidth: 30, filter: (item, data) => data.datasets[item.datasetIndex].borderWidth > 0 } } },
  };
}

/** What the chart says, for those who can't see it. */
function summary(spec) {
  const parts = spec.series.map((s) => {
    const values = s.values.filter(known);
    return values.length === 0 ? `${s.name}: none` : `${s.name}: newest ${figure(values[values.length - 1])}, lowest ${figure(Math.min(...values))}, highest ${figure(Math.max(...values))}`;
  });
  return `${spec.title}. ${parts.join("; ")}`;
}

function tableOf(spec) {
  const columns = [{ title: spec.x || "" }, ...spec.series.map((s) => ({ title: s.name, number: true }))];
  const rows = spec.labels.map((label, i) => [String(label), ...spec.series.map((s) => (spec.text || figure)(s.values[i]))]);
  return table(`${spec.title} as a table`, columns, spec.reversed === false ? rows : rows.reverse());
}

function forget(id) {
  if (charts.has(id)) charts.get(id).chart?.destroy();
  charts.delete(id);
}

/** A chart with its table behind it. A chart that is there is given new figures; focus and an open table stay. spec: title, type, x, y, labels, series
 *  [{name, values, dashed, fill, points, of}], stacked, min, max, zero, text, reversed. */
function draw(id, spec) {
  const old = charts.get(id);
  const body = byId(id);
  if (old && old.spec.title === spec.title && body.contains(old.details)) {
    old.spec = spec;
    if (old.chart) {
      old.chart.data = { labels: spec.labels, datasets: spec.series.map((s, i) => dataset(s, i, spec.type)) };
      old.chart.options = options(spec);
      old.chart.update("none");
      old.canvas.setAttribute("aria-label", summary(spec));
    }
    old.details.lastElementChild.replaceWith(tableOf(spec));
    return;
  }
  forget(id);
  const canvas = element("canvas", { role: "img", "aria-label": summary(spec) });
  const details = element("details", { open: !hasCharts() }, element("summary", {}, "As a table"), tableOf(spec));
  body.replaceChildren(...(hasCharts() ? [element("div", { class: "chart" }, canvas)] : []), details);
  const chart = hasCharts()
    ? new Chart(canvas, { type: spec.type, data: { labels: spec.labels, datasets: spec.series.map((s, i) => dataset(s, i, spec.type)) }, options: options(spec) })
    : null;
  charts.set(id, { chart, canvas, details, spec });
}

function empty(id, text) {
  forget(id);
  show(id, note(text));
}

function drawAgain() {               // the colours have changed
  for (const [id, { spec }] of [...charts]) {
    forget(id);
    draw(id, spec);
  }
}

// ---- asking ----

/** As report.c has asked: a limit is the same there. */
function keptAnswer(path, { model = null, feature = null } = {}) {
  const at = report.answers.findIndex((a) => Array.isArray(a) && a[0] === path && a[1] === model && a[2] === feature);
  if (at < 0) throw new Error(`${path}${model ? ` of ${model}` : ""} is not in this report`);
  return report.answers[at + 1];
}

async function ask(path, parameters) {
  if (report) return keptAnswer(path, parameters);
  const query = new URLSearchParams(parameters || {}).toString();
  const answer = await fetch(`api/${path}${query ? `?${query}` : ""}`, { headers: { Accept: "application/json" } });
  const body = await answer.json().catch(() => ({ error: `the answer to ${path} is no JSON` }));
  if (!answer.ok) throw new Error(body.error || `${path}: ${answer.status}`);
  return body;
}

// ---- acts on alerts: with the token, which stays in this tab ----

const TOKEN = "flywheel token";
const ACTS = [
  { act: "acknowledge", title: "Acknowledge", done: "acknowledged", fits: (a) => !a.acknowledged },
  { act: "silence", title: "Silence for an hour", body: { until: "1 h" }, done: "silenced for an hour", fits: (a) => a.state !== "silenced" },
  { act: "silence", title: "End the silence", body: { until: "0s" }, done: "not silenced any more", fits: (a) => a.state === "silenced" },
  { act: "resolve", title: "Resolve", done: "resolved", fits: () => true },
];
let writable = false;                // the monitor has a token

function sayActs(text, bad) {
  byId("acts-words").textContent = text;
  byId("acts-words").className = bad ? "note bad" : "note";
  if (bad) byId("acts-words").scrollIntoView({ block: "nearest" });
}

function showToken() {
  const has = Boolean(sessionStorage.getItem(TOKEN));
  byId("acts").hidden = !writable;
  byId("token-label").hidden = byId("use-token").hidden = has;
  byId("forget-token").hidden = !has;
  if (!has && !byId("acts-words").textContent) sayActs("With the monitor\u2019s token alerts can be acknowledged, silenced and resolved here. It is forgotten when this tab is closed.");
}

/** Never with what the browser knows of its own accord: no password is asked for. */
const withToken = (path, token, more) => fetch(`api/${path}`, { credentials: "omit", cache: "no-store", ...more, headers: { Authorization: `Bearer ${token}`, ...more?.headers } });

async function useToken(event) {
  event.preventDefault();
  const token = byId("token").value.trim();
  byId("token").value = "";
  try {
    const answer = await withToken("models?limit=1", token);
    if (answer.status === 401) return sayActs("This is not the monitor\u2019s token: it is the line in the file that was given to it as --token.", true);
  } catch {
    return sayActs("The token was not tried: the monitor does not answer, or this is no token.", true);
  }
  sessionStorage.setItem(TOKEN, token);
  sayActs("The token is used until this tab is closed.");
  showToken();
  await run(refreshAlerts);
  byId("forget-token").focus();
}

function forgetToken(words, bad) {
  sessionStorage.removeItem(TOKEN);
  sayActs(words, bad);
  showToken();
  byId("token").focus();
  return run(refreshAlerts);
}

async function actOn(alert, { act, body, done }) {
  sayActs(`Alert ${alert}: one moment.`);
  try {
    const answer = await withToken(`alerts/${alert}/${act}`, sessionStorage.getItem(TOKEN), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body || {}) });
    const said = await answer.json().catch(() => ({}));
    if (answer.status === 401) return forgetToken("The monitor does not take this token any more.", true);
    sayActs(answer.ok ? `Alert ${alert} is ${done}.` : `Alert ${alert}: ${said.error || `the monitor answered ${answer.status}`}`, !answer.ok);
  } catch {
    sayActs(`Alert ${alert}: the monitor does not answer. Whether it was done is seen when it does.`, true);
  }
  return run(refreshAlerts);
}

function actButtons(a) {
  if (!writable || a.resolved || !sessionStorage.getItem(TOKEN)) return null;
  const buttons = ACTS.filter((what) => what.fits(a)).map((what) => {
    const b = element("button", { type: "button", "data-key": `${a.alert} ${what.act}`, "aria-label": `${what.title}: alert ${a.alert}` }, what.title);
    b.addEventListener("click", () => actOn(a.alert, what));
    return b;
  });
  return element("div", { class: "acts" }, ...buttons);
}

/** What had the focus is drawn anew: it keeps it, or, when it has gone, the words that say what was done. */
function keepFocus(key) {
  if (!key || document.activeElement !== document.body) return;
  const again = [...document.querySelectorAll("#alerts-body button")].find((b) => b.dataset.key === key);
  (again || byId("acts-words")).focus({ preventScroll: true });
}

// ---- alerts ----

function alertElement(a) {
  const title = `${a.kind.replaceAll("_", " ")}${a.model ? ` \u2013 ${a.model}` : ""}${a.subject ? ` \u2013 ${a.subject}` : ""}`;
  const times = `${a.state === "raised" ? "" : `${a.state}, `}raised ${moment(a.raised)}, since ${moment(a.since)}${a.resolved ? `, resolved ${moment(a.resolved)}` : ""}`;
  return element("article", { class: `alert ${a.resolved ? "resolved" : a.state}`, "aria-label": `Alert ${a.alert}: ${title}` },
    element("h3", {}, `${a.alert}. ${title}`), element("p", {}, a.text || ""), a.advice ? element("p", {}, a.advice) : null, element("p", { class: "note" }, times), actButtons(a));
}

const OPEN_SHOWN = 5;                // the newest; the others are behind a line, so that a day on which all drifts does not push the page away

/** Alerts behind a line that can be opened; it stays as it was. */
function moreAlerts(key, words, alerts) {
  const was = byId("alerts-body").querySelector(`details[data-more="${key}"]`)?.open;
  return alerts.length === 0 ? null : element("details", { open: was, "data-more": key }, element("summary", {}, `${alerts.length} ${words}`), ...alerts.map(alertElement));
}

async function refreshAlerts() {
  const { alerts } = await ask("alerts", { limit: 100 });
  const open = alerts.filter((a) => !a.resolved).reverse();
  const over = alerts.filter((a) => a.resolved).reverse();
  const focused = document.activeElement?.dataset.key;
  document.title = open.length > 0 ? `(${open.length}) ${NAME}` : NAME;
  show("alerts-body", open.length === 0 ? note(alerts.length === 0 ? "No alert was ever raised." : "No alert is open.") : element("div", {}, ...open.slice(0, OPEN_SHOWN).map(alertElement)),
    moreAlerts("open", "more are open", open.slice(OPEN_SHOWN)), moreAlerts("over", "resolved", over));
  keepFocus(focused);
}

// ---- models, publishers ----

const mark = (live) => element("span", { class: live ? "good" : "" }, report ? "recorded" : live ? "live" : "quiet");

async function refreshModels() {
  const { models } = await ask("models");
  const rows = models.slice().reverse();
  const names = [...new Set(rows.map((m) => m.name))];
  if (!names.includes(chosen.model)) chosen.model = names[0] || "";
  fill(byId("model"), names, chosen.model, "none yet");
  if (rows.length === 0) return show("models-body", note("No model was heard of yet. One is shown as soon as its predictions arrive."));
  show("models-body", table("Models", [{ title: "Model" }, { title: "Version" }, { title: "" }, { title: "Predictions", number: true }, { title: "Task" }, { title: "Last heard" }],
    rows.map((m) => [m.name, m.version.slice(0, 12), mark(isLive(m.last)), count(m.predictions), m.task || "\u2013", ago(m.last)])));
}

async function refreshPublishers() {
  const { publishers } = await ask("publishers");
  if (publishers.length === 0) return show("publishers-body", note("No publisher was heard of yet."));
  const state = (p) => (p.ended ? "ended" : isLive(p.heard) ? mark(true) : element("span", { class: "bad" }, "silent"));
  const lost = (n) => (n > 0 ? element("span", { class: "bad" }, count(n)) : count(n));
  const reasons = (p) => Object.entries(p.reasons || {}).map(([reason, n]) => `${reason} ${count(n)}`).join(", ") || "\u2013";
  const columns = ["Produced", "Delivered", "Spooled", "Dropped"].map((title) => ({ title, number: true }));
  const seen = ["Missing", "Doubled", "Malformed"].map((title) => ({ title, number: true }));
  show("publishers-body", note("produced = delivered + spooled + dropped, by the publisher's own account; missing, doubled and malformed as seen here."),
    table("Publishers", [{ title: "Publisher" }, { title: "" }, ...columns, { title: "Why dropped" }, ...seen, { title: "Last heard" }],
      publishers.slice().reverse().map((p) => [p.name || p.stream.slice(0, 8), state(p), count(p.produced), count(p.delivered), count(p.spooled), lost(p.dropped), reasons(p),
        lost(p.missing), count(p.duplicates), lost(p.malformed), ago(p.heard)])));
}

// ---- windows: traffic, shares, latency ----

const ofModel = (more) => ({ model: chosen.model, ...more });

function drawTraffic(windows, labels) {
  draw("traffic-body", { title: "Predictions a second", type: "line", x: "end of the window", y: "predictions / s", labels, zero: true,
    series: [{ name: "predictions a second", values: windows.map((w) => w.rate) }] });
}

function drawShares(windows, labels, classes) {
  const totals = classes.map((_, k) => windows.reduce((sum, w) => sum + (w.counts?.[k] || 0), 0));
  const order = classes.map((_, k) => k).sort((a, b) => totals[b] - totals[a]);
  const shown = order.slice(0, SHOWN_CLASSES), rest = order.slice(SHOWN_CLASSES);
  const all = windows.map((w) => (w.counts || []).reduce((a, b) => a + b, 0));
  const share = (ks) => windows.map((w, i) => (all[i] > 0 ? ks.reduce((sum, k) => sum + (w.counts[k] || 0), 0) / all[i] : null));
  const series = shown.map((k) => ({ name: String(classes[k]), values: share([k]), fill: k === shown[0] ? "origin" : "-1" }));
  if (rest.length > 0) series.push({ name: `${rest.length} others`, values: share(rest), fill: "-1" });
  draw("shares-body", { title: "Shares of the classes", type: "line", x: "end of the window", y: "share", labels, stacked: true, min: 0, max: 1, text: percent, series });
}

function drawLatency(windows, labels) {
  const values = (p) => windows.map((w) => (known(w.latency?.[p]) ? 1000 * w.latency[p] : null));
  const series = [["p50", "half"], ["p90", "90 %"], ["p99", "99 %"]].map(([p, words]) => ({ name: `${words} within`, values: values(p) }));
  if (!series.some((s) => s.values.some(known))) return empty("latency-body", "No publisher has told how long its predictions take.");
  draw("latency-body", { title: "Time of a prediction", type: "line", x: "end of the window", y: "ms", labels, zero: true, series });
}

async function refreshWindows() {
  const panels = ["traffic-body", "shares-body", "latency-body"];
  if (!chosen.model) return panels.forEach((id) => empty(id, "No window was closed yet."));
  const { windows, classes } = await ask("windows", ofModel({ limit: WINDOWS }));
  if (windows.length === 0) return panels.forEach((id) => empty(id, `No window of ${chosen.model} was closed yet.`));
  const labels = windows.map((w) => clock(w.to));
  drawTraffic(windows, labels);
  if (classes && windows.some((w) => w.counts?.length > 0)) drawShares(windows, labels, classes);
  else empty("shares-body", "This model has no classes, or none were counted.");
  drawLatency(windows, labels);
}

// ---- drift ----

/** A feature's strongest sign first. */
function byFeature(rows) {
  const features = new Map();
  for (const r of rows) {
    const f = features.get(r.feature) || { name: r.feature, effect: 0, evidence: null, tests: new Map() };
    f.effect = Math.max(f.effect, r.effect);
    f.evidence = known(r.evidence) ? Math.max(f.evidence ?? r.evidence, r.evidence) : f.evidence;
    f.tests.set(r.test, r);
    features.set(r.feature, f);
  }
  return [...features.values()].sort((a, b) => b.effect - a.effect || (b.evidence ?? -Infinity) - (a.evidence ?? -Infinity) || a.name.localeCompare(b.name));
}

function drawDriftTable(features, window) {
  const tests = [...new Set(features.flatMap((f) => [...f.tests.keys()]))];
  const words = [["none", ""], ["some", "warn"], ["large", "bad"]];
  const cell = (r) => (r ? element("span", { class: words[r.effect]?.[1] || "", title: `threshold ${figure(r.threshold)}` }, figure(r.statistic)) : "\u2013");
  const pick = (f) => {
    const b = element("button", { type: "button", "aria-label": `Show the drift of ${f.name}` }, f.name);
    b.addEventListener("click", () => chooseFeature(f.name));
    return b;
  };
  const focused = document.activeElement?.closest("#drift-body") ? document.activeElement.getAttribute("aria-label") : null;
  show("drift-body", note(`Window ${window}. Effect: how large the change is; evidence: the logarithm of the e-value, how sure it is that there is one. An alert needs both.`),
    table("Drift of the features in the newest window",
      [{ title: "Feature" }, { title: "Effect" }, { title: "Evidence", number: true }, ...tests.map((t) => ({ title: t, number: true }))],
      features.map((f) => [pick(f), element("span", { class: words[f.effect]?.[1] || "" }, words[f.effect]?.[0] || "\u2013"), figure(f.evidence), ...tests.map((t) => cell(f.tests.get(t)))])));
  if (focused) [...byId("drift-body").querySelectorAll("button")].find((b) => b.getAttribute("aria-label") === focused)?.focus();
}

async function refreshHistory() {
  if (!chosen.model || !chosen.feature) return empty("history-body", "No feature was judged yet.");
  const { drift } = await ask("drift", ofModel({ feature: chosen.feature, limit: 1000 }));
  const windows = [...new Set(drift.map((r) => r.window))];
  const tests = [...new Set(drift.map((r) => r.test))];
  const at = new Map(drift.map((r) => [`${r.window} ${r.test}`, r]));
  const series = tests.map((t) => ({ name: t, values: windows.map((w) => {
    const r = at.get(`${w} ${t}`);
    return r && known(r.statistic) && r.threshold > 0 ? r.statistic / r.threshold : null;
  }) }));
  series.push({ name: "threshold", values: windows.map(() => 1), dashed: true });
  draw("history-body", { title: `Drift of ${chosen.feature}`, type: "line", x: "window", y: "statistic / its threshold", labels: windows, zero: true, series });
}

function binNames(column, n) {
  if (column.labels) return [...column.labels, "unseen", "missing"].slice(0, n);
  const cuts = column.cuts || [];
  const names = cuts.map((c, i) => (i === 0 ? `\u2264 ${figure(c)}` : `\u2264 ${figure(c)}`));
  return [...names, cuts.length > 0 ? `> ${figure(cuts[cuts.length - 1])}` : "all", "not finite", "missing"].slice(0, n);
}

async function refreshHistogram() {
  if (!chosen.model || !chosen.feature) return empty("histogram-body", "No feature was judged yet.");
  const { reference, current, window } = await ask("histogram", ofModel({ feature: chosen.feature }));
  if (!reference) return empty("histogram-body", `No reference of ${chosen.feature} was announced: its model is older, or leaves it out.`);
  const shares = (counts) => {
    const all = (counts || []).reduce((a, b) => a + b, 0);
    return (counts || []).map((n) => (all > 0 ? n / all : 0));
  };
  const labels = binNames(reference, reference.counts.length);
  const series = [{ name: "reference", values: shares(reference.counts) }];
  if (current) series.push({ name: `window ${window}`, values: shares(current.counts) });
  draw("histogram-body", { title: `Histogram of ${chosen.feature}`, type: "bar", x: chosen.feature, y: "share", labels, zero: true, text: percent, reversed: false, series });
}

function chooseFeature(name) {
  chosen.feature = name;
  byId("feature").value = name;
  run(refreshHistory, refreshHistogram);
}

async function refreshDrift() {
  if (!chosen.model) {
    empty("drift-body", "No drift was judged yet.");
    fill(byId("feature"), [], "", "none yet");
    return run(refreshHistory, refreshHistogram);
  }
  const { drift } = await ask("drift", ofModel({ limit: 10000 }));
  const features = byFeature(drift);
  if (!features.some((f) => f.name === chosen.feature)) chosen.feature = features[0]?.name || "";
  fill(byId("feature"), features.map((f) => f.name), chosen.feature, "none yet");
  if (features.length === 0) empty("drift-body", `No window of ${chosen.model} was held against a reference yet.`);
  else drawDriftTable(features, drift[0].window);
  return run(refreshHistory, refreshHistogram);
}

// ---- quality, KPI ----

async function refreshQuality() {
  const none = "No outcome has arrived and nothing was estimated yet.";
  byId("quality-words").textContent = "";
  if (!chosen.model) return empty("quality-body", none);
  const { performance } = await ask("performance", ofModel({ limit: 5000 }));
  const metrics = [...new Set(performance.map((p) => p.metric))];
  if (!metrics.includes(chosen.metric)) chosen.metric = metrics[0] || "";
  fill(byId("metric"), metrics, chosen.metric, "none yet");
  const rows = performance.filter((p) => p.metric === chosen.metric);
  if (rows.length === 0) return empty("quality-body", none);
  const values = (name) => rows.map((r) => r[name]);
  draw("quality-body", { title: `Quality: ${chosen.metric}`, type: "line", x: "window", y: chosen.metric, labels: rows.map((r) => r.window), series: [
    { name: "realised", values: values("realised") }, { name: "estimated", values: values("estimated") }, { name: "reference", values: values("reference"), dashed: true },
    { name: "at least", values: values("low"), of: 0 }, { name: "at most", values: values("high"), of: 0, fill: "-1" }] });
  const newest = rows.filter((r) => r.labelled > 0).pop();
  byId("quality-words").textContent = newest ? `Outcomes of ${percent(newest.labelled)} of window ${newest.window} have arrived; later ones wait.` : "No outcome has arrived; estimates alone.";
}

async function refreshKpi() {
  const { kpi } = await ask("kpi", { limit: 500 });
  if (kpi.length === 0) return empty("kpi-body", "No KPI was reported yet: goal.kpi names it, flywheel outcomes --kpi reports it.");
  const name = kpi[kpi.length - 1].name, rows = kpi.filter((k) => k.name === name);
  draw("kpi-body", { title: `KPI ${name}`, type: "line", x: "time", y: name, labels: rows.map((k) => `${k.at.slice(5, 10)} ${k.at.slice(11, 16)}`), series: [
    { name, values: rows.map((k) => k.value) }, { name: "baseline", values: rows.map((k) => k.baseline), dashed: true },
    { name: "target", values: rows.map((k) => k.target), dashed: true }] });
}

// ---- trainings, sweeps ----

/** A body with one chart for each; those that are gone go. */
function drawEach(id, items, title, words, spec) {
  const ids = items.map((_, i) => `${id}-${i}`);
  const body = byId(id), key = JSON.stringify(items.map(title));
  if (body.dataset.key !== key) {
    for (const other of [...charts.keys()].filter((c) => c.startsWith(`${id}-`))) forget(other);
    body.replaceChildren(...items.flatMap((item, i) => [element("h3", {}, title(item)), element("p", { class: "note", id: `${ids[i]}-words` }), element("div", { id: ids[i] })]));
    body.dataset.key = key;
  }
  items.forEach((item, i) => {
    byId(`${ids[i]}-words`).textContent = words(item);
    const s = spec(item);
    if (s) draw(ids[i], s);
    else empty(ids[i], "No round is done yet.");
  });
}

function nothing(id, text) {
  delete byId(id).dataset.key;
  show(id, note(text));
}

async function refreshTrainings() {
  const { trainings } = await ask("trainings", { limit: 4 });
  if (trainings.length === 0) return nothing("trainings-body", "No training has told of itself yet.");
  drawEach("trainings-body", trainings.slice().reverse(), (t) => `${t.project}: ${t.run}`,
    (t) => `${t.event}, round ${count(t.round)}, ${count(t.ranks)} ranks, ${figure(t.rows_per_s)} rows / s, ${ago(t.updated)}`,
    (t) => t.rounds.length > 0 && { title: `Training ${t.run}`, type: "line", x: "round", y: "", labels: t.rounds.map((r) => r[0]),
      series: ["training loss", ...t.metrics].map((name, k) => ({ name, values: t.rounds.map((r) => r[k + 1] ?? null) })) });
}

async function refreshStudies() {
  const { studies } = await ask("studies", { limit: 4 });
  if (studies.length === 0) return nothing("studies-body", "No sweep has told of itself yet.");
  const states = (s) => {
    const n = new Map();
    for (const t of s.trials) n.set(t.state, (n.get(t.state) || 0) + 1);
    return [...n].map(([state, k]) => `${count(k)} ${state}`).join(", ");
  };
  drawEach("studies-body", studies.slice().reverse(), (s) => `${s.project}, since ${moment(s.started)}`,
    (s) => `${count(s.trials.length)} trials: ${states(s)}; ${ago(s.updated)}${s.left_out > 0 ? `; ${count(s.left_out)} more are not shown` : ""}`,
    (s) => s.trials.some((t) => known(t.value)) && { title: `Trials of ${s.project}`, type: "line", x: "trial", y: s.metric || "", labels: s.trials.map((t) => t.trial),
      series: [{ name: s.metric || "value", values: s.trials.map((t) => t.value), points: true }] });
}

// ---- keeping up to date ----

function status(text, kind) {
  const e = byId("status");
  if (e.textContent !== text) e.textContent = text;
  e.className = kind;
}

let trouble = "", connected = false;
const under = new Map();             // part -> {again, done}: what is being asked; another wish meanwhile is one more round

async function once(part) {
  try {
    await part();
    if (trouble && connected) status("live", "live");
    trouble = "";
  } catch (error) {
    trouble = error.message;
    status(trouble, "lost");
  }
}

function refresh(part) {
  const running = under.get(part);
  if (running) {
    running.again = true;
    return running.done;
  }
  const state = { again: true };
  under.set(part, state);
  state.done = (async () => {
    while (state.again) {
      state.again = false;
      await once(part);
    }
    under.delete(part);
  })();
  return state.done;
}

const run = (...parts) => Promise.all(parts.map(refresh));
const ofTheModel = [refreshWindows, refreshDrift, refreshQuality];

async function refreshAll() {
  await run(refreshModels);
  await run(refreshAlerts, ...ofTheModel, refreshKpi, refreshTrainings, refreshStudies, refreshPublishers);
  for (const s of document.querySelectorAll("main section")) s.removeAttribute("aria-busy");
  document.body.dataset.ready = "yes";
}

function listen() {
  const news = new EventSource("events");
  news.onopen = () => {
    connected = true;
    status(trouble || "live", trouble ? "lost" : "live");
  };
  news.onerror = () => {
    connected = false;
    status("the monitor does not answer; trying again", "lost");
  };
  news.addEventListener("windows", () => run(refreshModels, ...ofTheModel, refreshKpi));
  news.addEventListener("alerts", () => run(refreshAlerts));
  news.addEventListener("publishers", () => run(refreshPublishers));
  news.addEventListener("progress", () => run(refreshTrainings, refreshStudies));
  news.addEventListener("hello", () => refreshAll());
}

/** Panels of which nothing was recorded are left out, but for the alerts: that there are none is said. */
async function showReport() {
  document.querySelector("h1").textContent = NAME;
  byId("version").textContent = `Written by ${report.program}.`;
  status(`${report.verdict}, ${moment(report.made)}`, report.good ? "live" : "lost");
  await refreshAll();
  for (const s of document.querySelectorAll("main section:not(#alerts)")) {
    s.hidden = !s.querySelector("table, canvas");
    for (const link of document.querySelectorAll(`nav a[href="#${s.id}"]`)) link.hidden = s.hidden;
  }
}

async function askHealth() {
  try {
    const health = await (await fetch("health")).json();
    byId("version").textContent = `flywheel ${health.version}`;
    writable = Boolean(health.writable);
    showToken();
  } catch { }                        // the status line says that nobody answers
}

async function begin() {
  byId("model").addEventListener("change", (e) => {
    chosen.model = e.target.value;
    run(...ofTheModel);
  });
  byId("metric").addEventListener("change", (e) => {
    chosen.metric = e.target.value;
    run(refreshQuality);
  });
  byId("feature").addEventListener("change", (e) => chooseFeature(e.target.value));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAgain);
  if (report) return showReport();
  setInterval(refreshAll, POLL_MS);
  byId("acts").addEventListener("submit", useToken);
  byId("forget-token").addEventListener("click", () => forgetToken("The token is forgotten."));
  await askHealth();
  listen();
  await refreshAll();
}

begin();
