// What a kernel draws for a page that asks it: the pictures and read-outs of the present drawing, and its errors.
//
// A drawing (on the sheet, or of words that were typed) has a version, 0 for the example that came with the page.

/** The part of a panel or read-out that has one entry for each place. */
const entries = (part) => (part.kind === 'frames' ? 'index' : 'values');

export const PATIENCE = 1000; // milliseconds until a kernel that does not begin to draw is called busy

/**
 * What is said below the pictures. `waits`: what belongs here is not there; `error`: what went wrong with it; `isLive`: a
 * kernel runs; `isWorking`: it has begun to draw; `waited`: for so many milliseconds nothing came; `asks`: what there is to
 * say without a kernel; `hasOnlySome`: whether that is so here.
 */
export function statusOf({ waits, error, isLive, isWorking, waited, asks, hasOnlySome }) {
  if (!waits) return hasOnlySome && !isLive ? asks : '';
  if (error !== undefined) return error;
  if (!isLive) return asks;
  if (isWorking || waited < PATIENCE) return 'computing …';
  return 'The kernel is busy with another cell. This is drawn as soon as it is free.';
}

export class Answers {
  /** `asks` says that a kernel may be asked; what it answers is entered into the panels and read-outs themselves. */
  constructor({ asks, panels, readouts }) {
    Object.assign(this, { panels, readouts, version: 0, errors: {} });
    this.parts = asks ? [...panels, ...readouts].filter((part) => part.asked) : [];
    this.examples = this.parts.map((part) => ({ ...part[entries(part)] }));
  }

  /** What went wrong at a place, if it did. */
  error(place) {
    return this.errors[place];
  }

  /** Enter an answer; false if it belongs to another drawing. */
  fill({ version, place, error, panels = {}, readouts = {} }) {
    if (version !== this.version) return false;
    this.errors[place] = error;
    for (const [n, picture] of Object.entries(panels)) this.panels[n].add(place, picture);
    for (const [n, text] of Object.entries(readouts)) this.readouts[n].values[place] = text;
    return true;
  }

  /** A new drawing: what was drawn for the old one goes; what came with the page belongs to its example. */
  restart(isExample, now = Date.now()) {
    this.version = isExample ? 0 : this.version + 1 + (this.version === 0 ? now : 0);
    this.errors = {};
    this.parts.forEach((part, n) => {
      part[entries(part)] = isExample ? { ...this.examples[n] } : {};
    });
  }
}
