// The heatmap: a row an lcore, a column a second. The values are drawn pixel by pixel into a small
// bitmap, which is then scaled up without smoothing.
import { colour, label } from "./charts.js";
import { clock, count, short } from "./format.js";

const RAMPS = {
  dark: { busy: ["#10202c", "#145369", "#1f9c8c", "#b6d84c", "#ffd23f", "#ff5d5d"], drops: ["#3a1d22", "#a8323a", "#ff6b6b", "#ffe0c2"], packets: ["#10202c", "#16507e", "#3fa0e8", "#d4efff"] },
  light: { busy: ["#e4f0f4", "#9fd3d3", "#3aa58f", "#c9b51e", "#e88a00", "#c4232b"], drops: ["#fbdcdc", "#f08a8a", "#c4232b", "#5e0c12"], packets: ["#e3eef8", "#94c2ea", "#2f7fc4", "#0a3866"] },
};
const LEFT = 150, BOTTOM = 18;

export class Heat {
  constructor(canvas, readout, scale) {
    Object.assign(this, { canvas, readout, scale, mode: "busy", win: null, cursor: null });
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerleave", () => this.move(null));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.move(null));
    new ResizeObserver(() => this.draw(this.win)).observe(canvas.parentElement);
  }

  get columns() { return this.win.count - 1; }

  draw(win) {
    this.win = win;
    if (!win) return;
    const ratio = devicePixelRatio, box = this.canvas.parentElement;
    this.width = box.clientWidth;
    this.height = box.clientHeight;
    this.canvas.width = this.width * ratio;
    this.canvas.height = this.height * ratio;
    this.plot = { x: LEFT, y: 0, w: this.width - LEFT, h: this.height - BOTTOM };
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
    const log = this.mode === "drops" ? Math.log1p(top) : 0;
    lcores.forEach((row, y) => {
      const values = row[this.mode];
      for (let x = 0; x < columns; x += 1) {
        const value = values[x];
        if (value == null || (log && !value)) continue;
        const share = log ? Math.log1p(value) / log : value / top;
        pixels[y * columns + x] = lut[Math.min(255, Math.max(0, Math.round(share * 255)))];
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

  lut() {
    const theme = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
    const stops = RAMPS[theme][this.mode].map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
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
      ctx.fillText(title(row.name), LEFT - 8, (y + 0.5) * this.rowHeight, LEFT - 10);
    });
    ctx.textBaseline = "alphabetic";
    ctx.textAlign = "center";
    const marks = Math.max(2, Math.floor(this.plot.w / 130));
    for (let i = 0; i <= marks; i += 1) {
      const column = Math.round((i / marks) * (this.columns - 1)), time = this.win.start + column * this.win.step;
      const x = LEFT + ((column + 0.5) / this.columns) * this.plot.w;
      ctx.textAlign = i === 0 ? "left" : i === marks ? "right" : "center";
      ctx.fillText(clock(time), x, Math.min(this.height, this.rowHeight * this.win.lcores.length + BOTTOM) - 4);
    }
  }

  marks(ctx) {
    ctx.strokeStyle = colour("--text");
    ctx.setLineDash([3, 3]);
    for (const event of this.win.events) {
      const rows = this.win.lcores.map((row, y) => (row.name.startsWith(`${event.pop}/${event.node}/${event.instance}/`) ? y : -1)).filter((y) => y >= 0);
      const x = LEFT + (((event.ms / 1000 - this.win.start) / this.win.step + 0.5) / this.columns) * this.plot.w;
      if (!rows.length || x < LEFT) continue;
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
    ctx.strokeRect(LEFT + column * w - 1, row * this.rowHeight, Math.max(w, 2) + 2, this.rowHeight - 1);
  }

  point(event) {
    if (!this.win?.lcores.length) return;
    const row = Math.floor(event.offsetY / this.rowHeight);
    const column = Math.floor(((event.offsetX - LEFT) / this.plot.w) * this.columns);
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
    const { column } = this.cursor, busy = row.busy[column];
    const event = this.win.events.find((e) => Math.abs(e.ms / 1000 - this.win.start - column * this.win.step) < 1 && row.name.startsWith(`${e.pop}/${e.node}/`));
    this.readout.textContent = busy == null
      ? `${title(row.name)} · ${clock(this.win.start + column * this.win.step)} · no data`
      : `${title(row.name)} · ${clock(this.win.start + column * this.win.step)} · busy ${(busy / 10).toFixed(1)} % · ${count(row.packets[column])} packets/s · ${count(row.drops[column])} dropped${event ? ` · ${label(event)}` : ""}`;
  }
}

function title(name) {
  const [pop, node, instance, lcore] = name.split("/");
  return `${pop}/${node}${instance === "lb" || instance === node ? "" : `/${instance}`} lcore ${lcore}`;
}
