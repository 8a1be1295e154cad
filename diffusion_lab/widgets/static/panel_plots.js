// Panels of numbers: a histogram, curves, and one number on a scale.
import { drawAxes, frameOf, placeTicks, roomOf, signed, ticks, widestOf } from './axes.js';
import { DASHES, dot, line, plot } from './canvas.js';
import { histogram as counted, normalDensity } from './formulas.js';
import { BrokenData } from './unpack.js';

const LIMIT = 4; // histograms show -4 … 4
const BINS = 64;
const DENSEST = 0.8; // the highest density that a histogram shows
const FEW = 21; // so few values of a line are marked

/** How often each value occurs in the panel before it, beside the standard normal density. */
export function histogram(panel, canvas, player) {
  const { size, begin, below } = plot(panel, canvas, player);
  return () => {
    const context = begin();
    const frame = frameOf(size);
    const { left, right, bottom, top } = frame;
    const { values } = player.shared;
    if (!values) throw new BrokenData('the panel beside it, whose values it counts, is missing');
    const x = (value) => left + ((value + LIMIT) / (2 * LIMIT)) * (right - left);
    const y = (density) => bottom - (Math.min(DENSEST, density) / DENSEST) * (bottom - top);
    below('axes', (still) => {
      const room = roomOf(frame);
      const level = ticks(-LIMIT, LIMIT, room.across).map((value) => ({ at: x(value), text: signed(value) }));
      const upright = ticks(0, DENSEST, room.up).map((density) => ({
        at: y(density),
        text: String(density),
      }));
      drawAxes(still, frame, { name: panel.x ?? 'value', ticks: level }, { name: 'density', ticks: upright });
    });
    const [bars, curve] = player.paint.lines;
    context.fillStyle = bars;
    const wide = (right - left) / BINS;
    context.beginPath();
    counted(values, BINS, LIMIT).forEach((n, i) => {
      const high = y((n / values.length) * (BINS / (2 * LIMIT)));
      context.rect(left + i * wide, high, wide - 0.5, bottom - high);
    });
    context.fill();
    context.strokeStyle = curve;
    context.lineWidth = 1.5;
    context.beginPath();
    for (let value = -LIMIT; value <= LIMIT; value += 1 / 8)
      context.lineTo(x(value), y(normalDensity(value)));
    context.stroke();
  };
}

/** Draw a line through places of a canvas. */
function polyline(context, values, x, y) {
  context.beginPath();
  values.forEach((value, i) => context.lineTo(x(i), y(value)));
  context.stroke();
}

/**
 * Lines over the first slider's range, with a mark where it stands; where another slider chooses one of the lines, the
 * others are faint. Values lie in 0 … 1, which the upright axis calls `panel.y.low` … `panel.y.high`.
 */
export function curves(panel, canvas, player) {
  const { positions } = player;
  const { size, begin, below } = plot(panel, canvas, player);
  const tables = Object.entries(panel.lines ?? {});
  if (!tables.length) throw new BrokenData('its lines are missing');
  const { low, high, name, words } = { low: 0, high: 1, name: '', ...panel.y };
  const last = positions.counts[0] - 1 || 1;

  /** Axes and lines, which stay as they are while the first slider moves. */
  function drawLines(context, { frame, across, up, numbers, texts }, lines, chosen) {
    const places = placeTicks(positions, 0, Math.min(6, roomOf(frame).across));
    const level = places.map(({ place, text }) => ({ at: across(place / last), text }));
    const upright = texts.map((text, n) => {
      const value = words ? n : (numbers[n] - low) / (high - low || 1);
      return { at: up(value), text };
    });
    drawAxes(context, frame, { name: positions.sliders[0].label, ticks: level }, { name, ticks: upright });
    lines.forEach((values, n) => {
      const x = (i) => across(i / (values.length - 1 || 1));
      const isStrong = chosen === undefined || n === chosen;
      context.fillStyle = context.strokeStyle = player.paint.lines[n % 4];
      context.globalAlpha = isStrong ? 1 : 0.45;
      context.lineWidth = isStrong ? 2 : 1;
      context.setLineDash(DASHES[n % 4]);
      polyline(context, values, x, up);
      if (isStrong && values.length <= FEW) {
        values.forEach((value, i) => context.fillRect(x(i) - 2, up(value) - 2, 4, 4));
      }
    });
    context.globalAlpha = 1;
    context.setLineDash([]);
  }

  return () => {
    const context = begin();
    const lines = tables.map(([label, table]) => {
      const values = positions.look(table);
      if (!values?.length) throw new BrokenData(`the line of ${label} is missing`);
      return values;
    });
    const chosen = positions.places[panel.chosen];
    const numbers = ticks(low, high, Math.min(6, roomOf(frameOf(size)).up));
    const texts = words ?? numbers.map(signed);
    const frame = frameOf(size, widestOf(context, texts));
    const { left, right, top, bottom } = frame;
    const across = (share) => left + 4 + share * (right - left - 8);
    const up = (value) => bottom - 4 - value * (bottom - top - 8);
    const key = [chosen, ...tables.map(([, { over }]) => positions.index(over))].join();
    below(key, (still) => drawLines(still, { frame, across, up, numbers, texts }, lines, chosen));
    const share = panel.at ? positions.number(panel.at, 'the place') : positions.places[0] / last;
    const now = across(share);
    context.globalAlpha = 0.45;
    line(context, now, top, now, bottom);
    context.globalAlpha = 1;
    lines.forEach((values, n) => {
      if (chosen !== undefined && n !== chosen) return;
      dot(context, now, up(values[Math.round(share * (values.length - 1))]), 4.5, player.paint.lines[n % 4]);
    });
  };
}

const raised = (power) => [...String(power)].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[digit] ?? '⁻').join('');

/** One positive number on a scale of powers of ten. */
export function meter(panel, canvas, player) {
  const { positions } = player;
  const { size, begin } = plot(panel, canvas, player);
  const { low, high } = panel;
  const deep = 16;
  return () => {
    const context = begin();
    const [w, h] = size;
    const top = h / 2 - 6;
    const x = (power) => 5 + ((Math.min(high, Math.max(low, power)) - low) / (high - low)) * (w - 10);
    const value = positions.number(panel, 'the ratio');
    const power = Math.log10(value);
    const [digits, tens] = value.toExponential(1).split('e').map(Number);
    const text = context.fillStyle;
    context.font = '600 20px system-ui, sans-serif';
    context.fillText(tens < -2 ? `${digits} · 10${raised(tens)}` : value.toPrecision(2), 5, top - 22);
    context.font = '11px system-ui, sans-serif';
    context.fillStyle = player.paint.lines[power > -2 ? 1 : 0];
    context.fillRect(x(low), top, x(power) - x(low), deep);
    context.fillStyle = text;
    context.fillRect(x(power) - 1.5, top - 4, 3, deep + 8);
    context.globalAlpha = 0.45;
    context.strokeRect(x(low), top + 0.5, x(high) - x(low), deep - 1);
    context.globalAlpha = 1;
    context.textAlign = 'center';
    const step = w < 190 ? 6 : 3;
    for (let n = Math.ceil(low / step) * step; n <= high; n += step) {
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
