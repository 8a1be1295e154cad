// The colours of the page around a part: players and guesses follow them when they change.

const ON_LIGHT = ['#0072B2', '#B34700', '#00704F', '#A3497A']; // Okabe & Ito's palette, darker and lighter
export const ON_DARK = ['#56B4E9', '#E69F00', '#2BC79A', '#E29CC4'];

/** The colours of text and of lines where a node stands: {theme, text, lines}. */
function paintOf(node) {
  // the page's text is light where its background is dark
  // (a player whose cell was run again is no part of the page any more, and has no colour)
  const text = getComputedStyle(node).color || '#000';
  const [red, green, blue] = text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0];
  const theme = red + green + blue > 384 ? 'dark' : 'light';
  return { theme, text, lines: theme === 'dark' ? ON_DARK : ON_LIGHT };
}

/** Fit a part to the background that it stands on, dark or light; gives the colours of its text and lines. */
export function fitTheme(root) {
  const paint = paintOf(root);
  if (root.dataset.theme !== paint.theme) {
    root.dataset.theme = root.style.colorScheme = paint.theme; // the latter is for what the browser draws itself
  }
  return paint;
}

/** Call `changed` when the page or the system goes from light to dark, or back. */
export function watchTheme(changed) {
  const attributeFilter = ['class', 'data-jp-theme-light'];
  new MutationObserver(changed).observe(document.body, { attributes: true, attributeFilter });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
}
