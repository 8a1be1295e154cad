// Where the numbers of axes stand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  frameOf,
  placeTicks,
  planeOf,
  roomOf,
  signed,
  ticks,
} from '../../diffusion_lab/widgets/static/axes.js';
import { Positions } from '../../diffusion_lab/widgets/static/positions.js';

test('ticks are round numbers inside the range', () => {
  assert.deepEqual(ticks(0, 1, 3), [0, 0.5, 1]);
  assert.deepEqual(ticks(0, 1, 6), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks(0, 1000, 6), [0, 200, 400, 600, 800, 1000]);
  assert.deepEqual(ticks(-4, 4, 5), [-4, -2, 0, 2, 4]);
  assert.deepEqual(ticks(-3, 3, 4), [-2, 0, 2]);
  assert.deepEqual(ticks(-4, 4, 4), [-4, 0, 4]);
  assert.deepEqual(ticks(0, 0.8, 3), [0, 0.4, 0.8]);
  assert.deepEqual(ticks(0.0312, 0.0449, 4), [0.032, 0.036, 0.04, 0.044]);
});

test('there are never more ticks than there is room for, and steps are 1, 2, 4 or 5', () => {
  for (const [low, high] of [
    [0, 1],
    [-3, 3],
    [0.031, 0.045],
    [1, 1e6],
    [-0.1, 2.3],
  ]) {
    for (let most = 2; most <= 8; most++) {
      const found = ticks(low, high, most);
      assert.ok(found.length <= most, `${low} … ${high}: ${found}`);
      assert.ok(found.every((value) => value >= low - 1e-9 && value <= high + 1e-9));
      if (found.length < 2) continue;
      const step = found[1] - found[0];
      const lead = step / 10 ** Math.floor(Math.log10(step) + 1e-9);
      assert.ok(
        [1, 2, 4, 5, 10].some((factor) => Math.abs(lead - factor) < 1e-6),
        `${low} … ${high}: ${step}`,
      );
    }
  }
});

test('a range of nothing has one tick', () => {
  assert.deepEqual(ticks(2, 2, 5), [2]);
});

const slider = (values) => new Positions([{ label: 'x', start: 0, ...values }]);

test('a slider of times has round times', () => {
  assert.deepEqual(placeTicks(slider({ count: 1001 }), 0, 3), [
    { place: 0, text: '0' },
    { place: 500, text: '500' },
    { place: 1000, text: '1000' },
  ]);
  const shares = Array.from({ length: 51 }, (_, k) => (k / 50).toFixed(2));
  assert.deepEqual(placeTicks(slider({ values: shares }), 0, 3), [
    { place: 0, text: '0' },
    { place: 25, text: '0.5' },
    { place: 50, text: '1' },
  ]);
});

test('values that are not evenly spaced stand where they are, as they are', () => {
  const steps = slider({ values: ['1', '5', '100', '1000', '5000'] });
  assert.deepEqual(placeTicks(steps, 0, 3), [
    { place: 0, text: '1' },
    { place: 2, text: '100' },
    { place: 4, text: '5000' },
  ]);
  assert.deepEqual(
    placeTicks(slider({ values: ['down', 'up'] }), 0, 6).map(({ text }) => text),
    ['down', 'up'],
  );
});

test('a plane is a square, and a place on it is found again', () => {
  const plane = planeOf([260, 254], 3);
  const { left, right, top, bottom } = plane.frame;
  assert.equal(right - left, bottom - top);
  assert.deepEqual([plane.x(-3), plane.x(3), plane.y(3), plane.y(-3)], [left, right, top, bottom]);
  assert.ok(left > 0 && top > 0 && right < 260 && bottom < 254);
  const [x, y] = plane.place(plane.x(1.25), plane.y(-2.5));
  assert.ok(Math.abs(x - 1.25) + Math.abs(y + 2.5) < 1e-9);
});

test('a frame leaves room for its numbers, and small ones have few', () => {
  const frame = frameOf([230, 170]);
  assert.ok(frame.left >= 22 && 170 - frame.bottom >= 26);
  assert.ok(frameOf([230, 170], 40).left > 46);
  assert.ok(roomOf(frame).across >= 5);
  assert.deepEqual(roomOf(frameOf([80, 60])), { across: 2, up: 2 });
});

test('a negative number has a minus, not a hyphen', () => {
  assert.deepEqual([signed(-2), signed(0.5)], ['−2', '0.5']);
});
