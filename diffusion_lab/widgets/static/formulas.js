// The mathematics of the panels, with no page and no canvas. Pictures are bytes, 0 … 255, which stand for -1 … 1.

/** How much of the picture and how much of the noise is in x_t: sqrt(abar) and sqrt(1 - abar). */
export const signalAndNoise = (abar) => [Math.sqrt(abar), Math.sqrt(1 - abar)];

/**
 * x_t of pictures, written into `x_t`: alpha x_0 + sigma eps (DDPM, equation 4).
 * `x_0` holds bytes; `eps` holds integers, to be multiplied by `unit`.
 */
export function noisedPictures(x_0, eps, unit, abar, x_t) {
  const [signal, noise] = signalAndNoise(abar);
  const alpha = signal / 127.5;
  const sigma = noise * unit;
  for (let j = 0; j < x_t.length; j++) x_t[j] = alpha * (x_0[j] - 127.5) + sigma * eps[j];
  return x_t;
}

/** The same for coordinates of points, integers to be multiplied by a unit each. */
export function noisedPoints(x_0, x_0Unit, eps, epsUnit, abar, x_t) {
  const [signal, noise] = signalAndNoise(abar);
  const alpha = signal * x_0Unit;
  const sigma = noise * epsUnit;
  for (let j = 0; j < x_t.length; j++) x_t[j] = alpha * x_0[j] + sigma * eps[j];
  return x_t;
}

/** How many of the values fall into each of `bins` equal parts of -limit … limit. */
export function histogram(values, bins, limit) {
  const counts = new Float32Array(bins);
  const width = (2 * limit) / bins;
  for (const value of values) {
    if (value >= -limit && value < limit) counts[Math.floor((value + limit) / width)]++;
  }
  return counts;
}

/** The density of the standard normal distribution. */
export const normalDensity = (value) => Math.exp((-value * value) / 2) / Math.sqrt(2 * Math.PI);

/**
 * E[x_0 | x_t] for a mixture of Gaussians in the plane, and how probable each of them is: see
 * oracle.GaussianMixture, whose weights, means, variances and axes (as columns) these are.
 */
export function bestGuess({ weights, means, variances, axes }, x_t, alpha, sigma) {
  const logs = [];
  const guesses = weights.map((weight, n) => {
    const x_0 = [...means[n]];
    logs[n] = Math.log(weight);
    for (let e = 0; e < 2; e++) {
      const spread = alpha * alpha * variances[n][e] + sigma * sigma;
      const axis = [axes[n][0][e], axes[n][1][e]];
      const offset = (x_t[0] - alpha * means[n][0]) * axis[0] + (x_t[1] - alpha * means[n][1]) * axis[1];
      logs[n] -= (offset * offset) / spread / 2 + Math.log(spread) / 2;
      for (let i = 0; i < 2; i++) x_0[i] += ((alpha * variances[n][e] * offset) / spread) * axis[i];
    }
    return x_0;
  });
  const most = Math.max(...logs);
  const likely = logs.map((log) => Math.exp(log - most));
  const sum = likely.reduce((total, value) => total + value, 0);
  const shares = likely.map((value) => value / sum);
  const x_0 = [0, 1].map((i) => guesses.reduce((total, guess, n) => total + shares[n] * guess[i], 0));
  return { shares, x_0 };
}

/**
 * How well each clean point explains the marked x_t, beside the one that explains it best (1).
 * `points` are integers, x and y in turn, to be multiplied by `unit`; the answer is written into `fits`.
 */
export function explanations(points, unit, marked, alpha, sigma, fits) {
  let most = Number.NEGATIVE_INFINITY;
  for (let n = 0; n < fits.length; n++) {
    const right = marked[0] - alpha * unit * points[2 * n];
    const up = marked[1] - alpha * unit * points[2 * n + 1];
    fits[n] = -(right * right + up * up) / (2 * sigma * sigma + 1e-12);
    most = Math.max(most, fits[n]);
  }
  for (let n = 0; n < fits.length; n++) fits[n] = Math.exp(fits[n] - most);
  return fits;
}

/** A drawing moved by whole pixels so that its ink balances in the middle, as the digits of MNIST do. */
export function centred(ink, width, height) {
  let [sum, x, y] = [0, 0, 0];
  ink.forEach((value, n) => {
    sum += value;
    x += value * ((n % width) + 0.5);
    y += value * (Math.floor(n / width) + 0.5);
  });
  const right = sum ? Math.round(width / 2 - x / sum) : 0;
  const down = sum ? Math.round(height / 2 - y / sum) : 0;
  return Uint8Array.from(ink, (_, n) => {
    const column = (n % width) - right;
    const row = Math.floor(n / width) - down;
    return row >= 0 && row < height && column >= 0 && column < width ? ink[row * width + column] : 0;
  });
}

const REACH = 1.6; // of the pen, in pixels of the drawing

/** Draw a soft line into `ink`, from one place to another, both in pixels. */
export function stroke(ink, width, height, [fromX, fromY], [toX, toY]) {
  const steps = Math.ceil(4 * Math.hypot(toX - fromX, toY - fromY)) || 1;
  for (let n = 1; n <= steps; n++) {
    const x = fromX + ((toX - fromX) * n) / steps;
    const y = fromY + ((toY - fromY) * n) / steps;
    const [left, top] = [Math.floor(x) - 2, Math.floor(y) - 2];
    for (let i = Math.max(0, top); i <= Math.min(height - 1, top + 4); i++) {
      for (let j = Math.max(0, left); j <= Math.min(width - 1, left + 4); j++) {
        const dark = 255 * Math.min(1, Math.max(0, REACH - Math.hypot(j + 0.5 - x, i + 0.5 - y)));
        ink[i * width + j] = Math.max(ink[i * width + j], dark);
      }
    }
  }
}
