// Reads the history, follows the pushes, draws.
import { Chart, palette } from "./charts.js";
import { Heat } from "./heat.js";
import { words } from "./format.js";
import { freshness, settled, summary } from "./summary.js";
import * as tables from "./tables.js";
import { tips } from "./tips.js";
import { Window } from "./window.js";

const RELOAD_MS = 60000; // what came late is seen then
const id = (name) => document.getElementById(name);
const charts = {
  packets: new Chart(id("packets"), id("packets-readout")),
  bits: new Chart(id("bits"), id("bits-readout")),
  drops: new Chart(id("dropchart"), id("dropchart-readout")),
};
const heat = new Heat(id("heat"), id("heat-readout"), { canvas: id("scale"), low: id("scale-low"), high: id("scale-high") });
let win = null, source = null, contact = "connecting", heardAt = 0, every = 1, turn = 0;
const colours = new Map(); // reason -> its colour, kept while the page is open

const asked = () => ({ seconds: Number(id("seconds").value), node: id("node").value });

async function load() {
  const mine = (turn += 1), { seconds, node } = asked();
  try {
    const response = await fetch(`/live/history?seconds=${seconds}&node=${encodeURIComponent(node)}`);
    const answer = await response.json();
    if (mine !== turn) return;
    if (!response.ok) throw new Error(answer.error);
    win = new Window(answer);
    draw();
    say("live", answer.count * answer.step < seconds ? `large fleet: last ${answer.count * answer.step} s shown` : "following");
  } catch (error) {
    if (mine === turn) say("lost", `cannot read the history: ${error.message}`);
  }
}

function follow() {
  source?.close();
  source = new EventSource(`/live/events?node=${encodeURIComponent(asked().node)}`);
  source.addEventListener("tick", (event) => {
    heardAt = performance.now();
    const push = JSON.parse(event.data);
    every = push.every; // seconds between pushes
    if (win) win.every = every;
    if (win && (win.step !== 1 ? keep(push) : win.merge(push))) draw();
    else load();
    if (document.body.dataset.state === "lost") say("live", "following");
  });
  source.addEventListener("problem", (event) => say("lost", `cannot query the store: ${JSON.parse(event.data).error}`));
  source.addEventListener("error", () => say("lost", "reconnecting to the pipeline"));
}

// A long window has wider buckets than a push: its curves wait for the next reading.
function keep(push) {
  for (const key of ["vips", "backends", "troubles", "fleet", "now_ms"]) if (push[key]) win[key] = push[key];
  win.received = performance.now();
  return true;
}

function say(state, text) {
  document.body.dataset.state = state;
  contact = text;
  if (win) freshness(win, contact);
  else id("contact").textContent = text;
}

function draw() {
  const { from } = win, cut = (list) => list.slice(from), reasons = win.reasons();
  const times = cut(win.times);
  const busiest = [...win.nodes].slice(0, 9);
  const lines = (field) => busiest.flatMap((node, i) => [
    { name: `${node.name} in`, short: node.name, values: cut(node[`rx${field}`]), pair: cut(node[`tx${field}`]), colour: palette(i) },
    { name: `${node.name} out`, values: cut(node[`tx${field}`]), colour: palette(i), dash: [5, 4] },
  ]);
  charts.packets.draw(times, lines(""), win.events, false);
  charts.bits.draw(times, lines("_bits"), win.events, false);
  const stacked = [...reasons].sort((a, b) => b.total - a.total).slice(0, 9);
  for (const reason of stacked) if (!colours.has(reason.id)) colours.set(reason.id, palette(colours.size % 9));
  charts.drops.draw(times, stacked.map((r) => ({ name: words(r.id), values: cut(r.list).map((v) => (v ?? 0) / win.step), colour: colours.get(r.id) })), win.events, true);
  tables.reasons(id("reasons"), reasons, win.reason_help, (reason) => `var(${colours.get(reason) ?? "--s8"})`);
  tables.instances(id("instances"), { ...win.fleet, now_ms: win.now_ms }, win.waited);
  tables.troubles(id("troubles"), win.troubles, win.now_ms);
  const alerts = win.troubles.filter((row) => row.kind === "alert").length;
  id("troubles-count").textContent = win.troubles.length ? `(${alerts} firing, ${win.troubles.length - alerts} more)` : "";
  id("troubles-panel").classList.toggle("firing", alerts > 0);
  tables.vips(id("vips"), settled(win.vips, win));
  tables.backends(id("backends"), settled(win.backends, win));
  heat.draw(win);
  id("lcore-count").textContent = `(${win.lcores.length}) by second`;
  nodes();
  summary(win);
  freshness(win, contact);
  id("empty").hidden = win.fleet.names.length > 0;
}

function nodes() {
  const select = id("node"), known = [...select.options].map((option) => option.value);
  for (const name of win.fleet.names) if (!known.includes(name)) select.append(new Option(name, name));
}

function start() {
  const wanted = new URLSearchParams(location.search);
  if (wanted.get("node")) { id("node").append(new Option(wanted.get("node"))); id("node").value = wanted.get("node"); }
  if (wanted.get("seconds")) id("seconds").value = wanted.get("seconds");
  id("ingest").textContent = `${location.origin}/v1/frames`;
  for (const select of [id("node"), id("seconds")]) {
    select.addEventListener("change", () => {
      const { seconds, node } = asked();
      history.replaceState(null, "", `?${new URLSearchParams({ ...(node && { node }), ...(seconds !== 600 && { seconds }) })}`);
      load();
      follow();
    });
  }
  const modes = [...document.querySelectorAll("[data-mode]")];
  for (const button of modes) {
    button.addEventListener("click", () => {
      modes.forEach((other) => other.setAttribute("aria-checked", String(other === button)));
      heat.mode = button.dataset.mode;
      heat.draw(win);
    });
  }
  addEventListener("themechange", () => {
    Object.values(charts).forEach((chart) => chart.repaint());
    if (win) draw();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) load(); });
  setInterval(() => { if (!document.hidden) load(); }, RELOAD_MS);
  setInterval(() => { if (win && win.step > 1 && !document.hidden) load(); }, 10000);
  setInterval(watch, 1000);
  tips(id("tip"));
  load().then(follow);
}

// What ages while nothing comes.
function watch() {
  const quiet = performance.now() - heardAt;
  if (heardAt && quiet > 5000 * every) say("lost", `no word from the pipeline for ${Math.round(quiet / 1000)} s`);
  else if (win) freshness(win, contact);
}

start();
