// What keys do on a canvas that follows the hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrowStep, movedInside } from '../../diffusion_lab/widgets/static/keys.js';

test('arrow keys move right, left, up and down on a page, where down is more', () => {
  const steps = ['ArrowRight', 'ArrowLeft', 'ArrowUp', 'ArrowDown'].map((key) => arrowStep(key));
  assert.deepEqual(steps, [
    [1, 0],
    [-1, 0],
    [0, -1],
    [0, 1],
  ]);
  assert.deepEqual(arrowStep('ArrowDown', 6), [0, 6]);
});

test('other keys move nothing', () => {
  for (const key of ['a', 'Enter', ' ', 'Tab', 'toString']) assert.equal(arrowStep(key), null);
});

test('the pen stays on its sheet', () => {
  assert.deepEqual(movedInside([14, 14], [1, 0], 28, 28), [15, 14]);
  assert.deepEqual(movedInside([0, 28], [-1, 1], 28, 28), [0, 28]);
});
