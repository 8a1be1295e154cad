// The icons of the buttons, drawn: fonts lack some of them. 20 by 20, in the colour of the text around them.

const SOLID = new Set(['play', 'pause']);
const PATHS = {
  play: 'M6 3.8v12.4L16.2 10z',
  pause: 'M5 4h3.5v12H5zM11.5 4H15v12h-3.5z',
  back: 'M5.5 4.5v11M14.5 4.8v10.4L8 10z',
  forth: 'M14.5 4.5v11M5.5 4.8v10.4L12 10z',
  reset: 'M4.2 8.2A6.2 6.2 0 1 1 4 11.6M3.8 4.2v4.2H8',
  loop: 'M3.5 9.5V8.8A3 3 0 0 1 6.5 5.8h9.5M13.6 3.2L16.2 5.8L13.6 8.4M16.5 10.5v.7a3 3 0 0 1-3 3H4M6.4 11.6L3.8 14.2l2.6 2.6',
  speed: 'M4.3 15.2a7.2 7.2 0 1 1 11.4 0M10 11.2l3.4-4',
  save: 'M10 3v9.2M6.2 8.6L10 12.4l3.8-3.8M3.8 13.4v3.2h12.4v-3.2',
  pin: 'M7.2 3h5.6M8.2 3v5.2L5.6 11.4h8.8L11.8 8.2V3M10 11.4v5.8',
  link: 'M8.4 11.6a3 3 0 0 0 4.3 0l2.6-2.6a3 3 0 0 0-4.3-4.3l-.9.9M11.6 8.4a3 3 0 0 0-4.3 0L4.7 11a3 3 0 0 0 4.3 4.3l.9-.9',
  help: 'M6.9 7.4a3.1 3.1 0 1 1 4.6 2.7c-1 .6-1.5 1.2-1.5 2.4M10 15.6v.1',
};

/** An element of a drawing, from its markup. */
function drawn(markup) {
  const holder = document.createElement('template');
  holder.innerHTML = markup;
  return holder.content.firstChild;
}

/** An icon by name; it says nothing to a screen reader, its button does. */
export function icon(name) {
  const paint = SOLID.has(name) ? 'fill="currentColor" stroke="none"' : '';
  return drawn(
    `<svg class="dl-icon" viewBox="0 0 20 20" aria-hidden="true"><path d="${PATHS[name]}" ${paint}/></svg>`,
  );
}

/** A piece of a line for a legend, with the dashes that the line has in its plot. */
export function dashedLine(dashes) {
  const path = `<path d="M1 5h24" stroke-dasharray="${dashes.join(' ')}"/>`;
  return drawn(`<svg class="dl-stroke" viewBox="0 0 26 10" aria-hidden="true">${path}</svg>`);
}
