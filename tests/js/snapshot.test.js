// The parts of a saved picture that need no page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileName, wrapped } from '../../diffusion_lab/widgets/static/snapshot.js';

const letters = (text) => text.length; // every letter is one wide

test('text is wrapped between words', () => {
  assert.deepEqual(wrapped('one two three four', 9, letters), ['one two', 'three', 'four']);
  assert.deepEqual(wrapped('one two three four', 100, letters), ['one two three four']);
  assert.deepEqual(wrapped('', 9, letters), []);
  assert.deepEqual(wrapped('   ', 9, letters), []);
  assert.deepEqual(wrapped('one t\u00a0=\u00a0T', 6, letters), ['one', 't\u00a0=\u00a0T']);
});

test('a word that is too wide has a line of its own', () => {
  assert.deepEqual(wrapped('a classifier-free b', 6, letters), ['a', 'classifier-free', 'b']);
});

test('no word is lost and no line too long', () => {
  const text = 'what the clean picture and the noise are multiplied by before they are added';
  for (let width = 10; width < 40; width++) {
    const lines = wrapped(text, width, letters);
    assert.equal(lines.join(' '), text);
    assert.ok(lines.every((line) => line.length <= width));
  }
});

test('a file is named after where the sliders stand', () => {
  assert.equal(fileName('time t 300'), 'time-t-300.png');
  assert.equal(
    fileName('time t / T 0.50, schedule cosine, T 1000'),
    'time-t-t-0.50_schedule-cosine_t-1000.png',
  );
});

test('a name is one that every system takes', () => {
  assert.equal(fileName('ᾱ ../../etc: "x"'), 'etc-x.png');
  assert.equal(fileName('…'), 'player.png');
  assert.ok(fileName('a very long prompt '.repeat(30)).length <= 84);
});
