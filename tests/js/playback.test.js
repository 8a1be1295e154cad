// Playing a slider, with a clock that is wound by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextPlace, Playback, pace, SPEEDS } from '../../diffusion_lab/widgets/static/playback.js';

test('a play of any length takes about four seconds, and no frame stays over 0.8', () => {
  for (const count of [30, 81, 151, 1001]) {
    const { stride, interval } = pace(count, false);
    const seconds = ((count / stride) * interval) / 1000;
    assert.ok(seconds > 3 && seconds < 6, `${count} places: ${seconds} s`);
    assert.ok(interval >= 33);
  }
  assert.deepEqual(pace(2, false), { stride: 1, interval: 800 });
  assert.deepEqual(pace(1001, false), { stride: 7, interval: 33 });
});

test('another speed is as many times as fast, and asks for no more than 33 frames a second', () => {
  for (const count of [5, 30, 81, 1001]) {
    const usual = pace(count, false);
    for (const speed of SPEEDS) {
      const { stride, interval } = pace(count, false, speed);
      const times = stride / interval / (usual.stride / usual.interval);
      assert.ok(Math.abs(times - speed) < 1e-9, `${count} places at ${speed}: ${times}`);
      assert.ok(interval > 20, `${count} places at ${speed}: a frame each ${interval} ms`);
      assert.ok(Number.isInteger(stride) && stride >= 1);
    }
  }
});

test('for who wants less motion a play has ten frames, of 0.8 seconds each', () => {
  assert.deepEqual(pace(1001, true), { stride: 100, interval: 800 });
  assert.deepEqual(pace(5, true), { stride: 1, interval: 800 });
  assert.deepEqual(pace(1, true), { stride: 1, interval: 800 });
});

test('the next place is further on or back, and the ends are ends', () => {
  assert.equal(nextPlace(0, 7, 1001), 7);
  assert.equal(nextPlace(998, 7, 1001), 1000);
  assert.equal(nextPlace(1000, 1, 1001), 1000);
  assert.equal(nextPlace(0, -1, 1001), 0);
  assert.equal(nextPlace(5, -1, 1001), 4);
});

test('where only some places are kept, the next one is the next of these', () => {
  const kept = [0, 5, 8];
  assert.deepEqual(
    [0, 5, 8].map((place) => nextPlace(place, 7, 11, kept)),
    [5, 8, 8],
  );
  assert.deepEqual(
    [0, 5, 8].map((place) => nextPlace(place, -1, 11, kept)),
    [0, 0, 5],
  );
});

/** A slider that notes where it goes, played on a clock that is wound by hand. */
function filmOf({ count = 5, place = 0, kept = null, played = kept } = {}) {
  const film = {
    places: [],
    isReady: true,
    isGone: false,
    changes: 0,
    tick: null,
    interval: null,
    cleared: 0,
  };
  const slider = {
    count,
    place: () => place,
    kept: () => kept,
    played: () => played,
    isReady: () => film.isReady,
    isGone: () => film.isGone,
    changed: () => film.changes++,
    go(to) {
      place = to;
      film.places.push(to);
    },
  };
  const clock = {
    setInterval: (tick, interval) => Object.assign(film, { tick, interval }) && 1,
    clearInterval: () => film.cleared++,
  };
  film.playback = new Playback(slider, { clock });
  film.wind = (times) => {
    for (let n = 0; n < times && film.playback.isPlaying; n++) film.tick();
  };
  return film;
}

test('it plays to the last value, and stops there', () => {
  const film = filmOf();
  film.playback.toggle();
  assert.ok(film.playback.isPlaying);
  film.wind(20);
  assert.deepEqual(film.places, [1, 2, 3, 4]);
  assert.ok(!film.playback.isPlaying);
});

test('it has stopped as soon as it stands at the end, so that a hand can take it away again', () => {
  const film = filmOf({ count: 3 });
  film.playback.toggle();
  film.wind(2);
  assert.deepEqual(film.places, [1, 2]);
  assert.ok(!film.playback.isPlaying);
});

test('at the end it plays from the beginning', () => {
  const film = filmOf({ place: 4 });
  film.playback.toggle();
  assert.deepEqual(film.places, [0]);
});

test('pressed again it pauses, and goes on from there', () => {
  const film = filmOf();
  film.playback.toggle();
  film.wind(2);
  film.playback.toggle();
  assert.ok(!film.playback.isPlaying);
  film.playback.toggle();
  film.wind(1);
  assert.deepEqual(film.places, [1, 2, 3]);
});

test('in a loop it begins again', () => {
  const film = filmOf({ count: 3 });
  film.playback.toggleLoop();
  film.playback.toggle();
  film.wind(6);
  assert.deepEqual(film.places, [1, 2, 0, 1, 2, 0]);
  assert.ok(film.playback.isPlaying);
});

test('with no kernel it goes over the kept places and stops at the last of them', () => {
  const film = filmOf({ count: 100, place: 3, kept: [3, 40, 90] });
  film.playback.toggle();
  film.wind(20);
  assert.deepEqual(film.places, [40, 90]);
  assert.ok(!film.playback.isPlaying);
  film.playback.toggle();
  assert.equal(film.places.at(-1), 3);
});

test('with a kernel it plays what is drawn, and a step goes to what is not', () => {
  const film = filmOf({ count: 100, place: 3, kept: null, played: [3, 40, 90] });
  film.playback.toggle();
  film.wind(20);
  assert.deepEqual(film.places, [40, 90]);
  film.playback.step(-1);
  assert.equal(film.places.at(-1), 89);
});

test('it waits for a picture that the kernel is drawing', () => {
  const film = filmOf();
  film.playback.toggle();
  film.isReady = false;
  film.wind(5);
  assert.deepEqual(film.places, []);
  film.isReady = true;
  film.wind(1);
  assert.deepEqual(film.places, [1]);
});

test('it ends when the player has gone from the page', () => {
  const film = filmOf();
  film.playback.toggle();
  film.isGone = true;
  film.wind(1);
  assert.ok(!film.playback.isPlaying);
  assert.deepEqual(film.places, []);
});

test('a step pauses and moves by one value, on or back', () => {
  const film = filmOf({ place: 2 });
  film.playback.toggle();
  film.playback.step(1);
  assert.ok(!film.playback.isPlaying);
  film.playback.step(-1);
  film.playback.step(-1);
  film.playback.step(-1);
  film.playback.step(-1);
  assert.deepEqual(film.places, [3, 2, 1, 0, 0]);
});

test('the button for the speed goes round, and changes a play that is running', () => {
  const film = filmOf({ count: 20 });
  film.playback.toggle();
  const before = film.interval;
  film.playback.nextSpeed();
  assert.equal(film.playback.speed, 2);
  assert.equal(film.interval, before / 2);
  assert.ok(film.playback.isPlaying);
  const speeds = SPEEDS.map(() => {
    film.playback.nextSpeed();
    return film.playback.speed;
  });
  assert.deepEqual(speeds, [4, 0.5, 1, 2]);
});

test('every change of state is told', () => {
  const film = filmOf();
  film.playback.toggle();
  film.playback.toggleLoop();
  film.playback.nextSpeed();
  film.playback.toggle();
  assert.equal(film.changes, 4);
});
