// Panels of pictures: noised in the browser, or drawn beforehand.
import { tiles } from './canvas.js';
import { noisedPictures } from './formulas.js';
import { BrokenData, bytes, counted, int16 } from './unpack.js';

/** x_t for every t, from pictures and one draw of noise; of the sheet, if the panel has no pictures. */
export function noise(panel, canvas, player) {
  const { shared, positions } = player;
  const {
    count,
    channels,
    cell: [width, height],
  } = panel;
  const wanted = count * channels * width * height;
  const eps = counted(int16(panel.eps, 'the noise'), wanted, 'the noise');
  const pictures = panel.x_0 === undefined ? null : bytes(panel.x_0, 'the picture');
  if (pictures) counted(pictures, wanted, 'the picture');
  const x_t = new Float32Array(wanted);
  const corner = tiles(panel, canvas);
  const context = canvas.getContext('2d');
  const image = context.createImageData(canvas.width, canvas.height);
  return () => {
    const x_0 = pictures ?? shared.sketch;
    if (!x_0) throw new BrokenData('the sheet that it follows is missing');
    noisedPictures(x_0, eps, panel.eps_unit, positions.number(panel.abar, 'the noise level'), x_t);
    for (let n = 0, j = 0; n < count; n++) {
      const [left, top] = corner(n);
      for (let y = 0; y < height; y++) {
        let i = 4 * ((top + y) * canvas.width + left);
        for (let x = 0; x < width; x++, i += 4, j += channels) {
          for (let c = 0; c < 3; c++) image.data[i + c] = (x_t[j + (channels === 3 ? c : 0)] + 1) * 127.5;
          image.data[i + 3] = 255;
        }
      }
    }
    context.putImageData(image, 0, 0);
    shared.values = x_t;
  };
}

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
