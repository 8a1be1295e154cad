// The mathematics of the panels against numbers worked out elsewhere.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bestGuess,
  centred,
  explanations,
  histogram,
  noisedPictures,
  noisedPoints,
  normalDensity,
  signalAndNoise,
  stroke,
} from '../../diffusion_lab/widgets/static/formulas.js';

function near(values, wanted, tolerance = 1e-6) {
  assert.equal(values.length, wanted.length);
  [...values].forEach((value, n) => {
    assert.ok(Math.abs(value - wanted[n]) <= tolerance, `${[...values]} is not ${wanted}`);
  });
}

test('signal and noise are the roots of abar and of what is left', () => {
  near(signalAndNoise(1), [1, 0]);
  near(signalAndNoise(0), [0, 1]);
  near(signalAndNoise(0.64), [0.8, 0.6]);
});

test('a noised picture is 0.8 of the picture and 0.6 of the noise where abar is 0.64', () => {
  const x_0 = [0, 127.5, 255]; // bytes for -1, 0, 1
  const eps = [10_000, -10_000, 20_000]; // times 0.0001: 1, -1, 2
  const noised = (abar) => noisedPictures(x_0, eps, 1e-4, abar, new Float32Array(3));
  near(noised(0.64), [-0.8 + 0.6, -0.6, 0.8 + 1.2]);
  near(noised(1), [-1, 0, 1]);
  near(noised(0), [1, -1, 2]);
});

test('points are noised in the same way, with a unit of their own', () => {
  const noised = noisedPoints([1, -2], 0.5, [3, 4], 0.1, 0.64, new Float32Array(2));
  near(noised, [0.8 * 0.5 + 0.6 * 0.3, -0.8 + 0.6 * 0.4]);
});

test('a histogram counts each value once, and none beyond its ends', () => {
  const counts = histogram([-4, -3.9, 0, 0.1, 3.99, 4, -4.01, 17], 4, 4);
  assert.deepEqual([...counts], [2, 0, 2, 1]);
});

test('the normal density is 0.3989 in the middle and integrates to one', () => {
  near([normalDensity(0), normalDensity(1), normalDensity(-1)], [0.39894228, 0.24197072, 0.24197072]);
  let sum = 0;
  for (let n = -800; n <= 800; n++) sum += normalDensity(n / 100) / 100;
  near([sum], [1]);
});

const TWO = {
  weights: [0.25, 0.75],
  means: [
    [2, 0],
    [-2, 0],
  ],
  variances: [
    [1, 1],
    [1, 1],
  ],
  axes: [
    [
      [1, 0],
      [0, 1],
    ],
    [
      [1, 0],
      [0, 1],
    ],
  ],
};

test('the best guess with one Gaussian is linear in x_t', () => {
  // variance 4 along the first axis, 1 along the second: x_0 = m + a v (x_t - a m) / (a² v + s²)
  const one = { weights: [1], means: [[1, -1]], variances: [[4, 1]], axes: [TWO.axes[0]] };
  const { x_0, shares } = bestGuess(one, [3, 0], 0.8, 0.6);
  near(shares, [1]);
  near(x_0, [1 + (0.8 * 4 * (3 - 0.8)) / (0.64 * 4 + 0.36), -1 + (0.8 * 0.8) / 1]);
});

test('axes are columns: a Gaussian that is turned is guessed along its own axes', () => {
  // axes turned by 90 degrees: the variance of 4 now lies along the second coordinate
  const turned = [
    [0, -1],
    [1, 0],
  ];
  const one = { weights: [1], means: [[0, 0]], variances: [[4, 1]], axes: [turned] };
  near(bestGuess(one, [1, 1], 0.8, 0.6).x_0, [0.8 / (0.64 + 0.36), 3.2 / (2.56 + 0.36)]);
});

test('with two Gaussians the guess lies between theirs, by their probabilities', () => {
  const [alpha, sigma] = [0.8, 0.6]; // spread: 0.64 + 0.36 = 1
  near(bestGuess(TWO, [0, 0], alpha, sigma).shares, [0.25, 0.75]); // halfway, only the weights decide
  // at x: log odds are log(1/3) + ((x + 1.6)² - (x - 1.6)²) / 2 = log(1/3) + 3.2 x
  const odds = Math.exp(3.2 * 0.5) / 3;
  const { shares, x_0 } = bestGuess(TWO, [0.5, 0], alpha, sigma);
  near(shares, [odds / (1 + odds), 1 / (1 + odds)]);
  const guesses = [2 + 0.8 * (0.5 - 1.6), -2 + 0.8 * (0.5 + 1.6)];
  near(x_0, [shares[0] * guesses[0] + shares[1] * guesses[1], 0]);
});

test('far from every Gaussian the shares are still numbers', () => {
  const { shares, x_0 } = bestGuess(TWO, [80, 80], 1, 0.01);
  assert.ok([...shares, ...x_0].every(Number.isFinite));
});

test('the point that explains x_t best has 1, one that is a noise away exp(-1/2)', () => {
  const fits = explanations([0, 0, 6, 0], 0.1, [0, 0], 1, 0.6, new Float32Array(2));
  near(fits, [1, Math.exp(-0.5)]);
});

test('with no noise only the point itself explains x_t', () => {
  near(explanations([10, 0, 11, 0], 0.1, [1.1, 0], 1, 0, new Float32Array(2)), [0, 1]);
});

test('a drawing is moved so that its ink balances in the middle', () => {
  const ink = new Float32Array(6 * 4);
  ink[0] = 200; // row 0, column 0 of 4 rows and 6 columns
  const moved = centred(ink, 6, 4);
  assert.equal(
    moved.reduce((sum, value) => sum + value),
    200,
  );
  const at = moved.indexOf(200);
  assert.deepEqual([at % 6, Math.floor(at / 6)], [3, 2]);
  assert.deepEqual([...centred(new Float32Array(4), 2, 2)], [0, 0, 0, 0]);
});

test('what is moved over the edge is gone, not on the other side', () => {
  const ink = new Float32Array(9);
  ink.set([255, 1, 0, 255, 1, 0, 255, 1, 0]);
  const moved = centred(ink, 3, 3); // by one column to the right
  assert.deepEqual([...moved], [0, 255, 1, 0, 255, 1, 0, 255, 1]);
});

test('a stroke is dark along its way and leaves the rest clean', () => {
  const ink = new Float32Array(12 * 12);
  stroke(ink, 12, 12, [2.5, 5.5], [9.5, 5.5]);
  for (let x = 2; x <= 9; x++) assert.equal(ink[5 * 12 + x], 255);
  assert.ok(ink.every((value, n) => value === 0 || Math.abs(Math.floor(n / 12) - 5) <= 2));
  assert.equal(ink[5 * 12 + 0], 0);
});

test('a stroke may leave the sheet', () => {
  const ink = new Float32Array(16);
  stroke(ink, 4, 4, [-3, -3], [20, 20]);
  assert.ok([0, 5, 10, 15].every((n) => ink[n] === 255));
});
