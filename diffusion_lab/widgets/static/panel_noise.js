// Pictures that the browser noises.
import { tiles } from './canvas.js';
import { noisedPictures } from './formulas.js';
import { BrokenData, bytes, counted, int16 } from './unpack.js';

/**
 * x_t for every t, from pictures and one draw of noise; of the sheet, if the panel has no pictures. There may be several
 * pictures, and draws, for sliders to choose among: `choice` and `seed` say which sliders.
 */
export function noise(panel, canvas, player) {
  const { shared, positions } = player;
  const {
    count,
    channels,
    cell: [width, height],
  } = panel;
  const wanted = count * channels * width * height;
  /** The part of `all` that slider `a` chooses; all of it if there is no such slider. */
  const chosen = (all, a) => all.subarray(wanted * (positions.places[a] ?? 0)).subarray(0, wanted);
  const numbers = (a) => wanted * (positions.counts[a] ?? 1);
  const eps = counted(int16(panel.eps, 'the noise'), numbers(panel.seed), 'the noise');
  const pictures = panel.x_0 === undefined ? null : bytes(panel.x_0, 'the picture');
  if (pictures) counted(pictures, numbers(panel.choice), 'the picture');
  const x_t = new Float32Array(wanted);
  const corner = tiles(panel, canvas);
  const context = canvas.getContext('2d');
  const image = context.createImageData(canvas.width, canvas.height);
  return () => {
    const x_0 = pictures ? chosen(pictures, panel.choice) : shared.sketch;
    if (!x_0) throw new BrokenData('the sheet that it follows is missing');
    const noise = chosen(eps, panel.seed);
    noisedPictures(x_0, noise, panel.eps_unit, positions.number(panel.abar, 'the noise level'), x_t);
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
