// Playing through the values of the first slider.

const MOST_FRAMES = 150; // of one play through a slider, at the usual speed
const SECONDS = 4; // that it takes
const LONGEST = 800; // milliseconds that a frame stays, at most
const SHORTEST = 33;
const SLOW_FRAMES = 10; // for who asked the system for less motion

/** How many times the usual speed there is, in the order in which its button goes through them. */
export const SPEEDS = [1, 2, 4, 0.5];

/** How a slider with so many places is played: `stride` places every `interval` milliseconds. */
export function pace(count, slow, speed = 1) {
  if (slow) return { stride: Math.max(1, Math.ceil((count - 1) / SLOW_FRAMES)), interval: LONGEST / speed };
  const usual = Math.min(LONGEST, Math.max(SHORTEST, (1000 * SECONDS) / count));
  const rate = (Math.max(1, Math.round(count / MOST_FRAMES)) / usual) * speed; // places in a millisecond
  const stride = Math.max(1, Math.round(rate * SHORTEST));
  return { stride, interval: stride / rate };
}

/** The place `stride` further on, or back if it is negative, among the kept ones if only some are; ends are ends. */
export function nextPlace(from, stride, count, kept = null) {
  if (!kept) return Math.min(count - 1, Math.max(0, from + stride));
  const further = stride > 0 ? kept.find((place) => place > from) : kept.findLast((place) => place < from);
  return further ?? from;
}

/**
 * Plays a slider. `slider` has `place()`, `count`, `kept()` (the places that there are, null for all), `played()` (those of
 * them that are played, null for all), `go(place)`, `isReady()` (false
 * while a picture is awaited), `isGone()` (from the page) and `changed()`, which hears of every change of state.
 */
export class Playback {
  constructor(slider, { slow = false, clock = globalThis } = {}) {
    Object.assign(this, { slider, slow, clock, isLooping: false, speed: SPEEDS[0], timer: null });
  }

  get isPlaying() {
    return this.timer !== null;
  }

  get #last() {
    return this.slider.played()?.at(-1) ?? this.slider.count - 1;
  }

  get #first() {
    return this.slider.played()?.[0] ?? 0;
  }

  /** Play, from the beginning if it stands at the end; or pause. */
  toggle() {
    if (this.isPlaying) return this.pause();
    if (this.slider.place() >= this.#last) this.slider.go(this.#first);
    this.#run();
    this.slider.changed();
  }

  #run() {
    const { stride, interval } = pace(
      this.slider.played()?.length ?? this.slider.count,
      this.slow,
      this.speed,
    );
    this.timer = this.clock.setInterval(() => this.#advance(stride), interval);
  }

  #advance(stride) {
    const { slider } = this;
    if (slider.isGone()) return this.pause();
    if (!slider.isReady()) return; // until the kernel has drawn it
    const isAtTheEnd = slider.place() >= this.#last;
    if (!isAtTheEnd) slider.go(nextPlace(slider.place(), stride, slider.count, slider.played()));
    else if (this.isLooping) slider.go(this.#first);
    if (!this.isLooping && slider.place() >= this.#last) this.pause(); // at once: a hand may move it away again
  }

  pause() {
    this.clock.clearInterval(this.timer);
    this.timer = null;
    this.slider.changed();
  }

  /** Go on by one value, or back by one (-1). */
  step(direction) {
    if (this.isPlaying) this.pause();
    const { slider } = this;
    slider.go(nextPlace(slider.place(), direction, slider.count, slider.kept()));
  }

  /** Begin again at the end, or no longer. */
  toggleLoop() {
    this.isLooping = !this.isLooping;
    this.slider.changed();
  }

  nextSpeed() {
    this.speed = SPEEDS[(SPEEDS.indexOf(this.speed) + 1) % SPEEDS.length];
    if (this.isPlaying) {
      this.clock.clearInterval(this.timer);
      this.#run();
    }
    this.slider.changed();
  }
}
