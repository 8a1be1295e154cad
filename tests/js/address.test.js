// Links to what a player shows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashOf, placesOf, wishesOf } from '../../diffusion_lab/widgets/static/address.js';

const TIME = { label: 'time t', start: 0, count: 1001 };
const CURVE = { label: 'schedule', start: 0, values: ['linear', 'cosine'], names: true };
const LENGTH = { label: 'T', start: 0, values: ['10', '50', '200', '1000'], names: false };
const SHARE = { label: 'time t / T', start: 0, values: ['0.00', '0.50', '1.00'], names: false };
const ADDED = { label: 'add', start: 0, values: ['-1.5', '0', '1.5'], names: false };
const PROMPT = { label: 'prompt', start: 0, values: ['a red 7', 'größer, & blue'], names: true };

/** The places that a link means, or what is wrong with it. */
function led(hash, sliders) {
  const { places, troubles } = placesOf(wishesOf(hash).wishes, sliders);
  return troubles.length ? troubles : places;
}

test('a link names a slider by its label or by a word of it', () => {
  for (const name of ['t', 'time', 'time-t', 'time+t', 'Time-T', 'time%20t']) {
    assert.deepEqual(led(`#${name}=300`, [TIME, CURVE]), [[0, 300]], name);
  }
  assert.deepEqual(led('#t=300&schedule=cosine', [TIME, CURVE]), [
    [0, 300],
    [1, 1],
  ]);
  assert.deepEqual(led('#T=200&t=0.5', [SHARE, LENGTH]), [
    [1, 2],
    [0, 1],
  ]);
});

test('a number between two values means the nearest', () => {
  assert.deepEqual(led('#T=190', [LENGTH]), [[0, 2]]);
  assert.deepEqual(led('#t=12.6', [TIME]), [[0, 13]]);
  assert.deepEqual(led('#t=1e2', [TIME]), [[0, 100]]);
  assert.deepEqual(led('#t=000', [TIME]), [[0, 0]]);
});

test('what is out of range, or no number, is answered in words', () => {
  for (const value of ['1001', '-1', 'NaN', 'Infinity', 'abc', '', '%20', '3,5', '0x1G']) {
    const [trouble] = led(`#t=${value}`, [TIME]);
    assert.match(trouble, /^The link asks for t = .*, but time t goes from 0 to 1000\.$/, value);
  }
  const names = 'The link asks for schedule = circle, but schedule is one of: linear, cosine.';
  assert.deepEqual(led('#schedule=circle', [CURVE]), [names]);
  assert.deepEqual(led('#seed=4', [TIME, CURVE]), [
    'The link asks for seed = 4, but what can be moved here is: time t, schedule.',
  ]);
  assert.ok(led(`#t=${'9'.repeat(500)}`, [TIME])[0].length < 120);
});

test('what is possible is done, and the rest is said', () => {
  const { places, troubles } = placesOf(wishesOf('#t=300&seed=4').wishes, [TIME]);
  assert.deepEqual(places, [[0, 300]]);
  assert.equal(troubles.length, 1);
});

test('other addresses ask for nothing', () => {
  for (const hash of ['', '#', '#section-2', '#=3', '#a&b=c', '#%E0%A4%A'])
    assert.equal(wishesOf(hash), null);
  assert.deepEqual(wishesOf('#t=%E0%A4%A').wishes.length, 1); // half a letter is no reason to fail
});

test('a link leads back to where it was made', () => {
  const sliders = [TIME, CURVE, LENGTH, SHARE, PROMPT, ADDED];
  for (const places of [
    [0, 0, 0, 0, 0, 0],
    [300, 1, 3, 2, 1, 2],
  ]) {
    const hash = hashOf(sliders, places, 1);
    assert.ok(!hash.includes('player'), hash);
    assert.deepEqual(
      led(hash, sliders),
      places.map((place, a) => [a, place]),
      hash,
    );
  }
});

test('a link to another player than the first says which', () => {
  assert.equal(hashOf([TIME], [5], 2), '#player=2&time-t=5');
  assert.deepEqual(wishesOf('#player=2&t=5'), { player: '2', wishes: [['t', '5']] });
  assert.equal(wishesOf('#t=5').player, '1');
});
