// The heatmap: a row an lcore, a column a second. The values are drawn pixel by pixel into a small
// bitmap, which is then scaled up without smoothing.
import { colour, label } from "./charts.js";
import { clock, count, short } from "./format.js";

// From little to much the lightness goes one way, so that no colour has to be told from another.
const RAMPS = {
  dark: {
    busy: ["#1a2b38", "#1d4e74", "#2b8896", "#86bd72", "#ffe066"],
    drops: ["#4a1f26", "#a8323a", "#ff7d6b", "#ffe0c2"],
    packets: ["#1a2b38", "#16507e", "#3fa0e8", "#d4efff"],
  },
  light: {
    busy: ["#dcebf2", "#9fcbd8", "#469aa8", "#2a6488", "#372a63"],
    drops: ["#fbdcdc", "#f08a8a", "#c4232b", "#5e0c12"],
    packets: ["#dfebf6", "#94c2ea", "#2f7fc4", "#0a3866"],
  },
};
const BOTTOM = 18;

export class Heat {
  constructor(canvas, readout, scale) {
    Object.assign(this, { canvas, readout, scale, mode: "busy", win: null, cursor: null });
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerleave", () => this.move(null));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.move(null));
    new ResizeObserver(() => this.draw(this.win)).observe(canvas.parentElement);
  }

  get columns() { return this.win.count - 1 - this.from; }
  at(column) { return column + this.from; }
  time(column) { return this.win.start + this.at(column) * this.win.step; }

  draw(win) {
    this.win = win;
    if (!win) return;
    this.from = win.from;
    const ratio = devicePixelRatio, box = this.canvas.parentElement;
    box.style.setProperty("--rows", win.lcores.length);
    this.width = box.clientWidth;
    this.height = box.clientHeight;
    this.canvas.width = this.width * ratio;
    this.canvas.height = this.height * ratio;
    const left = this.width < 600 ? 84 : 150;
    this.plot = { x: left, w: this.width - left, h: this.height - BOTTOM };
    this.rowHeight = Math.min(110, this.plot.h / Math.max(1, win.lcores.length));
    const ctx = this.canvas.getContext("2d");
    ctx.scale(ratio, ratio);
    ctx.font = "12px system-ui, 'DejaVu Sans', sans-serif";
    if (win.lcores.length) this.cells(ctx);
    this.labels(ctx);
    this.marks(ctx);
    this.frame(ctx);
    this.say();
  }

  cells(ctx) {
    const { lcores } = this.win, { columns } = this, lut = this.lut();
    const top = this.top = this.mode === "busy" ? 1000 : Math.max(1, ...lcores.flatMap((row) => row[this.mode].map((v) => v ?? 0)));
    const bitmap = new OffscreenCanvas(columns, lcores.length), small = bitmap.getContext("2d");
    const image = small.createImageData(columns, lcores.length), pixels = new Uint32Array(image.data.buffer);
    const share = this.share(top);
    lcores.forEach((row, y) => {
      const values = row[this.mode];
      for (let x = 0; x < columns; x += 1) {
        const value = values[this.at(x)];
        if (value == null || (this.mode === "drops" && !value)) continue;
        pixels[y * columns + x] = lut[Math.min(255, Math.max(0, Math.round(share(value) * 255)))];
      }
    });
    small.putImageData(image, 0, 0);
    const { x, w } = this.plot, high = this.rowHeight * lcores.length;
    ctx.fillStyle = colour("--void");
    ctx.fillRect(x, 0, w, high);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(bitmap, x, 0, w, high);
    ctx.fillStyle = colour("--panel");
    if (this.rowHeight > 6) for (let row = 1; row <= lcores.length; row += 1) ctx.fillRect(x, row * this.rowHeight - 1, w, 1);
    this.ramp(lut);
  }

  // A quiet core and a few drops shall be seen, too: neither scale is linear.
  share(top) {
    if (this.mode === "drops") return (value) => Math.log1p(value) / Math.log1p(top);
    if (this.mode === "busy") return (value) => Math.sqrt(value / top);
    return (value) => value / top;
  }

  lut() {
    const stops = RAMPS[document.documentElement.dataset.theme][this.mode].map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
    return Uint32Array.from({ length: 256 }, (_, i) => {
      const at = (i / 255) * (stops.length - 1), low = Math.min(stops.length - 2, Math.floor(at));
      const [r, g, b] = stops[low].map((from, c) => Math.round(from + (stops[low + 1][c] - from) * (at - low)));
      return (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
    });
  }

  ramp(lut) {
    const { low, high, canvas } = this.scale, ctx = canvas.getContext("2d"), image = ctx.createImageData(canvas.width, 1);
    const pixels = new Uint32Array(image.data.buffer);
    for (let x = 0; x < canvas.width; x += 1) pixels[x] = lut[Math.round((x / (canvas.width - 1)) * 255)];
    for (let y = 0; y < canvas.height; y += 1) ctx.putImageData(image, 0, y);
    low.textContent = this.mode === "busy" ? "idle" : this.mode === "drops" ? "1" : "0";
    high.textContent = this.mode === "busy" ? "100 %" : `${short(this.top)}/s`;
  }

  labels(ctx) {
    ctx.fillStyle = colour("--soft");
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    const every = Math.ceil(13 / this.rowHeight);
    this.win.lcores.forEach((row, y) => {
      if (y % every) return;
      ctx.fillText(this.plot.x < 150 ? brief(row.name) : title(row.name), this.plot.x - 8, (y + 0.5) * this.rowHeight, this.plot.x - 10);
    });
    ctx.textBaseline = "alphabetic";
    ctx.textAlign = "center";
    const marks = Math.max(2, Math.floor(this.plot.w / 130));
    for (let i = 0; i <= marks; i += 1) {
      const column = Math.round((i / marks) * (this.columns - 1)), time = this.time(column);
      const x = this.plot.x + ((column + 0.5) / this.columns) * this.plot.w;
      ctx.textAlign = i === 0 ? "left" : i === marks ? "right" : "center";
      ctx.fillText(clock(time), x, Math.min(this.height, this.rowHeight * this.win.lcores.length + BOTTOM) - 4);
    }
  }

  marks(ctx) {
    ctx.strokeStyle = colour("--text");
    ctx.setLineDash([3, 3]);
    for (const event of this.win.events) {
      const rows = this.win.lcores.map((row, y) => (row.name.startsWith(`${event.pop}/${event.node}/${event.instance}/`) ? y : -1)).filter((y) => y >= 0);
      const x = this.plot.x + (((event.ms / 1000 - this.time(0)) / this.win.step + 0.5) / this.columns) * this.plot.w;
      if (!rows.length || x < this.plot.x) continue;
      ctx.beginPath();
      ctx.moveTo(x, Math.min(...rows) * this.rowHeight);
      ctx.lineTo(x, (Math.max(...rows) + 1) * this.rowHeight);
      ctx.stroke();
    }
    ctx.setLineDash([]);
  }

  frame(ctx) {
    if (!this.cursor) return;
    const { row, column } = this.cursor, w = this.plot.w / this.columns;
    ctx.strokeStyle = colour("--text");
    ctx.lineWidth = 1.5;
    ctx.strokeRect(this.plot.x + column * w - 1, row * this.rowHeight, Math.max(w, 2) + 2, this.rowHeight - 1);
  }

  point(event) {
    if (!this.win?.lcores.length) return;
    const row = Math.floor(event.offsetY / this.rowHeight);
    const column = Math.floor(((event.offsetX - this.plot.x) / this.plot.w) * this.columns);
    const inside = row < this.win.lcores.length && column >= 0 && column < this.columns;
    this.move(inside ? { row, column } : null);
  }

  key(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step || !this.win?.lcores.length) return;
    event.preventDefault();
    const from = this.cursor ?? { row: 0, column: this.columns - 1 };
    const clamp = (value, size) => Math.max(0, Math.min(size - 1, value));
    this.move({ row: clamp(from.row + step[0], this.win.lcores.length), column: clamp(from.column + step[1] * (event.shiftKey ? 10 : 1), this.columns) });
  }

  move(cursor) {
    this.cursor = cursor;
    this.draw(this.win);
  }

  say() {
    const row = this.win.lcores[this.cursor?.row];
    if (!row) { this.readout.textContent = ""; return; }
    const { column } = this.cursor, at = this.at(column), time = this.time(column), busy = row.busy[at];
    const event = this.win.events.find((e) => Math.abs(e.ms / 1000 - time) < 1 && row.name.startsWith(`${e.pop}/${e.node}/`));
    const place = `${title(row.name)} · ${clock(time)}`;
    this.readout.textContent = busy == null
      ? `${place} · no data`
      : `${place} · busy ${(busy / 10).toFixed(1)} % · ${count(row.packets[at])} packets/s · ${count(row.drops[at])} dropped${event ? ` · ${label(event)}` : ""}`;
  }
}

const brief = (name) => name.split("/").filter((_, place) => place === 1 || place === 3).join(" / ");

function title(name) {
  const [pop, node, instance, lcore] = name.split("/");
  return `${pop}/${node}${instance === "lb" || instance === node ? "" : `/${instance}`} lcore ${lcore}`;
}
