// Panels of pictures that were drawn beforehand, or by a kernel.
import { tiles } from './canvas.js';
import { BrokenData } from './unpack.js';

/** Begin to load a PNG, base64. */
function load(png) {
  const picture = new Image();
  picture.src = `data:image/png;base64,${png}`;
  return picture;
}

/** Whether a picture was loaded, or tried, and is none. */
const isBroken = (picture) => picture.complete && picture.naturalWidth === 0;

/** Pictures made beforehand: a PNG for each combination, with its own pictures side by side and no gaps. */
export function frames(panel, canvas, player) {
  const corner = tiles(panel, canvas);
  const context = canvas.getContext('2d');
  const [width, height] = panel.cell;
  const pictures = panel.frames.map(load);
  panel.add = (place, { png, count }) => {
    panel.latest = panel.index[place] = pictures.push(load(png)) - 1;
    panel.counts.push(count);
  };
  return () => {
    const here = player.positions.look({ over: panel.over, values: panel.index });
    const which = here ?? panel.latest; // while one is drawn, the last that was
    const picture = pictures[which];
    const isAwaited = here === undefined && player.isAwaited();
    canvas.setAttribute('aria-busy', here === undefined ? isAwaited : Boolean(picture && !picture.complete));
    if (here === undefined && !player.asks) throw new BrokenData('there is none for these values');
    if (here !== undefined && (!picture || isBroken(picture))) throw new BrokenData('its data are damaged');
    if (!picture || (here === undefined && !isAwaited)) return;
    if (!picture.complete) {
      picture.onload = picture.onerror = player.show;
      return;
    }
    const count = panel.counts[which];
    const columns = Math.min(panel.columns, count);
    const w = picture.naturalWidth / columns;
    const h = picture.naturalHeight / Math.ceil(count / columns);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = Boolean(panel.smooth);
    for (let n = 0; n < count; n++) {
      const from = [(n % columns) * w, Math.floor(n / columns) * h];
      context.drawImage(picture, ...from, w, h, ...corner(n), width, height);
    }
  };
}
