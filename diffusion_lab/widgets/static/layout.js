// How the parts of a player are laid out in the width that the page leaves it. Widths are the page's pixels.

const ROOM = 880; // for the panels of a row, as wide as they would like to be: they give way to a narrower page
const GAP = 16; // between two of them
const MIDDLE = 640; // a player up to here has its read-outs below its buttons
const NARROW = 470; // and up to here is one on a phone: its panels stand below each other

/** Panels in rows, by their widths: those of one row stand beside each other as long as the page is not narrow. */
export function inRows(panels, widthOf) {
  const rows = [];
  let left = 0;
  for (const panel of panels) {
    const width = widthOf(panel);
    if (!rows.length || width > left) {
      rows.push([]);
      left = ROOM;
    }
    rows.at(-1).push(panel);
    left -= width + GAP;
  }
  return rows;
}

/** What a player of this width is called in its style; one that is not shown has no width yet, and is wide. */
export function roomName(width) {
  if (width === 0 || width > MIDDLE) return 'wide';
  return width > NARROW ? 'middle' : 'narrow';
}

/** Keep the name of its room in `data-room`, for the style. */
export function followWidth(root) {
  const tell = () => {
    const room = roomName(root.clientWidth);
    if (root.dataset.room !== room) root.dataset.room = room;
  };
  tell();
  new ResizeObserver(tell).observe(root);
}
