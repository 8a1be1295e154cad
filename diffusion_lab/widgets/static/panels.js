// The panels that there are, by the name that Python gives their kind. The script of a player has only the modules of
// the kinds that it shows, see widgets/script.py: the others are undefined here.
//
// Each is a function (panel, canvas, player) of its part of the data, which prepares the canvas and gives a function
// that draws it for where the sliders stand. It may put `tools` (buttons) and `reset` into the panel. Either function
// throws BrokenData where something is missing: then the panel says so. player.shared is what the panels of one player
// tell each other.
import { DASHES } from './canvas.js';
import { element, keepKeys } from './dom.js';
import { dashedLine } from './icons.js';
import { noise } from './panel_noise.js';
import { frames } from './panel_pictures.js';
import { curves, histogram, meter } from './panel_plots.js';
import { candidates, field, points } from './panel_points.js';
import { sheet } from './panel_sheet.js';
import { inWords } from './spec.js';
import { BrokenData } from './unpack.js';

const KINDS = { noise, points, frames, histogram, curves, field, candidates, sheet, meter };
/** Whether this script has the panel. */
export const isKnown = (kind) => Object.hasOwn(KINDS, kind) && KINDS[kind] !== undefined;
const PICTURES = new Set(['noise', 'frames', 'sheet']); // keep their width as long as others can give way
const PLANES = new Set(['points', 'field', 'candidates']); // are square

/** Put a panel on the page; gives {panel, canvas, figure, legend(), show(), showLegend(), reset()}. */
export function makePanel(panel, player) {
  const canvas = element('canvas');
  const trouble = element('p', { className: 'dl-broken', hidden: true });
  const prepare = () => {
    if (!isKnown(panel.kind)) throw new BrokenData(`no panel is called ${panel.kind}`);
    if (!panel.size?.every((side) => side > 0)) throw new BrokenData('its size is missing');
    return KINDS[panel.kind](panel, canvas, player);
  };
  let draw = null;
  try {
    draw = prepare();
  } catch (error) {
    tell(error);
  }

  function tell(error) {
    trouble.textContent = error ? inWords(error, 'This picture') : '';
    trouble.hidden = !error;
    canvas.hidden = Boolean(error);
    if (error) canvas.setAttribute('aria-busy', false);
  }

  /** Draw it for where the sliders stand, or say in its place why that cannot be. */
  function show() {
    try {
      draw?.();
      if (draw && !trouble.hidden) tell(null);
    } catch (error) {
      tell(error);
    }
  }

  const tools = element('div', { className: 'dl-tools' }, ...(panel.tools ?? []));
  panel.tools?.forEach(keepKeys);
  const lines = legendOf(panel);
  const shape = PICTURES.has(panel.kind) ? 'dl-picture' : PLANES.has(panel.kind) ? 'dl-plane' : 'dl-plot';
  const figure = element('figure', { className: shape });
  figure.append(canvas, trouble, element('figcaption', {}, panel.caption ?? '', ...lines), tools);
  const [width, height] = panel.size ?? [220, 220];
  figure.style.setProperty('--dl-width', `${width}px`);
  figure.style.setProperty('--dl-ratio', width / height);
  canvas.setAttribute('role', canvas.tabIndex < 0 ? 'img' : 'application');
  /** The lines of its legend, as they stand there now. */
  const legend = () =>
    lines.map((line, n) => ({
      text: line.textContent.trim(),
      colour: line.style.color,
      dashes: DASHES[n % 4],
    }));
  /** Its lines in the colours of the page, the chosen one bold. */
  function showLegend() {
    lines.forEach((line, n) => {
      line.style.color = player.paint.lines[n % 4];
      if (panel.chosen === undefined) return;
      line.classList.toggle('dl-chosen', n === player.positions.places[panel.chosen]);
    });
  }

  return { panel, canvas, figure, legend, show, showLegend, reset: () => panel.reset?.() };
}

function legendOf(panel) {
  return Object.keys(panel.lines ?? {}).map((name, n) => {
    const line = element('span', { className: 'dl-line' }, dashedLine(DASHES[n % 4]), ` ${name}`);
    const range = panel.ranges?.[name];
    if (range) line.append(`: ${range.join(' … ')}`);
    return line;
  });
}
