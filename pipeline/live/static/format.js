// Numbers as people read them.
const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const UNITS = ["", " k", " M", " G", " T"];

export const count = (value) => (value == null ? "–" : whole.format(value));

// Three digits and a unit: 12.3 k
export function short(value) {
  if (value == null || Number.isNaN(value)) return "–";
  let size = Math.abs(value), unit = 0;
  while (size >= 999.5 && unit < UNITS.length - 1) { size /= 1000; unit += 1; }
  const digits = size >= 99.5 || (unit === 0 && Number.isInteger(value)) ? 0 : size >= 9.95 ? 1 : unit || size >= 1 ? 2 : size ? 2 : 0;
  return (value < 0 ? "−" : "") + size.toFixed(digits).replace(/\.0+$|(\.\d*[1-9])0+$/, "$1") + UNITS[unit];
}

export const bits = (value) => `${short(value)}${/[kMGT]$/.test(short(value)) ? "" : " "}bit/s`;

export function ago(ms) {
  const s = Math.max(0, ms / 1000);
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
}

export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB");
export const words = (id) => id.replaceAll("_", " ");
