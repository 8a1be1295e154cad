// What keys mean in a player, and on a canvas that follows the hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrowStep, commandOf, HELP, movedInside } from '../../diffusion_lab/widgets/static/keys.js';

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

test('keys are commands, in capitals or not', () => {
  const commands = [' ', ',', '.', 'r', 'R', 'l', 'v', 's', '?', 'Escape'].map((key) =>
    commandOf(key, 'range'),
  );
  assert.deepEqual(commands, [
    ...['play', 'back', 'forth', 'reset', 'reset', 'loop', 'speed', 'save', 'help', 'close'],
  ]);
  for (const key of ['a', 'Enter', 'ArrowLeft', 'Home', 'Tab', 'escape']) {
    assert.equal(commandOf(key, 'range'), null);
  }
});

test('what has the focus keeps the keys that it needs', () => {
  for (const key of [' ', '?', 'r', ',']) assert.equal(commandOf(key, 'text'), null);
  for (const focused of ['button', 'radio', 'canvas']) assert.equal(commandOf(' ', focused), null);
  assert.equal(commandOf('r', 'button'), 'reset');
  assert.equal(commandOf('?', 'canvas'), 'help');
});

test('the help tells of every command', () => {
  const told = new Set(HELP.flatMap(([keys]) => keys.split(' ')));
  for (const key of ['Space', ',', '.', 'R', 'L', 'V', 'P', 'S', 'C', '?']) {
    assert.ok(told.has(key), key);
    assert.ok(commandOf(key === 'Space' ? ' ' : key, 'range'), key);
  }
});
