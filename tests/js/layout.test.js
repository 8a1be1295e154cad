// Where panels stand, and what a width is called.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inRows, roomName } from '../../diffusion_lab/widgets/static/layout.js';

const rows = (...widths) => inRows(widths, (width) => width);

test('three panels of a scrubber stand in one row', () => {
  assert.deepEqual(rows(354, 230, 230), [[354, 230, 230]]);
  assert.deepEqual(rows(252, 246, 220), [[252, 246, 220]]);
});

test('a plot stands below pictures that fill the row', () => {
  assert.deepEqual(rows(740, 340), [[740], [340]]);
  assert.deepEqual(rows(740, 220), [[740], [220]]);
});

test('a panel that is wider than any row has one of its own', () => {
  assert.deepEqual(rows(2000, 100, 100), [[2000], [100, 100]]);
  assert.deepEqual(rows(), []);
});

test('a player is wide on a desk, in the middle in a narrow JupyterLab, narrow on a phone', () => {
  assert.deepEqual([760, 641, 640, 500, 470, 358].map(roomName), [
    ...['wide', 'wide', 'middle', 'middle', 'narrow', 'narrow'],
  ]);
  assert.equal(roomName(0), 'wide');
});
