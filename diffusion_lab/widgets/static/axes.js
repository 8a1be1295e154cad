// Axes: where their numbers stand, and how a frame with numbers is drawn.
import { line } from './canvas.js';

const LEFT = 24; // room for the numbers of the upright axis, in the page's pixels, or more if they are long
const BOTTOM = 31; // for numbers and name of the level one
const TOP = 17; // for the name of the upright one
const RIGHT = 13; // for half of the last number
const PLANE = { left: 26, top: 7, right: 7, bottom: 19 }; // room around a plane, which has no names
const TICK = 4;
const NUMBER_WIDTH = 28; // that a number needs with the space beside it
const NUMBER_HEIGHT = 22;

/** Round numbers from low to high, at most so many: steps are 1, 2, 4 or 5 times a power of ten. */
export function ticks(low, high, most) {
  if (!(high > low)) return [low];
  let best = { score: -1, numbers: [low] };
  const power = 10 ** Math.floor(Math.log10((high - low) / most));
  for (const step of [1, 2, 4, 5, 10, 20, 40, 50].map((factor) => factor * power)) {
    const first = Math.ceil(low / step - 1e-9);
    const last = Math.floor(high / step + 1e-9);
    const count = last - first + 1;
    // as many as there is room for; of two steps that give as many, the one that reaches the ends
    const score = 4 * count + (first * step <= low + step / 1e6) + (last * step >= high - step / 1e6);
    if (count < 1 || count > most || score <= best.score) continue;
    const numbers = Array.from({ length: count }, (_, n) => Number(((first + n) * step).toPrecision(12)) + 0);
    best = { score, numbers };
  }
  return best.numbers;
}

/** Ticks for the places of a slider: {place, text}, at round values where these are evenly spaced numbers. */
export function placeTicks(positions, a, most) {
  const last = positions.counts[a] - 1;
  const values = Array.from({ length: last + 1 }, (_, place) => Number(positions.text(a, place)));
  const span = values[last] - values[0];
  const isEven =
    last > 1 && span > 0 && values.every((v, n) => Math.abs(v - values[0] - (span * n) / last) < span / 1e4);
  if (isEven) {
    return ticks(values[0], values[last], most).map((v) => ({
      place: ((v - values[0]) / span) * last,
      text: String(v),
    }));
  }
  const stride = Math.max(1, Math.ceil(last / (most - 1)));
  const places = Array.from({ length: Math.floor(last / stride) + 1 }, (_, n) => n * stride);
  return places.map((place) => ({ place, text: positions.text(a, place) }));
}

/** The part of a canvas of this size that is left for a plot whose upright numbers are so wide. */
export const frameOf = ([width, height], widest = 0) => ({
  left: Math.max(LEFT, Math.ceil(widest) + TICK + 4),
  top: TOP,
  right: width - RIGHT,
  bottom: height - BOTTOM,
});

/** How wide the widest of some texts is drawn. */
export const widestOf = (context, texts) => Math.max(...texts.map((text) => context.measureText(text).width));

/** A square of the plane, from -limit to limit, as it stands on a canvas of this size; and back, by `place`. */
export function planeOf([width, height], limit) {
  const [left, top] = [PLANE.left, PLANE.top];
  const side = Math.min(width - left - PLANE.right, height - top - PLANE.bottom);
  const unit = side / 2 / limit;
  return {
    frame: { left, top, right: left + side, bottom: top + side },
    x: (right) => left + side / 2 + unit * right,
    y: (up) => top + side / 2 - unit * up,
    place: (x, y) => [(x - left - side / 2) / unit, (top + side / 2 - y) / unit],
  };
}

/** Draw the frame of a plane, with numbers on both axes. */
export function drawPlane(context, { frame, x, y }, limit) {
  const numbers = ticks(-limit, limit, Math.min(7, roomOf(frame).across));
  drawAxes(
    context,
    frame,
    { ticks: numbers.map((value) => ({ at: x(value), text: signed(value) })) },
    { ticks: numbers.map((value) => ({ at: y(value), text: signed(value) })) },
  );
}

/** A number as it is printed, with a minus that is as wide as a plus. */
export const signed = (value) => String(value).replace('-', '\u2212');

/** How many numbers there is room for along each axis of a frame. */
export const roomOf = ({ left, right, top, bottom }) => ({
  across: Math.max(2, Math.floor((right - left) / NUMBER_WIDTH)),
  up: Math.max(2, Math.floor((bottom - top) / NUMBER_HEIGHT)),
});

/**
 * Draw a frame with numbers. `x` and `y` are {name, ticks: [{at, text}]}, `at` being a place on the canvas; the context
 * has the colour of text.
 */
export function drawAxes(context, frame, x, y) {
  const { left, right, top, bottom } = frame;
  context.save();
  context.globalAlpha = 0.45;
  context.strokeRect(left - 0.5, top - 0.5, right - left + 1, bottom - top + 1);
  for (const { at } of x.ticks) line(context, at, bottom, at, bottom + TICK);
  for (const { at } of y.ticks) line(context, left - TICK, at, left, at);
  context.globalAlpha = 1;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  for (const { at, text } of y.ticks) context.fillText(text, left - TICK - 2, at);
  context.textBaseline = 'alphabetic';
  context.textAlign = 'center';
  for (const { at, text } of x.ticks) context.fillText(text, at, bottom + TICK + 10);
  context.fillText(x.name ?? '', (left + right) / 2, bottom + BOTTOM - 4);
  context.textAlign = 'left';
  context.fillText(y.name ?? '', 2, 10);
  context.restore();
}
