// The panels that there are, by the name that Python gives their kind.
//
// Each is a function (panel, canvas, player) of its part of the data, which prepares the canvas and gives a function
// that draws it for where the sliders stand. player.shared is what panels of one player tell each other.
import { element, keepKeys } from './dom.js';
import { frames, noise } from './panel_pictures.js';
import { curves, histogram, meter } from './panel_plots.js';
import { candidates, field, points } from './panel_points.js';
import { sheet } from './panel_sheet.js';
import { BrokenData } from './unpack.js';

const KINDS = { noise, points, frames, histogram, curves, field, candidates, sheet, meter };
const STROKES = [' —— ', ' - - ', ' -·- ', ' ··· ']; // of the lines of curves, in words of a caption

/** Put a panel on the page; gives {canvas, panel, figure, draw}. */
export function makePanel(panel, player) {
  if (!Object.hasOwn(KINDS, panel.kind)) throw new BrokenData(`no panel is called ${panel.kind}`);
  const canvas = element('canvas');
  const width = `${panel.size[0]}px`;
  canvas.style.width = width;
  const draw = KINDS[panel.kind](panel, canvas, player);
  const tools = element('div', { className: 'dl-tools' }, ...(panel.tools ?? []));
  panel.tools?.forEach(keepKeys);
  const figure = element(
    'figure',
    {},
    canvas,
    element('figcaption', {}, panel.caption, ...legend(panel)),
    tools,
  );
  figure.style.width = width;
  canvas.setAttribute('role', canvas.tabIndex < 0 ? 'img' : 'application');
  return { canvas, panel, figure, draw };
}

function legend(panel) {
  return Object.keys(panel.lines ?? {}).map((name, n) => {
    const line = element('span', { className: 'dl-line' }, STROKES[n % 4], name);
    if (panel.chosen !== undefined) line.dataset.chosen = panel.chosen;
    return line;
  });
}
