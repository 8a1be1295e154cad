// Panels of numbers: a histogram, curves, and one number on a scale.
import { colours, plot } from './canvas.js';
import { histogram as counted, normalDensity } from './formulas.js';

const LIMIT = 4; // histograms show -4 … 4
const BINS = 64;
const DASHES = [[], [6, 3], [8, 3, 2, 3], [2, 2]];
const ROOM = 16; // below a plot, for its numbers

/** How often each value occurs in the panel before it, beside the standard normal density. */
export function histogram(panel, canvas, { shared }) {
  const start = plot(panel, canvas);
  const [w, h] = panel.size;
  const floor = h - ROOM;
  const tall = (density) => Math.min(floor, density * floor * 1.25);
  return () => {
    const context = start();
    const text = context.fillStyle;
    const [bars, curve] = colours(canvas);
    context.fillStyle = bars;
    counted(shared.values, BINS, LIMIT).forEach((n, i) => {
      const top = tall((n / shared.values.length) * (BINS / (2 * LIMIT)));
      context.fillRect((i * w) / BINS, floor - top, w / BINS - 0.5, top);
    });
    context.strokeStyle = curve;
    context.lineWidth = 1.5;
    context.beginPath();
    for (let x = 0; x <= w; x += 2) context.lineTo(x, floor - tall(normalDensity((x / w - 0.5) * 2 * LIMIT)));
    context.stroke();
    context.fillStyle = text;
    context.textAlign = 'center';
    for (let v = 1 - LIMIT; v < LIMIT; v++) context.fillText(v, ((v + LIMIT) / (2 * LIMIT)) * w, h - 3);
  };
}

/**
 * Lines over the first slider's range, with a mark where it stands; where another slider chooses one of the lines, the
 * others are faint.
 */
export function curves(panel, canvas, { positions }) {
  const start = plot(panel, canvas);
  const [w, h] = panel.size;
  const floor = h - ROOM;
  const tables = Object.values(panel.lines);
  return () => {
    const context = start();
    const share = panel.at ? positions.look(panel.at) : positions.places[0] / (positions.counts[0] - 1);
    const now = 4 + share * (w - 8);
    const chosen = positions.places[panel.chosen];
    context.fillText(positions.text(0, 0), 1, h - 3);
    context.textAlign = 'right';
    const last = positions.text(0, positions.counts[0] - 1);
    context.fillText(`${positions.sliders[0].label} ${last}`, w - 1, h - 3);
    context.globalAlpha = 0.4;
    context.strokeRect(0.5, 0.5, w - 1, floor - 1);
    context.beginPath();
    context.moveTo(now, 0);
    context.lineTo(now, floor);
    context.stroke();
    context.textAlign = 'left';
    tables.forEach((table, n) => {
      const values = positions.look(table);
      const x = (i) => 4 + (i / (values.length - 1)) * (w - 8);
      const y = (i) => 5 + (floor - 10) * (1 - values[i]);
      const strong = chosen === undefined || n === chosen;
      context.fillStyle = context.strokeStyle = colours(canvas)[n % 4];
      context.globalAlpha = strong ? 1 : 0.45;
      context.lineWidth = strong ? 2 : 1;
      context.setLineDash(DASHES[n % 4]);
      context.beginPath();
      values.forEach((_, i) => context.lineTo(x(i), y(i)));
      context.stroke();
      context.setLineDash([]);
      if (!strong) return;
      if (values.length <= 21) values.forEach((_, i) => context.fillRect(x(i) - 2, y(i) - 2, 4, 4));
      context.beginPath();
      context.arc(now, y(Math.round(share * (values.length - 1))), 4.5, 0, 7);
      context.fill();
    });
    context.globalAlpha = 1;
  };
}

const raised = (power) => [...String(power)].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[digit] ?? '⁻').join('');

/** One positive number on a scale of powers of ten. */
export function meter(panel, canvas, { positions }) {
  const start = plot(panel, canvas);
  const [w, h] = panel.size;
  const { low, high } = panel;
  const top = h / 2 - 6;
  const deep = 16;
  const x = (power) => 5 + ((Math.min(high, Math.max(low, power)) - low) / (high - low)) * (w - 10);
  return () => {
    const context = start();
    const value = positions.look(panel);
    const power = Math.log10(value);
    const [digits, tens] = value.toExponential(1).split('e').map(Number);
    const text = context.fillStyle;
    context.font = '600 20px system-ui, sans-serif';
    context.fillText(tens < -2 ? `${digits} · 10${raised(tens)}` : value.toPrecision(2), 5, top - 22);
    context.font = '11px system-ui, sans-serif';
    context.fillStyle = colours(canvas)[power > -2 ? 1 : 0];
    context.fillRect(x(low), top, x(power) - x(low), deep);
    context.fillStyle = text;
    context.fillRect(x(power) - 1.5, top - 4, 3, deep + 8);
    context.globalAlpha = 0.4;
    context.strokeRect(x(low), top + 0.5, x(high) - x(low), deep - 1);
    context.globalAlpha = 1;
    context.textAlign = 'center';
    for (let n = Math.ceil(low / 3) * 3; n <= high; n += 3) {
      context.fillRect(x(n) - 0.5, top + deep, 1, 4);
      context.fillText(n ? `10${raised(n)}` : '1', Math.max(14, x(n)), top + deep + 16);
    }
    context.textAlign = 'left';
    context.fillText('only noise', 5, top + deep + 33);
    context.textAlign = 'right';
    context.fillText('still a picture', w - 5, top + deep + 33);
    context.textAlign = 'left';
  };
}
