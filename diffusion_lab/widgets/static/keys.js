// What keys mean: inside a player, and on a canvas that follows the hand.

const DIRECTIONS = new Map([
  ['ArrowLeft', [-1, 0]],
  ['ArrowRight', [1, 0]],
  ['ArrowUp', [0, -1]],
  ['ArrowDown', [0, 1]],
]);

/** How far an arrow key moves, right and down, by steps of `size`; null for another key. */
export function arrowStep(key, size = 1) {
  return DIRECTIONS.get(key)?.map((steps) => steps * size) ?? null;
}

/** A place moved by a step, and kept inside a sheet. */
export function movedInside([x, y], [right, down], width, height) {
  return [Math.min(width, Math.max(0, x + right)), Math.min(height, Math.max(0, y + down))];
}

const COMMANDS = new Map([
  [' ', 'play'],
  [',', 'back'],
  ['.', 'forth'],
  ['r', 'reset'],
  ['l', 'loop'],
  ['v', 'speed'],
  ['p', 'pin'],
  ['s', 'save'],
  ['c', 'link'],
  ['?', 'help'],
  ['Escape', 'close'],
]);
const NEEDS_LETTERS = new Set(['text', 'textarea', 'select']);
const NEEDS_SPACE = new Set(['button', 'radio', 'checkbox', 'a', 'canvas', 'summary']);

/**
 * The command that a key stands for where `focused` has the focus: the type of an input, or the name of another
 * element. None where that needs the key itself.
 */
export function commandOf(key, focused) {
  if (NEEDS_LETTERS.has(focused) || (key === ' ' && NEEDS_SPACE.has(focused))) return null;
  return COMMANDS.get(key.length === 1 ? key.toLowerCase() : key) ?? null;
}

/** The keys of players, and what they do, in words; those with a third entry, a command, only where there is one. */
export const HELP = [
  ['← →', 'move the slider that has the focus'],
  ['Home End', 'its first and last value'],
  ['Space', 'play and pause'],
  [', .', 'one step back, one step on'],
  ['R', 'back to the start'],
  ['L', 'play again at the end, or not'],
  ['V', 'speed'],
  ['P', 'pin what is shown, to compare, or unpin it'],
  ['S', 'save what is shown as a PNG'],
  ['C', 'copy a link to what is shown', 'link'],
  ['?', 'show and hide these keys'],
];
