// Where sliders stand, the entries of tables, and how a film is played.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestKept, nextPlace, Positions, pace } from '../../diffusion_lab/widgets/static/positions.js';

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

test('a film of any length takes about four seconds, and no frame stays over 0.8', () => {
  for (const count of [30, 81, 151, 1001]) {
    const { stride, interval } = pace(count, false);
    const seconds = ((count / stride) * interval) / 1000;
    assert.ok(seconds > 3 && seconds < 6, `${count} places: ${seconds} s`);
    assert.ok(interval >= 33);
  }
  assert.deepEqual(pace(2, false), { stride: 1, interval: 800 });
});

test('for who wants less motion a film has ten frames, of 0.8 seconds each', () => {
  assert.deepEqual(pace(1001, true), { stride: 100, interval: 800 });
  assert.deepEqual(pace(5, true), { stride: 1, interval: 800 });
  assert.deepEqual(pace(1, true), { stride: 1, interval: 800 });
});

test('a film ends at its last place, and goes over the kept ones if only some are', () => {
  assert.equal(nextPlace(0, 7, 1001), 7);
  assert.equal(nextPlace(998, 7, 1001), 1000);
  assert.equal(nextPlace(0, 7, 11, [0, 5, 10]), 5);
  assert.equal(nextPlace(5, 7, 11, [0, 5, 8]), 8);
  assert.equal(nextPlace(8, 7, 11, [0, 5, 8]), 10);
});
