// Line charts (uPlot) with a shared cursor, marks of events, and values in the panel's head.
import uPlot from "./vendor/uplot/uPlot.esm.js";
import { clock, short } from "./format.js";

const sync = uPlot.sync("live");
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const palette = (place) => `--s${Math.min(place, 8)}`;

export class Chart {
  constructor(box, readout) {
    Object.assign(this, { box, readout, plot: null, shape: "", events: [], shown: [] });
    new ResizeObserver(() => this.resize()).observe(box);
  }

  // series: [{name, short, values, colour (a CSS variable), dash, pair}], over times (seconds).
  // `pair` are values that the head shows beside those of the series.
  draw(times, series, events, stacked) {
    this.events = events;
    this.shown = series;
    this.stacked = stacked;
    const data = [times, ...(stacked ? stack(series, times.length) : series.map((s) => s.values.slice(0, times.length)))];
    const shape = series.map((s) => s.name + s.colour).join("\n") + stacked;
    if (shape !== this.shape || !this.plot) this.build(series, data, stacked, shape);
    else this.plot.setData(data);
    this.say(this.plot.cursor.idx);
  }

  build(series, data, stacked, shape) {
    this.plot?.destroy();
    this.shape = shape;
    const soft = colour("--soft"), grid = { stroke: colour("--grid"), width: 1 };
    const font = "11.5px system-ui, 'DejaVu Sans', sans-serif";
    this.plot = new uPlot({
      ...this.size(),
      legend: { show: false },
      cursor: { sync: { key: sync.key, setSeries: false }, y: false, points: { show: !stacked }, drag: { x: false, y: false } },
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [
        { stroke: soft, grid, ticks: grid, font, size: 24, gap: 3, space: 70, values: (_, splits) => splits.map((s) => clock(s).slice(0, 5 + 3 * (s % 60 !== 0))) },
        { stroke: soft, grid, ticks: { show: false }, font, size: 52, gap: 4, space: 32, values: (_, splits) => splits.map(short) },
      ],
      series: [{}, ...series.map((s) => ({
        label: s.name, stroke: colour(s.colour), width: stacked ? 1 : 1.5, dash: s.dash, points: { show: false },
        fill: stacked ? `${colour(s.colour)}cc` : undefined,
      }))],
      hooks: { draw: [(plot) => this.marks(plot)], setCursor: [(plot) => this.say(plot.cursor.idx)] },
    }, data, this.box);
  }

  size() { return { width: Math.max(120, this.box.clientWidth), height: Math.max(60, this.box.clientHeight) }; }
  resize() { this.plot?.setSize(this.size()); }
  repaint() { this.shape = ""; }

  marks(plot) {
    const { ctx, bbox } = plot, ratio = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("--mark");
    ctx.lineWidth = ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.font = `${11 * ratio}px system-ui, 'DejaVu Sans', sans-serif`;
    ctx.textAlign = "left";
    const rows = [[], [], []]; // what of each line of labels is taken
    for (const event of this.events) {
      const x = plot.valToPos(event.ms / 1000, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const text = label(event), width = ctx.measureText(text).width + 10 * ratio;
      const start = x + width > bbox.left + bbox.width ? x - width : x;
      const row = rows.findIndex((taken) => taken.every(([from, to]) => start >= to || start + width <= from));
      if (row < 0) continue;
      rows[row].push([start, start + width]);
      ctx.fillText(text, start + 5 * ratio, bbox.top + (11 + 14 * row) * ratio);
    }
    ctx.restore();
  }

  // Values at the cursor, or those of the last second.
  say(place) {
    const at = place ?? this.last();
    const time = this.plot?.data[0][at];
    this.readout.replaceChildren(place == null || time == null ? "" : clock(time));
    const told = this.shown.filter((one) => !one.dash && (!this.stacked || one.values[at] > 0));
    if (this.stacked && !told.length) this.readout.append("no drops");
    if (this.stacked) told.sort((a, b) => b.values[at] - a.values[at]);
    for (const s of told) {
      const value = document.createElement("i");
      value.style.setProperty("--c", `var(${s.colour})`);
      const more = s.pair ? ` → ${short(s.pair[at])}` : "";
      value.textContent = `${s.short ?? s.name} ${short(s.values[at])}${more}`;
      this.readout.append(value);
    }
  }

  last() {
    const size = this.plot?.data[0].length ?? 0;
    for (let at = size - 1; at > size - 6; at -= 1) if (this.shown.some((s) => s.values[at] != null)) return at;
    return size - 1;
  }
}

export const label = (event) => `${event.node} ${event.restart ? "restarted" : `config ${event.generation}`}`;

// The first series lies lowest on the chart and is drawn last, over the sums above it.
function stack(series, size) {
  const sums = new Array(size).fill(0);
  const rows = [...series].reverse().map((s) => {
    for (let i = 0; i < size; i += 1) sums[i] += s.values[i] ?? 0;
    return sums.slice();
  });
  return rows.reverse();
}
