// Tables that sort by any column; the order chosen outlives new data.
import { ago, count, short, words } from "./format.js";

const orders = new Map();

function cell(row, column) {
  const td = document.createElement("td");
  const value = column.text(row);
  if (value instanceof Node) td.append(value); else td.textContent = value;
  if (column.tone) td.className = column.tone(row) ?? "";
  if (column.help) td.dataset.help = column.help(row);
  if (column.help) td.tabIndex = 0;
  return td;
}

function head(table, columns, draw) {
  const order = orders.get(table.id);
  const tr = document.createElement("tr");
  for (const [place, column] of columns.entries()) {
    const th = document.createElement("th"), button = document.createElement("button");
    button.type = "button";
    button.textContent = column.name;
    if (column.about) button.dataset.help = column.about;
    if (order?.place === place) th.setAttribute("aria-sort", order.up ? "ascending" : "descending");
    button.addEventListener("click", () => {
      const now = orders.get(table.id);
      orders.set(table.id, { place, up: now?.place === place ? !now.up : typeof column.key({}) === "string" });
      draw();
      table.querySelectorAll("th button")[place].focus();
    });
    th.append(button);
    tr.append(th);
  }
  return tr;
}

export function fill(table, columns, rows, none, more = 0) {
  const draw = () => {
    const order = orders.get(table.id);
    const sorted = order ? [...rows].sort(by(columns[order.place].key, order.up)) : rows;
    const body = document.createElement("tbody");
    for (const row of sorted) {
      const tr = document.createElement("tr");
      tr.append(...columns.map((column) => cell(row, column)));
      body.append(tr);
    }
    if (!rows.length || more) body.append(line(rows.length ? `and ${more} more, less remarkable` : none, columns.length));
    const thead = document.createElement("thead");
    thead.append(head(table, columns, draw));
    const focused = [...table.querySelectorAll("th button")].indexOf(document.activeElement);
    table.replaceChildren(thead, body);
    if (focused >= 0) table.querySelectorAll("th button")[focused].focus({ preventScroll: true });
  };
  draw();
}

function line(text, span) {
  const tr = document.createElement("tr"), td = document.createElement("td");
  td.colSpan = span;
  td.className = "none";
  td.textContent = text;
  tr.append(td);
  return tr;
}

function by(key, up) {
  return (a, b) => {
    const [x, y] = [key(a), key(b)];
    const order = typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y;
    return up ? order : -order;
  };
}

function named(name, small, colour) {
  const span = document.createElement("span");
  if (colour) {
    const swatch = document.createElement("i");
    swatch.className = "swatch";
    swatch.style.background = colour;
    span.append(swatch);
  }
  span.append(name);
  if (small) {
    const note = document.createElement("small");
    note.textContent = small;
    span.append(note);
  }
  return span;
}

const zero = (field) => (row) => (row[field] ? "" : "zero");
const number = (name, field, about) => ({ name, about, text: (row) => short(row[field]), key: (row) => row[field] ?? 0, tone: zero(field) });
const dropped = { name: "drops/s", text: (row) => short(row.drops), key: (row) => row.drops ?? 0, tone: (row) => (row.drops ? "bad" : "zero") };

export function reasons(table, rows, help, colours) {
  fill(table, [
    { name: "reason", text: (row) => named(words(row.id), "", colours(row.id)), key: (row) => row.id ?? "", help: (row) => help[row.id] ?? row.id },
    { name: "now /s", text: (row) => short(row.now), key: (row) => row.now ?? 0, tone: (row) => (row.now >= 10 ? "bad" : row.now ? "warn" : "zero") },
    { name: "packets", about: "Packets dropped in the time shown, exactly.", text: (row) => count(row.total), key: (row) => row.total ?? 0 },
  ], rows, "No packet was dropped in the time shown.");
}

export function instances(table, fleet, waited) {
  const boot = (row) => row.boot.toLowerCase().padStart(16, "0").slice(0, 8);
  const up = (row) => fleet.now_ms - row.start_ms;
  fill(table, [
    { name: "node/instance", text: (row) => named(`${row.pop}/${row.node}`, row.instance), key: (row) => `${row.pop ?? ""}/${row.node ?? ""}/${row.instance ?? ""}` },
    { name: "state", text: (row) => pill(row, waited), key: (row) => row.state ?? "" },
    { name: "running", about: "Time since this boot of the core began.", text: (row) => ago(up(row)), key: up },
    { name: "config", about: "Generation of the configuration in force.", text: (row) => count(row.generation), key: (row) => row.generation ?? 0 },
    { name: "boot", about: "First digits of the boot id: it changes when the core restarts.", text: boot, key: (row) => row.boot ?? "" },
  ], fleet.instances, "No instance was heard of in the last hour.", fleet.more);
}

function pill(row, waited) {
  const span = document.createElement("span");
  span.className = `pill ${row.state}`;
  span.textContent = row.state === "silent" ? `silent ${ago(row.silent_ms + waited)}` : row.state;
  return span;
}

export function troubles(table, rows, now) {
  const why = (row) => row.detail || row.reason;
  fill(table, [
    { name: "what", text: (row) => named(row.subject, row.node ? `${row.pop}/${row.node}` : row.pop), key: (row) => row.subject ?? "", help: (row) => `${row.kind}: ${row.subject}. ${why(row)}` },
    { name: "state", text: (row) => row.state, key: (row) => row.state ?? "", tone: (row) => (row.state === "draining" ? "warn" : "bad") },
    { name: "why", text: (row) => row.reason, key: (row) => row.reason ?? "", help: why },
    { name: "since", text: (row) => ago(now - row.ms), key: (row) => row.ms ?? 0 },
  ], rows, "No alert fires, and nothing that was told of is down.");
}

export function vips(table, rows) {
  fill(table, [
    { name: "VIP", text: (row) => named(row.vip, `${row.address}:${row.port}/${row.protocol}`), key: (row) => row.vip ?? "", help: (row) => `${row.vip}: ${row.address}:${row.port}/${row.protocol}, ${short(row.bits)}bit/s in` },
    number("in pkt/s", "packets"), number("new/s", "new", "Connections opened per second."),
    number("active", "active", "Connections in the table."), dropped,
  ], rows, "No VIP was counted in the last 2 minutes.", (rows[0]?.rows ?? 0) - rows.length);
}

export function backends(table, rows) {
  fill(table, [
    { name: "backend", text: (row) => named(`${row.pool}/${row.backend}`, row.address), key: (row) => `${row.pool ?? ""}/${row.backend ?? ""}`, help: (row) => `${row.pool}/${row.backend}: ${row.address}, ${short(row.bits)}bit/s sent` },
    number("pkt/s", "packets"), number("new/s", "new", "Connections opened per second."),
    number("active", "active", "Connections in the table."), dropped,
  ], rows, "No backend was counted in the last 2 minutes.", (rows[0]?.rows ?? 0) - rows.length);
}
