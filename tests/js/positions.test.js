// Where sliders stand, and the entries of tables that belong to that.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestKept, Positions } from '../../diffusion_lab/widgets/static/positions.js';

const made = () =>
  new Positions([
    { label: 'time t', start: 2, count: 4 },
    { label: 'schedule', start: 0, values: ['linear', 'cosine'], names: true },
    { label: 'T', start: 2, values: ['10', '50', '200'] },
  ]);

test('sliders begin at their start and have as many places as values', () => {
  const positions = made();
  assert.deepEqual(positions.places, [2, 0, 2]);
  assert.deepEqual(positions.counts, [4, 2, 3]);
});

test('in a table the last slider runs fastest', () => {
  const positions = made();
  const values = [];
  for (const t of [0, 1, 2, 3]) {
    for (const schedule of ['linear', 'cosine']) for (const T of [10, 50, 200]) values.push([t, schedule, T]);
  }
  const table = { over: [0, 1, 2], values };
  assert.deepEqual(positions.look(table), [2, 'linear', 200]);
  positions.places.splice(0, 3, 3, 1, 0);
  assert.deepEqual(positions.look(table), [3, 'cosine', 10]);
  assert.equal(
    positions.index(),
    values.findIndex((entry) => `${entry}` === '3,cosine,10'),
  );
});

test('a table may follow some of the sliders, in an order of its own, or none', () => {
  const positions = made();
  const values = ['10 linear', '10 cosine', '50 linear', '50 cosine', '200 linear', '200 cosine'];
  assert.equal(positions.look({ over: [2, 1], values }), '200 linear');
  assert.equal(positions.look({ over: [], values: ['always'] }), 'always');
});

test('what a table lacks is undefined', () => {
  assert.equal(made().look({ over: [0], values: { 1: 'drawn' } }), undefined);
});

test('places are told as text, counted from 0 where there are no values', () => {
  const positions = made();
  assert.deepEqual([positions.text(0), positions.text(1), positions.text(2, 0)], ['2', 'linear', '10']);
  assert.equal(positions.summary, 'time t 2, schedule linear, T 200');
});

test('with no kernel a slider goes to the nearest place that is kept', () => {
  const kept = [0, 4, 20];
  assert.equal(nearestKept(kept, 0, 3), 4);
  assert.equal(nearestKept(kept, 20, 11), 4);
  assert.equal(nearestKept(kept, 4, 400), 20);
});

test('a key goes on to the next place that is kept, and stays at the end', () => {
  const kept = [0, 4, 20];
  assert.equal(nearestKept(kept, 0, 1), 4);
  assert.equal(nearestKept(kept, 4, 5), 20);
  assert.equal(nearestKept(kept, 20, 19), 4);
  assert.equal(nearestKept(kept, 20, 21), 20);
});

test('a number that a table lacks is named, with where the sliders stand', () => {
  const positions = made();
  const table = { over: [0], values: [0.1, 0.2, 0.3] };
  assert.equal(positions.number(table, 'the noise level'), 0.3);
  positions.places[0] = 3;
  const message = /^the noise level for time t 3, schedule linear, T 200 is missing$/;
  for (const lacking of [table, undefined, { over: [0], values: [1, 2, 3, '4'] }]) {
    assert.throws(() => positions.number(lacking, 'the noise level'), { message });
  }
});
