// What a player shows, pinned beside the live pictures to compare these with.
import { element } from './dom.js';
import { background } from './snapshot.js';

/** A copy of what a panel shows, which stays as it is; `words` say what it is. */
function copyOf({ canvas, figure }, ground, words) {
  const isPixels = canvas.classList.contains('dl-pixels');
  const className = isPixels ? 'dl-pixels' : '';
  const copy = element('canvas', { width: canvas.width, height: canvas.height, className });
  const context = copy.getContext('2d');
  if (!isPixels) {
    context.fillStyle = ground; // lines and letters have the colours of the page as it is now
    context.fillRect(0, 0, copy.width, copy.height);
  }
  context.drawImage(canvas, 0, 0);
  copy.setAttribute('role', 'img');
  copy.setAttribute('aria-label', words);
  const pinned = element('figure', { className: `${figure.className} dl-pinned` });
  pinned.append(copy, element('figcaption', {}, words));
  pinned.style.setProperty('--dl-width', figure.style.getPropertyValue('--dl-width'));
  figure.after(pinned);
  return { figure: pinned, canvas: copy, caption: words, legend: [] };
}

const isThere = ({ canvas }) => !canvas.hidden && canvas.getAttribute('aria-busy') !== 'true';

export class Pins {
  /** `panels` are those of panels.js; plots have a line or a mark for where they stand, and a sheet is drawn on. */
  constructor(root, panels) {
    this.root = root;
    this.panels = panels.filter(
      ({ figure, panel }) => panel.kind !== 'sheet' && !figure.classList.contains('dl-plot'),
    );
    this.copies = [];
  }

  get areSet() {
    return this.copies.length > 0;
  }

  /** Pin what is shown now; false if nothing is there yet. */
  set(words) {
    this.remove();
    const ground = background(this.root);
    this.copies = this.panels.filter(isThere).map((panel) => copyOf(panel, ground, words));
    this.root.classList.toggle('dl-has-pins', this.areSet);
    return this.areSet;
  }

  remove() {
    for (const { figure } of this.copies) figure.remove();
    this.copies = [];
    this.root.classList.remove('dl-has-pins');
  }
}
