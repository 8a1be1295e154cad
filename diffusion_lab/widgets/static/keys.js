// What keys mean on a canvas that follows the hand.

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
