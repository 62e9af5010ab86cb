// The strip at the top and the sentence below it: is all well, and if not, where to look.
import { ago, bits, count, short, words } from "./format.js";

const id = (name) => document.getElementById(name);

function tile(name, state, figure, note, place) {
  id(name).textContent = figure;
  id(place).textContent = note;
  const box = id(name).closest(".tile");
  box.className = `tile ${state}`;
  id(place).title = note;
}

function fleet(win) {
  const { live = 0, stopped = 0, dead = 0, silent = 0 } = win.fleet.states;
  const parts = [[silent, "silent"], [dead, "dead"], [live, "up"], [stopped, "stopped"]]
    .filter(([nodes, name]) => nodes || name === "up").map(([nodes, name]) => `${nodes} ${name}`);
  const worst = win.fleet.instances.find((row) => row.state === "silent" || row.state === "dead");
  const note = worst
    ? `${worst.pop}/${worst.node} for ${ago((worst.state === "dead" ? worst.age_ms : worst.silent_ms) + win.waited)}`
    : `${win.fleet.names.length} known, ${win.lcores.length} lcores`;
  tile("fleet", dead || silent ? "bad" : "good", parts[0], [...parts.slice(1), note].join(" · "), "fleet-note");
}

function ledger(win) {
  const { packets, unjudged } = win.unaccounted();
  const shown = (win.count - win.from) * win.step;
  const span = shown >= 120 ? `${Math.round(shown / 60)} min` : `${shown} s`;
  const note = packets ? `in the last ${span}: counting error` : `${span}: all accounted for`;
  const judged = win.residual.packets.some((value) => value != null);
  if (!judged) {
    tile("residual", "warn", "–", "no data in the time shown", "residual-note");
    return;
  }
  tile("residual", packets ? "bad" : "good", count(packets), note, "residual-note");
  id("residual-note").title = `${note}; ${count(unjudged)} rows could not be judged (first of a core's boot, or after a gap)`;
}

// What a push may be late by: large fleets are asked less often.
const slack = (win) => 1000 * (win.every ?? 1);

// Nothing was heard for so long that "now" has no value.
const blind = (win) => win.fleet.age_ms == null || win.fleet.age_ms + win.waited > 9000 + slack(win);
const UNKNOWN = "unknown: no recent data";

// Any network has a few packets a second that are nobody's, ARP for others above all.
export const grave = (now, win) => now >= 10 || now > 0.01 * win.nodes.reduce((all, node) => all + win.recent(node.rx), 0);

function drops(win) {
  const reasons = win.reasons(), now = reasons.reduce((total, reason) => total + reason.now, 0);
  if (blind(win)) {
    tile("drops-now", "warn", "–", UNKNOWN, "reason-now");
    return { reasons, now: 0 };
  }
  const note = now ? words(reasons[0].id) + (reasons.filter((r) => r.now).length > 1 ? " and others" : "") : "nothing in the last 5 s";
  tile("drops-now", grave(now, win) ? "bad" : now ? "warn" : "good", `${short(now)}/s`, note, "reason-now");
  return { reasons, now };
}

function rates(win) {
  if (blind(win)) {
    tile("rate-now", "warn", "–", UNKNOWN, "bits-now");
    return;
  }
  const total = (field) => win.nodes.reduce((all, node) => all + win.recent(node[field]), 0);
  tile("rate-now", "", `${short(total("rx"))} · ${short(total("tx"))}`, `packets/s, ${bits(total("rx_bits"))} in`, "bits-now");
}

export function freshness(win, contact) {
  const age = win.fleet.age_ms == null ? null : win.fleet.age_ms + win.waited;
  const state = age == null || age > 9000 + slack(win) ? "bad" : age > 3000 + slack(win) ? "warn" : "good";
  tile("fresh", state, age == null ? "none" : ago(age), contact, "contact");
}

// Where packets get lost now: lcore, reason, VIP, backend.
export function verdict(win, { reasons, now }) {
  const box = id("verdict"), { packets } = win.unaccounted();
  const quiet = win.fleet.instances.filter((row) => row.state === "silent" || row.state === "dead");
  const said = [];
  if (packets) said.push([`${count(packets)} packets are unaccounted for`, ": the ledger does not balance. "]);
  if (quiet.length) {
    const row = quiet[0], more = quiet.length > 1 ? ` and ${quiet.length - 1} more` : "";
    said.push([`${row.pop}/${row.node}${more}: ${row.state}`, row.state === "silent" ? ", no news from the exporter. What it shows is old. " : ", its core's heartbeat stopped. "]);
  }
  if (now > 0) said.push(...loss(win, reasons, now));
  if (!win.fleet.names.length) said.push(["No node was heard of in the last hour.", ""]);
  box.className = said.length ? (packets || quiet.length || grave(now, win) ? "bad" : "warn") : "good";
  box.replaceChildren();
  for (const [strong, rest] of said) {
    const b = document.createElement("b");
    b.textContent = strong;
    box.append(b, rest);
  }
  if (!said.length) box.textContent = "All is well: no drops in the last 5 s, every packet accounted for, every node heard of." + earlier(reasons);
  box.title = box.textContent;
}

// What an alert may still speak of when it is over: alerts look at a minute, the sentence at 5 s.
export function earlier(reasons) {
  const total = reasons.reduce((all, reason) => all + reason.total, 0);
  if (!total) return "";
  const most = reasons.reduce((a, b) => (b.total > a.total ? b : a));
  return ` Earlier in the time shown: ${count(total)} dropped, the most for ${words(most.id)} (${count(most.total)}).`;
}

function loss(win, reasons, now) {
  const [worst] = reasons;
  const lcore = win.lcores.map((row) => ({ name: row.name, drops: win.recent(row.drops) / win.step }))
    .sort((a, b) => b.drops - a.drops)[0];
  const [pop, node, , number] = lcore.name.split("/");
  const share = lcore.drops / now;
  const place = share > 0.5 ? `${pop}/${node} lcore ${number} drops` : `${win.lcores.length} lcores drop`;
  const vip = win.vips.find((row) => row.drops > 0), backend = win.backends.find((row) => row.drops > 0);
  const seen = [vip && `VIP ${vip.vip}`, backend && `backend ${backend.pool}/${backend.backend}`].filter(Boolean);
  const help = win.reason_help[worst.id] ?? "";
  return [[`${place} ${short(now)} packets/s: ${words(worst.id)}`, `${seen.length ? `, seen at ${seen.join(" and ")}` : ""}. ${help} `]];
}

export const settled = (rows, win) => (blind(win) ? rows.map((row) => ({ ...row, packets: null, new: null, drops: null })) : rows);

export function summary(win) {
  fleet(win);
  ledger(win);
  rates(win);
  const lost = drops(win);
  verdict(win, lost);
}
