// Where the sliders of a player stand, and which entry of a table belongs to that.
//
// What depends on the sliders is a table {over, values}: `over` lists sliders, `values` has one entry per combination
// of where these stand, the last one running fastest. Of pictures that a kernel draws when they are asked for,
// `values` has only those that are there.

import { BrokenData } from './unpack.js';

export class Positions {
  /** `sliders` are {label, start, count} or {label, start, values}, as player.py writes them. */
  constructor(sliders) {
    this.sliders = sliders;
    this.places = sliders.map((slider) => slider.start);
    this.counts = sliders.map((slider) => slider.values?.length ?? slider.count);
    this.every = sliders.map((_, a) => a);
    this.typed = {}; // words in the place of a value, by slider
  }

  /** Which entry of a table over these sliders belongs to where they stand; all sliders if none are named. */
  index(over = this.every) {
    return over.reduce((n, a) => n * this.counts[a] + this.places[a], 0);
  }

  /** The entry of a table for where the sliders stand; undefined if it has none. */
  look(table) {
    return table.values[this.index(table.over)];
  }

  /** The number that a table has for where the sliders stand; `name` says in an error what it is. */
  number(table, name) {
    const value = this.look(table ?? { over: [], values: [] });
    if (typeof value === 'number') return value;
    throw new BrokenData(`${name} for ${this.summary} is missing`);
  }

  /** The value of slider `a` at a place, as text; if none is named, where it stands, or what was typed instead. */
  text(a, place) {
    const at = place ?? this.places[a];
    const words = place === undefined ? this.typed[a] : undefined;
    return String(words ?? this.sliders[a].values?.[at] ?? at);
  }

  /** Every slider with its value: "time t 300, schedule cosine". */
  get summary() {
    return this.sliders.map((slider, a) => `${slider.label} ${this.text(a)}`).join(', ');
  }

  /** The places of slider `a` for which there is a picture with no kernel; null if that is so for all. */
  kept(a) {
    return this.sliders[a].kept ?? null;
  }
}

/**
 * Where a slider goes that was asked to go from one place to another, if only some places are kept: to the nearest of
 * them. A step by one, as of a key, goes on to the next, where there is one.
 */
export function nearestKept(kept, from, to) {
  const ahead = kept.filter((place) => (to > from ? place > from : place < from));
  const among = Math.abs(to - from) === 1 && ahead.length ? ahead : kept;
  return among.reduce((best, place) => (Math.abs(place - to) < Math.abs(best - to) ? place : best));
}
