// A guess at the question of a lesson, and what became of it at the end.
//
// The guess is kept in the browser, so that it is there when the lesson is opened again; where that is not allowed it
// lives as long as the page. With a kernel behind the page, guess_link.js hands it to Python.
import { choice, slider } from './controls.js';
import { element, keepKeys, uniqueId } from './dom.js';
import { followWidth } from './layout.js';
import { inWords } from './spec.js';
import { fitTheme, watchTheme } from './theme.js';
import { BrokenData } from './unpack.js';

const PLACE = 'diffusion-lab guess '; // and the key of the guess, in the browser's storage
const WIDEST = 400; // picture that leaves room for buttons beside it, in the page's pixels

/** The guesses of a page by their keys, the links of a kernel to them, and who wants to hear of a new one. */
export class Guesses {
  /** `storage` is where a browser keeps texts; every access to it may fail. */
  constructor(storage) {
    Object.assign(this, { storage, noted: new Map(), links: new Map(), listeners: new Set() });
  }

  /** What was noted; null before. */
  get(key) {
    if (!this.noted.has(key)) this.noted.set(key, this.#read(key));
    return this.noted.get(key);
  }

  #read(key) {
    try {
      const { value } = JSON.parse(this.storage().getItem(PLACE + key));
      return ['number', 'string'].includes(typeof value) ? value : null;
    } catch {
      return null; // nothing is there, or nothing may be read
    }
  }

  /** Note a guess in the place of an earlier one, and tell whoever listens. */
  note(key, value) {
    this.noted.set(key, value);
    try {
      this.storage().setItem(PLACE + key, JSON.stringify({ value }));
    } catch {
      // no room, or not allowed: it lives as long as the page
    }
    this.tell(key);
  }

  tell(key) {
    for (const listener of this.listeners) listener(key);
  }
}

/** The number that was typed, {value}, or what is wrong with it in words, {trouble}. */
export function readNumber(text, { low, high, step }) {
  const wanted = `${Number.isInteger(step) ? 'a whole number' : 'a number'} from ${low} to ${high}`;
  const typed = text.trim();
  if (!typed) return { trouble: `Type ${wanted}.` };
  if (!/^[-+]?(\d+\.?\d*|\.\d+)$/.test(typed)) return { trouble: `“${typed}” is no number. Type ${wanted}.` };
  const value = Number(typed);
  if (value < low || value > high) return { trouble: `${typed} is out of range. Type ${wanted}.` };
  if (Number.isInteger(step) && !Number.isInteger(value)) {
    return { trouble: `${typed} is no whole number. Type ${wanted}.` };
  }
  return { value };
}

/** A value in the words of its guess, such as "t = {}". */
export const inItsWords = (words, value) => words.replace('{}', () => String(value));

/** The guesses of this page; guess_link.js looks here, too. */
function shelf() {
  window.diffusionLabGuesses ??= new Guesses(() => window.localStorage);
  return window.diffusionLabGuesses;
}

function readJson(root) {
  try {
    return JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  } catch {
    throw new BrokenData('its data are missing or damaged');
  }
}

/** Do something with a part of the page once; where its data are broken, say so there. */
function start(root, what, build) {
  if (root.dataset.ready) return;
  root.dataset.ready = 'yes';
  try {
    build(root, readJson(root));
    const follow = () => fitTheme(root);
    follow();
    watchTheme(follow);
  } catch (error) {
    root.append(element('p', { className: 'dl-broken' }, inWords(error, what)));
  }
}

// ---- what a guess is made with: {nodes, read(), show(value)}; read gives {value} or {trouble} ----

/** A slider, and a field for the same number. */
function numberControl(control, question) {
  const { low, high, step, start: first } = control;
  const input = element('input', { type: 'text', inputMode: 'decimal', className: 'dl-words' });
  input.autocomplete = 'off';
  input.setAttribute('aria-label', question);
  input.size = Math.max(String(low).length, String(high).length, String(step).length) + 1;
  const count = Math.round((high - low) / step) + 1;
  const at = (place) => Number((low + place * step).toPrecision(12));
  const range = slider({ label: '', start: Math.round((first - low) / step) }, count, (place) =>
    show(at(place)),
  );
  const handle = range.nodes[1];
  handle.setAttribute('aria-label', question);
  function show(value) {
    input.value = value;
    range.move(Math.round((value - low) / step));
    handle.setAttribute('aria-valuetext', value);
  }
  input.oninput = () => {
    const { value } = readNumber(input.value, control);
    if (value !== undefined) range.move(Math.round((value - low) / step));
  };
  show(first);
  const row = element('div', { className: 'dl-guess-number' }, handle, input);
  return {
    nodes: [row],
    focus: [handle, input],
    field: input,
    read: () => readNumber(input.value, control),
    show,
  };
}

/** One of a few texts. */
function choiceControl({ options }, question) {
  let chosen = null;
  const row = choice({ label: question, values: options, start: -1 }, options.length, (place) => {
    chosen = place;
  });
  const group = row.nodes[1];
  group.removeAttribute('aria-labelledby');
  group.setAttribute('aria-label', question);
  function show(value) {
    const place = options.indexOf(value);
    if (place < 0) return;
    chosen = place;
    row.move(place);
  }
  const read = () => (chosen === null ? { trouble: 'Choose one first.' } : { value: options[chosen] });
  return { nodes: [group], focus: row.focus, read, show };
}

/** Where a slider of the player beside it stands. */
function playerControl({ slider: a, values }, player) {
  if (!player) throw new BrokenData('the player that it belongs to is missing');
  return {
    nodes: [],
    focus: [],
    read: () => ({ value: values?.[player.positions.places[a]] ?? player.positions.places[a] }),
    show() {},
  };
}

/** Make the guess whose data stand in a div of class dl-guess. */
export const startGuess = (root) => start(root, 'This question', buildGuess);

function buildGuess(root, { key, question, button: label, words, control }) {
  const guesses = shelf();
  const playerRoot = root.closest('.dl-first')?.querySelector('.dl-player');
  const player = playerRoot?.dlPlayer;
  const kinds = { number: numberControl, choice: choiceControl };
  const made = kinds[control.kind]?.(control, question) ?? playerControl(control, player);
  const status = element('p', { className: 'dl-status', id: uniqueId() });
  status.setAttribute('role', 'status');
  const button = element('button', { type: 'button', className: 'dl-button dl-note' }, label);
  [button, ...made.focus].forEach(keepKeys);
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', question);

  function tell(trouble = '') {
    const value = guesses.get(key);
    status.textContent = trouble || (value === null ? '' : `Noted: ${inItsWords(words, value)}`);
    status.classList.toggle('dl-wrong', Boolean(trouble));
    made.field?.setAttribute('aria-invalid', Boolean(trouble));
    if (made.field) made.field.setAttribute('aria-describedby', status.id);
    root.dataset.value = value ?? '';
  }

  button.onclick = () => {
    const { value, trouble } = made.read();
    if (trouble) {
      tell(trouble);
      made.field?.focus();
      return;
    }
    guesses.note(key, value);
    guesses.links.get(key)?.note(value);
  };
  if (made.field) {
    made.field.onkeydown = (event) => {
      if (event.key === 'Enter') button.click();
      if (event.key !== 'Tab') event.stopPropagation(); // what is typed is no command to the notebook
    };
  }
  root.append(...made.nodes, element('div', { className: 'dl-guess-note' }, button, status));
  standBeside(root, playerRoot);
  if (!root.closest('.dl-player')) followWidth(root);
  listen(root, key, () => {
    const value = guesses.get(key);
    if (value !== null) made.show(value);
    tell();
  });
  guesses.links.get(key)?.meet();
}

/**
 * Put a guess beside the picture of its player if that is the only one of its row, else below the row. Beside a picture
 * that is not wide the buttons of the player have room, too.
 */
function standBeside(root, playerRoot) {
  const [row, ...further] = playerRoot?.querySelectorAll('.dl-panels') ?? [];
  if (!row) return;
  const [picture, ...others] = row.children;
  if (others.length) {
    row.after(root);
    return;
  }
  row.append(root);
  const isWide = Number.parseFloat(picture.style.getPropertyValue('--dl-width')) > WIDEST;
  playerRoot.classList.toggle('dl-aside', !isWide && !further.length);
}

/** Call `changed` now and whenever a guess is noted, as long as the part is on the page. */
function listen(root, key, changed) {
  const guesses = shelf();
  const listener = (noted) => {
    if (!root.isConnected) guesses.listeners.delete(listener);
    else if (noted === key) changed();
  };
  guesses.listeners.add(listener);
  changed();
}

/** Show what was guessed beside the answer, in a div of class dl-answer. */
export const startAnswer = (root) => start(root, 'The answer', buildAnswer);

function buildAnswer(root, { key, words, value: inPython }) {
  const guesses = shelf();
  const yours = root.querySelector('.dl-yours');
  listen(root, key, () => {
    const value = guesses.get(key) ?? inPython;
    if (value === null) return;
    yours.textContent = inItsWords(words, value);
    yours.classList.remove('dl-none');
  });
}
