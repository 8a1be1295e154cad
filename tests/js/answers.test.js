// What a kernel answers, and to which drawing it belongs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Answers, PATIENCE, statusOf } from '../../diffusion_lab/widgets/static/answers.js';

function made(asks = 'Run the cell.') {
  const added = [];
  const frames = {
    kind: 'frames',
    asked: true,
    index: [0, 1],
    add: (place, png) => added.push([place, png]),
  };
  const readout = { name: 'read as', asked: true, values: ['seven', 'one'] };
  const noise = { kind: 'noise' };
  return {
    added,
    frames,
    readout,
    answers: new Answers({ asks, panels: [noise, frames], readouts: [readout] }),
  };
}

test('an answer is entered where it belongs', () => {
  const { answers, added, readout } = made();
  const fresh = answers.fill({ version: 0, place: 1, panels: { 1: 'a picture' }, readouts: { 0: 'nine' } });
  assert.ok(fresh);
  assert.deepEqual(added, [[1, 'a picture']]);
  assert.deepEqual(readout.values, ['seven', 'nine']);
});

test('an answer to an older drawing is dropped', () => {
  const { answers, added, readout } = made();
  answers.restart(false);
  assert.equal(answers.fill({ version: 0, place: 0, panels: { 1: 'old' }, readouts: { 0: 'old' } }), false);
  assert.deepEqual(added, []);
  assert.equal(readout.values[0], undefined);
});

test('a new drawing has no answers, and the example has those that it came with', () => {
  const { answers, frames, readout } = made();
  answers.restart(false);
  assert.deepEqual([frames.index, readout.values], [{}, {}]);
  answers.restart(true);
  assert.deepEqual(
    [{ ...frames.index }, { ...readout.values }],
    [
      { 0: 0, 1: 1 },
      { 0: 'seven', 1: 'one' },
    ],
  );
});

test('what is entered for a drawing does not reach the example', () => {
  const { answers, readout } = made();
  answers.restart(false, 1000);
  answers.fill({ version: 1001, place: 0, readouts: { 0: 'four' } });
  assert.equal(readout.values[0], 'four');
  answers.restart(true);
  assert.equal(readout.values[0], 'seven');
});

test('versions never come twice, not even after the page was opened again', () => {
  const { answers } = made();
  assert.equal(answers.version, 0);
  answers.restart(false, 1000);
  answers.restart(false, 1000);
  assert.equal(answers.version, 1002);
  answers.restart(true);
  assert.equal(answers.version, 0);
  answers.restart(false, 2000);
  assert.equal(answers.version, 2001);
});

test('an error is kept for its place until there is a picture or a new drawing', () => {
  const { answers } = made();
  answers.fill({ version: 0, place: 1, error: 'no grey' });
  assert.deepEqual([answers.error(0), answers.error(1)], [undefined, 'no grey']);
  answers.fill({ version: 0, place: 1 });
  assert.equal(answers.error(1), undefined);
  answers.fill({ version: 0, place: 1, error: 'no grey' });
  answers.restart(false);
  assert.equal(answers.error(1), undefined);
});

test('where no kernel is asked, nothing is taken away', () => {
  const { answers, frames } = made('');
  answers.restart(false);
  assert.deepEqual(frames.index, [0, 1]);
});

test('what is said while something is missing', () => {
  const asks = 'Run the cell.';
  const here = { waits: true, isLive: true, isWorking: false, waited: 0, asks, hasOnlySome: true };
  const busy = /^The kernel is busy with another cell\./;
  assert.equal(statusOf({ ...here, waits: false }), '');
  assert.equal(statusOf({ ...here, waits: false, isLive: false }), asks);
  assert.equal(statusOf({ ...here, waits: false, isLive: false, hasOnlySome: false }), '');
  assert.equal(statusOf({ ...here, isLive: false }), asks);
  assert.equal(statusOf(here), 'computing …');
  assert.match(statusOf({ ...here, waited: PATIENCE }), busy);
  assert.equal(statusOf({ ...here, waited: 60_000, isWorking: true }), 'computing …');
  assert.equal(statusOf({ ...here, waited: 60_000, error: 'no grey' }), 'no grey');
});
