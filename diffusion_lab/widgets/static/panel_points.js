// Panels of points in the plane.
import { drawPlane, planeOf } from './axes.js';
import { arrow, dot, followHand, line, plot } from './canvas.js';
import { bestGuess, explanations, noisedPoints, signalAndNoise } from './formulas.js';
import { BrokenData, counted, int16 } from './unpack.js';

/** Small squares at places of the plane. */
function scatter(context, values, { x, y }) {
  for (let j = 0; j < values.length; j += 2) context.fillRect(x(values[j]) - 1, y(values[j + 1]) - 1, 2, 2);
}

/** Clean points and their noise, and x_t of them where the sliders stand. */
function cloud(panel, positions) {
  const x_0 = int16(panel.x_0, 'the cloud of points');
  const eps = counted(int16(panel.eps, 'the noise'), x_0.length, 'the noise');
  const x_t = new Float32Array(x_0.length);
  return () => {
    const abar = positions.number(panel.abar, 'the noise level');
    return noisedPoints(x_0, panel.x_0_unit, eps, panel.eps_unit, abar, x_t);
  };
}

/** Draw inside a plane only, whatever reaches beyond it. */
function inside(context, { left, top, right, bottom }, draw) {
  context.save();
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  draw();
  context.restore();
}

/** Points that become noise. */
export function points(panel, canvas, player) {
  const { shared, positions } = player;
  const noised = cloud(panel, positions);
  const { size, begin, below } = plot(panel, canvas, player);
  return () => {
    const context = begin();
    const plane = planeOf(size, panel.limit);
    shared.values = noised();
    below('plane', (still) => drawPlane(still, plane, panel.limit));
    inside(context, plane.frame, () => {
      context.fillStyle = player.paint.lines[0];
      context.globalAlpha = 0.6;
      scatter(context, shared.values, plane);
    });
  };
}

/** Points that become noise, arrows from x_t to the best guess of x_0, and one marked x_t, which can be moved. */
export function field(panel, canvas, player) {
  const { shared, positions } = player;
  const noised = cloud(panel, positions);
  const { size, begin, below } = plot(panel, canvas, player);
  let marked = null; // where a hand put it; before that, it is the first point
  followHand(canvas, {
    moved(x, y) {
      marked = planeOf(size, panel.limit).place(x, y);
      player.show();
    },
    position() {
      const plane = planeOf(size, panel.limit);
      return [plane.x(shared.marked[0]), plane.y(shared.marked[1])];
    },
  });
  panel.reset = () => {
    marked = null;
  };

  function drawArrows(context, { x, y }, alpha, sigma) {
    const { cells, limit } = panel;
    const step = (2 * limit) / cells;
    for (let n = 0; n < cells * cells; n++) {
      const from = [step * ((n % cells) + 0.5) - limit, step * (Math.floor(n / cells) + 0.5) - limit];
      const guess = bestGuess(panel.mixture, from, alpha, sigma).x_0;
      const to = guess.map((value, i) => from[i] + (value - from[i]) / 4);
      arrow(context, x(from[0]), y(from[1]), x(to[0]), y(to[1]));
    }
  }

  return () => {
    const context = begin();
    const plane = planeOf(size, panel.limit);
    const { x, y } = plane;
    const [alpha, sigma] = signalAndNoise(positions.number(panel.abar, 'the noise level'));
    const [ink, mark] = player.paint.lines;
    const x_t = noised();
    shared.marked = marked ?? [x_t[0], x_t[1]];
    const best = bestGuess(panel.mixture, shared.marked, alpha, sigma);
    shared.facts = { chances: best.shares.map((share) => `${Math.round(100 * share)} %`).join(', ') };
    Object.assign(shared, { alpha, sigma, best: best.x_0 });
    below('plane', (still) => drawPlane(still, plane, panel.limit));
    inside(context, plane.frame, () => {
      context.globalAlpha = 0.85;
      drawArrows(context, plane, alpha, sigma);
      context.fillStyle = ink;
      context.globalAlpha = 0.6;
      scatter(context, x_t, plane);
      context.globalAlpha = 1;
      context.strokeStyle = context.fillStyle = mark;
      context.lineWidth = 2;
      arrow(context, x(shared.marked[0]), y(shared.marked[1]), x(best.x_0[0]), y(best.x_0[1]));
      dot(context, x(shared.marked[0]), y(shared.marked[1]), 5, mark);
    });
  };
}

/** Which of those points the marked x_t may come from, and the best guess in the middle of them. */
export function candidates(panel, canvas, player) {
  const { shared } = player;
  const x_0 = int16(panel.x_0, 'the cloud of points');
  const fits = new Float32Array(x_0.length / 2);
  const { size, begin, below } = plot(panel, canvas, player);
  return () => {
    const context = begin();
    const plane = planeOf(size, panel.limit);
    const { x, y } = plane;
    const { alpha, sigma, marked, best } = shared;
    if (!marked) throw new BrokenData('the panel beside it, which it follows, is missing');
    const {
      text,
      lines: [colour, mark],
    } = player.paint;
    explanations(x_0, panel.x_0_unit, marked, alpha, sigma, fits);
    below('plane', (still) => drawPlane(still, plane, panel.limit));
    inside(context, plane.frame, () => {
      fits.forEach((fit, n) => {
        const place = [x(panel.x_0_unit * x_0[2 * n]), y(panel.x_0_unit * x_0[2 * n + 1])];
        context.globalAlpha = 0.35 * (1 - fit);
        context.fillStyle = text;
        context.fillRect(place[0] - 1, place[1] - 1, 2, 2);
        context.globalAlpha = fit;
        if (fit > 0.02) dot(context, ...place, 3.5, colour);
      });
      context.globalAlpha = 1;
      context.strokeStyle = mark;
      context.lineWidth = 3;
      const [right, down] = [x(best[0]), y(best[1])];
      for (const side of [-6, 6]) line(context, right - 6, down - side, right + 6, down + side);
    });
  };
}
