// What panels draw with: dashes, pictures in rows, plots, and a hand on a canvas.
import { element, keepKeys } from './dom.js';
import { arrowStep } from './keys.js';

export const DASHES = [[], [6, 3], [8, 3, 2, 3], [2, 2]]; // of lines, one after the other
const SHARP = 2; // drawings are at so many times the page's resolution
const ARROW_KEY = 6; // how far an arrow key moves, in the page's pixels

/** Room for pictures in rows, `gap` clear pixels apart; gives a function: the corner of the n-th. */
export function tiles(panel, canvas) {
  const {
    count,
    cell: [width, height],
    columns,
    gap,
  } = panel;
  canvas.width = columns * (width + gap) - gap;
  canvas.height = Math.ceil(count / columns) * (height + gap) - gap;
  if (!panel.smooth) canvas.className = 'dl-pixels';
  return (n) => [(n % columns) * (width + gap), Math.floor(n / columns) * (height + gap)];
}

/**
 * A drawing as wide as its place on the page, at twice the page's resolution. Gives {size, begin, below}: its size in
 * the page's pixels, which changes with the page; a function that gives an empty one, with the page's text colour; and
 * one that lays a drawing below it that is the same as long as its key is.
 */
export function plot(panel, canvas, player) {
  const size = [...panel.size];
  const context = canvas.getContext('2d');
  const kept = { key: null, canvas: element('canvas') };
  canvas.style.aspectRatio = panel.limit ? size.join(' / ') : 'auto'; // a plane stays as it is, a plot keeps its height
  if (!panel.limit) canvas.style.height = `${size[1]}px`;
  fit(canvas);
  new ResizeObserver(() => {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (width === 0 || (width === size[0] && height === size[1])) return;
    size.splice(0, 2, width, height);
    fit(canvas);
    player.show();
  }).observe(canvas);

  function fit(node) {
    node.width = SHARP * size[0];
    node.height = SHARP * size[1];
  }
  function prepared(fresh) {
    fresh.setTransform(SHARP, 0, 0, SHARP, 0, 0);
    fresh.clearRect(0, 0, ...size);
    fresh.font = '11px system-ui, sans-serif';
    fresh.fillStyle = fresh.strokeStyle = player.paint.text;
    fresh.lineWidth = 1;
    return fresh;
  }
  function below(key, draw) {
    const full = [key, ...size, player.paint.text].join();
    if (kept.key !== full) {
      fit(kept.canvas);
      draw(prepared(kept.canvas.getContext('2d')));
      kept.key = full;
    }
    context.drawImage(kept.canvas, 0, 0, ...size);
  }
  return { size, begin: () => prepared(context), below };
}

export function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

export function arrow(context, x0, y0, x1, y1) {
  const long = Math.hypot(x1 - x0, y1 - y0);
  const tip = Math.min(5, long / 2);
  if (long < 1) {
    context.fillRect(x0 - 0.75, y0 - 0.75, 1.5, 1.5);
    return;
  }
  const [x, y] = [(x1 - x0) / long, (y1 - y0) / long];
  line(context, x0, y0, x1 - (x * tip) / 2, y1 - (y * tip) / 2);
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x1 - tip * (x + y / 2), y1 - tip * (y - x / 2));
  context.lineTo(x1 - tip * (x - y / 2), y1 - tip * (y + x / 2));
  context.fill();
}

export function dot(context, x, y, radius, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fill();
}

/**
 * A canvas that follows a mouse, pen or finger: `moved(x, y)` in the page's pixels, `ended()` when it lets go. If
 * `position()` says where things stand, the arrow keys move them, too.
 */
export function followHand(canvas, { moved, ended, position }) {
  canvas.tabIndex = 0;
  canvas.className = 'dl-grab';
  keepKeys(canvas);
  const follow = (event) => {
    const box = canvas.getBoundingClientRect();
    const zoom = canvas.width / SHARP / box.width;
    moved((event.clientX - box.left) * zoom, (event.clientY - box.top) * zoom);
  };
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    canvas.onpointermove = follow;
    follow(event);
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    canvas.onpointermove = null;
    ended?.();
  };
  if (!position) return;
  canvas.onkeydown = (event) => {
    const step = arrowStep(event.key, ARROW_KEY);
    if (!step) return;
    event.preventDefault();
    const [x, y] = position();
    moved(x + step[0], y + step[1]);
  };
}
