// A field for words above the pictures. While a kernel runs, it draws what is typed; with none there are the examples.
import { element } from './dom.js';

const LIKE = 0.5; // as much must two texts have in common to be taken for each other

/** How many letters must change, come or go to make one text of another. */
function distance(one, other) {
  let row = [...other].map((_, n) => n + 1);
  [...one].forEach((letter, n) => {
    let [left, corner] = [n + 1, n];
    row = [...other].map((wanted, k) => {
      const value = Math.min(row[k] + 1, left + 1, corner + (letter !== wanted));
      [left, corner] = [value, row[k]];
      return value;
    });
  });
  return row.at(-1) ?? one.length;
}

const plain = (text) => text.toLowerCase().split(/\s+/).filter(Boolean).join(' ');

/** The known text that is most like another one, capitals and spaces aside; null if none is. */
export function nearestText(text, known) {
  let [best, most] = [null, LIKE];
  for (const candidate of known) {
    const [one, other] = [plain(text), plain(candidate)];
    const alike = 1 - distance(one, other) / Math.max(one.length, other.length, 1);
    if (alike >= most) [best, most] = [candidate, alike];
  }
  return best;
}

/** What is said of words that were typed where only the examples are drawn. */
export function notDrawn(text, examples) {
  const near = nearestText(text, examples);
  const question = near === null ? '' : ` Did you mean “${near}”?`;
  return `“${text}” is not drawn on this page.${question} Run the cell to have your own words drawn.`;
}

/**
 * A field with its button, to stand behind the examples: {node, focus, show(text)}; `typed(text)` hears of Enter and of
 * the button.
 */
export function wordsField(label, typed) {
  const input = element('input', {
    type: 'text',
    className: 'dl-words',
    placeholder: label,
    autocomplete: 'off',
  });
  input.setAttribute('aria-label', label);
  const enter = () => typed(input.value.trim());
  const button = element('button', { type: 'button', className: 'dl-button', onclick: enter }, 'draw');
  input.onkeydown = (event) => {
    if (event.key === 'Enter') enter();
    if (event.key !== 'Tab') event.stopPropagation(); // what is typed is no command to the notebook
  };
  let shown = null;
  /** Put a text into the field; what somebody types there stays until it is another text. */
  function show(text) {
    if (text !== shown) input.value = text;
    shown = text;
  }
  const node = element('div', { className: 'dl-own' }, input, button);
  return { node, focus: [input, button], show };
}
