// A sheet to draw on: by mouse, pen or finger, or with the arrow keys, the space bar putting the pen down and up.
import { followHand } from './canvas.js';
import { element } from './dom.js';
import { centred, stroke } from './formulas.js';
import { arrowStep, movedInside } from './keys.js';
import { ON_DARK } from './theme.js';
import { bytes, counted } from './unpack.js';

const textButton = (text, onclick) =>
  element('button', { type: 'button', className: 'dl-button', onclick }, text);

/** `shared.sketch` is what was drawn, centred, or the example that the panel came with. */
export function sheet(panel, canvas, player) {
  const { shared } = player;
  const [w, h] = panel.cell;
  const example = counted(bytes(panel.x_0, 'the picture'), w * h, 'the picture');
  const ink = Float32Array.from(example);
  const zoom = panel.size[0] / w;
  canvas.width = 2 * panel.size[0];
  canvas.height = 2 * panel.size[1];
  const context = canvas.getContext('2d');
  const small = element('canvas', { width: w, height: h });
  const smallContext = small.getContext('2d');
  const pixels = smallContext.createImageData(w, h);
  let cursor = null; // of the keyboard
  let isDown = false;
  let last = null; // where the stroke is that is being drawn

  function draw(place) {
    stroke(ink, w, h, last ?? place, place);
    last = place;
    shared.sketch = centred(ink, w, h);
    player.show();
  }
  function lift() {
    if (last) player.drawn();
    last = null;
  }
  function put(values, isExample) {
    ink.set(values);
    shared.sketch = isExample ? example : centred(ink, w, h);
    player.drawn(isExample);
  }

  followHand(canvas, { moved: (x, y) => draw([x / zoom, y / zoom]), ended: lift });
  canvas.onkeydown = (event) => {
    const step = arrowStep(event.key);
    if (!step && event.key !== ' ') return;
    event.preventDefault();
    cursor ??= [w / 2, h / 2];
    if (step) cursor = movedInside(cursor, step, w, h);
    else isDown = !isDown;
    if (isDown) return draw(cursor);
    lift();
    player.show();
  };
  canvas.onblur = () => {
    lift();
    cursor = null;
    isDown = false;
    player.show();
  };
  panel.tools = [
    textButton('clear', () => put(new Float32Array(w * h), false)),
    textButton('example', () => put(example, true)),
  ];
  shared.sketch = example;
  return () => {
    ink.forEach((value, i) => pixels.data.set([value, value, value, 255], 4 * i));
    smallContext.putImageData(pixels, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    if (!cursor) return;
    context.strokeStyle = ON_DARK[1];
    context.lineWidth = isDown ? 6 : 2;
    context.strokeRect(2 * zoom * cursor[0] - 10, 2 * zoom * cursor[1] - 10, 20, 20);
  };
}
