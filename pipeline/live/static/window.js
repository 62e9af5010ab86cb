// The seconds that the page shows: what /live/history gave, with the pushes laid over it.
const LATE = 1; // the newest bucket is still filling

export class Window {
  constructor(answer) {
    Object.assign(this, answer);
    this.received = performance.now();
  }

  get end() { return this.start + this.count * this.step; }
  get times() { return Array.from({ length: this.count - LATE }, (_, i) => this.start + i * this.step); }

  // The first second that is drawn: a young fleet is not squeezed against the right edge.
  get from() {
    const first = Math.min(...this.nodes.map((node) => node.rx.findIndex((value) => value != null)).filter((at) => at >= 0));
    return Math.max(0, Math.min(Number.isFinite(first) ? first - 3 : 0, this.count - 60));
  }

  // True when the push follows on; false when the history must be read again.
  merge(push) {
    if (push.step !== this.step || push.start > this.end || push.start + push.count < this.end) return false;
    this.shift(Math.round((push.start + push.count - this.end) / this.step));
    const at = Math.round((push.start - this.start) / this.step);
    for (const [list, fields] of [["nodes", ["rx", "tx", "rx_bits", "tx_bits"]], ["lcores", ["busy", "drops", "packets"]]]) {
      for (const row of this[list]) for (const field of fields) lay(row[field], [], at, push.count);
      for (const row of push[list]) {
        const mine = this.row(list, row.name, fields);
        for (const field of fields) lay(mine[field], row[field], at, push.count);
      }
    }
    for (const reason of Object.keys(push.drops)) this.drops[reason] ??= this.nothing();
    for (const reason of Object.keys(this.drops)) lay(this.drops[reason], push.drops[reason] ?? [], at, push.count);
    // A push cannot judge its first second: it lacks the one before.
    for (const key of ["packets", "unjudged"]) {
      lay(this.residual[key], push.residual[key].slice(2), at + 2, push.count - 2);
    }
    for (const key of ["vips", "backends", "troubles", "fleet", "now_ms"]) if (push[key]) this[key] = push[key];
    this.addEvents(push.events ?? []);
    this.received = performance.now();
    return true;
  }

  shift(by) {
    if (by <= 0) return;
    const move = (list) => { list.splice(0, by); while (list.length < this.count) list.push(null); };
    for (const row of [...this.nodes, ...this.lcores]) {
      for (const value of Object.values(row)) if (Array.isArray(value)) move(value);
    }
    Object.values(this.drops).forEach(move);
    Object.values(this.residual).forEach(move);
    this.start += by * this.step;
    this.events = this.events.filter((event) => event.ms >= this.start * 1000);
  }

  row(list, name, fields) {
    let mine = this[list].find((row) => row.name === name);
    if (!mine) {
      mine = { name };
      for (const field of fields) mine[field] = this.nothing();
      this[list].push(mine);
      this[list].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    }
    return mine;
  }

  addEvents(events) {
    const key = (event) => `${event.ms} ${event.pop}/${event.node}/${event.instance}`;
    const known = new Set(this.events.map(key));
    this.events.push(...events.filter((event) => !known.has(key(event))));
  }

  nothing() { return new Array(this.count).fill(null); }

  // Mean of the last `seconds` that are complete.
  recent(list, seconds = 5) {
    const size = Math.max(1, Math.round(seconds / this.step));
    const part = list.slice(-LATE - size, -LATE).filter((value) => value != null);
    return part.length ? part.reduce((a, b) => a + b, 0) / part.length : 0;
  }

  // Reasons with their totals and their rate now, the worst now first.
  reasons() {
    return Object.entries(this.drops)
      .map(([id, list]) => ({ id, now: this.recent(list) / this.step, total: sum(list), list }))
      .filter((reason) => reason.total > 0)
      .sort((a, b) => b.now - a.now || b.total - a.total);
  }

  // Packets that the law does not account for, and rows that could not be judged.
  unaccounted() {
    return { packets: sum(this.residual.packets), unjudged: sum(this.residual.unjudged) };
  }

  // Time since the report on the fleet was made.
  get waited() { return performance.now() - this.received; }
}

export const sum = (list) => list.reduce((total, value) => total + (value ?? 0), 0);

function lay(target, values, at, size) {
  for (let i = 0; i < size; i += 1) {
    const place = at + i;
    if (place < 0 || place >= target.length) continue;
    // What is known is not unlearned by a push that came before the row did.
    target[place] = values[i] ?? target[place];
  }
}
