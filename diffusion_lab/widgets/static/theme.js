// The colours of the page around a part: players and guesses follow them when they change.
import { paintOf } from './canvas.js';

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
