// A guess: what may be typed, and how it is kept.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Guesses, inItsWords, readNumber } from '../../diffusion_lab/widgets/static/guess.js';

const TIMES = { low: 0, high: 1000, step: 1 };

/** A browser's storage, in memory. */
function memory(texts = {}) {
  return {
    texts,
    getItem: (name) => texts[name] ?? null,
    setItem(name, text) {
      texts[name] = text;
    },
  };
}

test('a number is read as it was typed', () => {
  for (const [typed, value] of [
    ['430', 430],
    [' 0 ', 0],
    ['1000', 1000],
    ['+7', 7],
    ['12.0', 12],
  ]) {
    assert.deepEqual(readNumber(typed, TIMES), { value });
  }
  assert.deepEqual(readNumber('1.25', { low: 0, high: 5, step: 0.5 }), { value: 1.25 });
  assert.deepEqual(readNumber('-.5', { low: -1, high: 5, step: 0.5 }), { value: -0.5 });
});

test('what is no number is asked again in words', () => {
  const wanted = 'Type a whole number from 0 to 1000.';
  assert.equal(readNumber('  ', TIMES).trouble, wanted);
  for (const typed of ['many', '4x', '1e3', '1,000', '--2', '.', 'NaN', 'Infinity', '0x10']) {
    assert.equal(readNumber(typed, TIMES).trouble, `“${typed}” is no number. ${wanted}`);
  }
  assert.equal(readNumber('1001', TIMES).trouble, `1001 is out of range. ${wanted}`);
  assert.equal(readNumber('-1', TIMES).trouble, `-1 is out of range. ${wanted}`);
  assert.equal(readNumber('1.5', TIMES).trouble, `1.5 is no whole number. ${wanted}`);
  assert.match(readNumber('', { low: 0, high: 5, step: 0.5 }).trouble, /^Type a number from 0 to 5\.$/);
});

test('a guess is kept, and is there when the page is opened again', () => {
  const storage = memory();
  const first = new Guesses(() => storage);
  assert.equal(first.get('01'), null);
  const heard = [];
  first.listeners.add((key) => heard.push([key, first.get(key)]));
  first.note('01', 430);
  first.note('01', 0);
  first.note('02', 'cosine');
  assert.deepEqual(heard, [
    ['01', 430],
    ['01', 0],
    ['02', 'cosine'],
  ]);
  const again = new Guesses(() => storage);
  assert.deepEqual([again.get('01'), again.get('02'), again.get('03')], [0, 'cosine', null]);
});

test('where nothing can be kept, a guess lives as long as the page', () => {
  const forbidden = () => {
    throw new Error('SecurityError');
  };
  const full = { ...memory(), setItem: forbidden };
  for (const storage of [forbidden, () => full, () => null]) {
    const guesses = new Guesses(storage);
    assert.equal(guesses.get('01'), null);
    guesses.note('01', 5);
    assert.equal(guesses.get('01'), 5);
  }
});

test('what something else left in its place is no guess', () => {
  for (const text of ['', '{', 'null', '430', '{"value":null}', '{"value":{"a":1}}', '[]']) {
    const guesses = new Guesses(() => memory({ 'diffusion-lab guess 01': text }));
    assert.equal(guesses.get('01'), null, text);
  }
});

test('a value is said in the words of its guess', () => {
  assert.equal(inItsWords('t = {}', 430), 't = 430');
  assert.equal(inItsWords('{}', '$&'), '$&');
});
