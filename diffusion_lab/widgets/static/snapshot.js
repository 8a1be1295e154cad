// What a player shows, as one PNG to keep: its panels with their captions, and where its sliders stand.

const SCALE = 2; // of the page's resolution
const MARGIN = 12;
const LINE = 17; // from one line of text to the next
const STROKE = 32; // of a line in a legend, with the space behind it
const FONT = '13px system-ui, sans-serif';

/** Text in lines of at most a width, by a function that measures text; a word that is wider has a line of its own. No-break spaces hold. */
export function wrapped(text, width, measure) {
  const lines = [];
  for (const word of text.split(/[ \n]+/).filter(Boolean)) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && measure(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** A name for a file that says where the sliders stand: "time t 300, schedule cosine" → time-t-300_schedule-cosine.png */
export function fileName(summary) {
  const words = summary
    .toLowerCase()
    .replace(/,\s+/g, '_')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[-_.]+|[-_.]+$/g, '')
    .slice(0, 80);
  return `${words || 'player'}.png`;
}

/** The colour that a node stands on. */
export function background(node) {
  for (let at = node; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (!/^(transparent|rgba\(.*,\s*0\))$/.test(colour)) return colour;
  }
  return node.dataset.theme === 'dark' ? '#111' : '#fff';
}

/** What is written below a panel, in lines: its caption, then its legend, each line of it with its colour and dashes. */
function belowPanel({ caption, legend }, width, measure) {
  const lines = wrapped(caption, width, measure).map((text) => ({ text }));
  for (const { text, colour, dashes } of legend) {
    const [first, ...others] = wrapped(text, width - STROKE, measure);
    lines.push(
      { text: first, colour, dashes },
      ...others.map((other) => ({ text: other, colour, dashes: null })),
    );
  }
  return lines;
}

function write(context, { text, colour, dashes }, x, y) {
  context.save();
  if (colour) context.fillStyle = context.strokeStyle = colour;
  if (dashes) {
    context.lineWidth = 2;
    context.setLineDash(dashes);
    context.beginPath();
    context.moveTo(x, y - 4);
    context.lineTo(x + STROKE - 6, y - 4);
    context.stroke();
  }
  context.fillText(text, colour ? x + STROKE : x, y);
  context.restore();
}

/**
 * Draw what stands in a player. `parts` are {canvas, caption, legend: [{text, colour, dashes}]}, in the order of the
 * page; `lines` are written above. Gives a canvas.
 */
export function snapshot(root, parts, lines) {
  const boxes = parts.map(({ canvas }) => canvas.getBoundingClientRect());
  const left = Math.min(...boxes.map((box) => box.left));
  const top = Math.min(...boxes.map((box) => box.top));
  const picture = document.createElement('canvas');
  const context = picture.getContext('2d');
  context.font = FONT;
  const measure = (text) => context.measureText(text).width;
  const width = Math.max(...boxes.map((box) => box.right)) - left;
  const heading = lines.flatMap((text) => wrapped(text, width, measure));
  const below = parts.map((part, n) => belowPanel(part, boxes[n].width, measure));
  const over = MARGIN + heading.length * LINE + MARGIN / 2;
  const ends = boxes.map((box, n) => box.bottom - top + below[n].length * LINE);
  picture.width = SCALE * (width + 2 * MARGIN);
  picture.height = SCALE * (over + Math.max(...ends) + MARGIN);
  context.scale(SCALE, SCALE);
  context.fillStyle = background(root);
  context.fillRect(0, 0, picture.width, picture.height);
  context.fillStyle = getComputedStyle(root).color;
  context.font = FONT;
  heading.forEach((text, n) => context.fillText(text, MARGIN, MARGIN + (n + 0.75) * LINE));
  parts.forEach(({ canvas }, n) => {
    const { width: wide, height: high } = boxes[n];
    const [x, y] = [MARGIN + boxes[n].left - left, over + boxes[n].top - top];
    context.imageSmoothingEnabled = !canvas.classList.contains('dl-pixels');
    context.drawImage(canvas, x, y, wide, high);
    below[n].forEach((text, k) => write(context, text, x, y + high + (k + 0.9) * LINE));
  });
  return picture;
}

/** Hand a picture to whoever looks at the page, as a file. */
export function save(picture, name) {
  picture.toBlob((blob) => {
    const address = URL.createObjectURL(blob);
    Object.assign(document.createElement('a'), { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  });
}
