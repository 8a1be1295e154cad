// The data of a player, and what is said where they are broken.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inWords, readSpec } from '../../diffusion_lab/widgets/static/spec.js';
import { BrokenData } from '../../diffusion_lab/widgets/static/unpack.js';

const whole = () => ({
  sliders: [{ label: 'time t', start: 0, count: 3 }],
  readouts: [{ name: 'signal', over: [0], values: [1, 2, 3] }],
  panels: [{ kind: 'noise', size: [10, 10] }],
});

/** The sentence that is said of data with a change. */
function said(change) {
  const spec = whole();
  change(spec);
  try {
    readSpec(JSON.stringify(spec));
  } catch (error) {
    return inWords(error, 'This player');
  }
  return '';
}

test('whole data are read as they are', () => {
  assert.deepEqual(readSpec(JSON.stringify(whole())), whole());
});

test('a player may have no read-outs', () => {
  const { readouts, ...rest } = whole();
  assert.equal(readouts.length, 1);
  assert.deepEqual(readSpec(JSON.stringify(rest)).readouts, []);
});

test('missing and damaged data are told apart', () => {
  for (const nothing of [undefined, '', '  \n']) {
    assert.throws(() => readSpec(nothing), { constructor: BrokenData, message: 'its data are missing' });
  }
  const text = JSON.stringify(whole());
  for (const damaged of [text.slice(0, -20), 'null,', '<html>']) {
    assert.throws(() => readSpec(damaged), { message: 'its data are cut short or damaged' });
  }
  assert.throws(() => readSpec('null'), { message: 'its sliders are missing' });
});

test('the part that is missing is named', () => {
  assert.match(
    said((spec) => delete spec.sliders),
    /its sliders are missing/,
  );
  assert.match(
    said((spec) => (spec.sliders = [])),
    /its sliders are missing/,
  );
  assert.match(
    said((spec) => delete spec.panels),
    /its pictures are missing/,
  );
  assert.match(
    said((spec) => delete spec.sliders[0].count),
    /the values of its slider time t are missing/,
  );
  assert.match(
    said((spec) => (spec.sliders[0].values = [])),
    /the values of its slider time t are missing/,
  );
  for (const start of [3, -1, undefined]) {
    assert.match(
      said((spec) => (spec.sliders[0].start = start)),
      /time t begins outside of its values/,
    );
  }
  assert.equal(
    said(() => {}),
    '',
  );
});

test('a sentence says what, why, and what helps', () => {
  assert.equal(
    inWords(new BrokenData('the noise is missing'), 'This picture'),
    'This picture cannot be shown: the noise is missing. Running the cell again makes it anew.',
  );
  assert.match(inWords(new TypeError('x is undefined'), 'This picture'), /: its data are damaged\./);
});
