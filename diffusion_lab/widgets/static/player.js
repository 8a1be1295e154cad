// One player: its controls, read-outs and panels, and the kernel behind it, if there is one.
import { colours, ON_DARK } from './canvas.js';
import { choice, slider } from './controls.js';
import { element, keepKeys } from './dom.js';
import { makePanel } from './panels.js';
import { nearestKept, nextPlace, Positions, pace } from './positions.js';

/** The players of this page, and the links of a kernel to them: link.js looks here, too. */
const shelf = () => {
  window.diffusionLab ??= { players: [], links: new Map() };
  return window.diffusionLab;
};

/** Make the player whose data stand in a div of class dl-player. */
export function startPlayer(root) {
  if (root.dataset.ready) return;
  root.dataset.ready = 'yes';
  const spec = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const positions = new Positions(spec.sliders);
  // how link.js knows a player: `shared` also has the sliders and where they stand
  const shared = { sliders: spec.sliders, k: positions.places, values: [], facts: {} };
  const player = { id: root.dataset.player, positions, shared, isAwaited, show, attach, follow, fill, drawn };
  let link = null; // to the kernel
  let version = 0; // of the drawing on the sheet, or of the words that were typed
  let errors = {}; // what went wrong in the kernel, by place

  // ---- what stands on the page ----

  const play = element('button', { type: 'button', className: 'dl-play' });
  const controls = spec.sliders.map((axis, a) =>
    (axis.names ? choice : slider)(axis, positions.counts[a], (place) => {
      move(a, place);
      link?.move(a, positions.places[a]);
    }),
  );
  const bar = element('div', { className: 'dl-bar' });
  controls.forEach((control, a) => bar.append(a ? element('span') : play, ...control.nodes));
  [play, ...controls.flatMap((control) => control.focus)].forEach(keepKeys);
  const texts = spec.readouts.map((readout) => {
    const longest = Math.max(0, ...Object.values(readout.values ?? {}).map((text) => String(text).length));
    const text = element('b');
    text.style.minWidth = `${longest}ch`;
    return text;
  });
  const named = spec.readouts.map((readout, n) => element('span', {}, `${readout.name} `, texts[n]));
  const readouts = element('div', { className: 'dl-readouts' }, ...named);
  const panels = spec.panels.map((panel) => makePanel(panel, player));
  const row = element('div', { className: 'dl-panels' }, ...panels.map(({ figure }) => figure));
  const status = element('p', { className: 'dl-status' });
  status.setAttribute('role', 'status');
  const still = root.querySelector('img');
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', still?.alt ?? '');
  root.prepend(...[bar, texts.length && readouts, row, spec.asks && status].filter(Boolean));

  function show() {
    const palette = colours(root);
    const theme = palette === ON_DARK ? 'dark' : 'light';
    root.dataset.theme = root.style.colorScheme = theme; // the latter is for what the browser draws itself
    const { summary } = positions;
    for (const { draw } of panels) draw();
    const facts = spec.readouts.map((readout, n) => {
      texts[n].textContent = (readout.fact ? shared.facts[readout.fact] : positions.look(readout)) ?? '…';
      return `${readout.name} ${texts[n].textContent}`;
    });
    for (const { canvas, panel } of panels) {
      canvas.setAttribute('aria-label', [panel.caption, panel.help, summary].filter(Boolean).join(', '));
    }
    if (spec.asks) tellWhatIsMissing();
    for (const { figure } of panels) showLegend(figure, palette);
    controls.forEach((control, a) => control.tell(positions.text(a), facts));
    root.dataset.value = positions.every.map((a) => positions.text(a)).join(', ');
  }

  function showLegend(figure, palette) {
    figure.querySelectorAll('.dl-line').forEach((line, n) => {
      const { chosen } = line.dataset;
      line.style.color = palette[n % 4];
      if (chosen !== undefined) line.classList.toggle('dl-chosen', n === positions.places[chosen]);
    });
  }

  // ---- with a kernel: its sliders move these, these move its; it draws what is not there yet ----

  function isLive() {
    return Boolean(link?.alive());
  }

  /** Whether the kernel is drawing what belongs here. */
  function isAwaited() {
    return isLive() && !errors[positions.index()];
  }

  function isMissing() {
    return spec.panels.some(
      (panel) => panel.kind === 'frames' && panel.index[positions.index(panel.over)] === undefined,
    );
  }

  function tellWhatIsMissing() {
    const waits = isMissing();
    const error = errors[positions.index()];
    const hasOnlySome = spec.sliders.some((axis) => axis.kept) && !isLive(); // a page with no kernel
    if (waits) status.textContent = error ?? (isLive() ? 'computing …' : spec.asks);
    else status.textContent = hasOnlySome ? spec.asks : '';
    status.classList.toggle('dl-wrong', waits && error !== undefined);
    for (const { canvas, panel } of panels) {
      if (panel.kind === 'frames') canvas.classList.toggle('dl-waits', waits);
    }
  }

  /** Put slider `a` where it was asked to go or, with no kernel, to the nearest place for which there is a picture. */
  function move(a, place) {
    const kept = positions.kept(a);
    positions.places[a] = kept && !isLive() ? nearestKept(kept, positions.places[a], place) : place;
    controls[a].move(positions.places[a]);
    show();
  }

  function attach(to) {
    link = to;
    root.dataset.live = link ? 'yes' : 'no';
    if (link) follow(link.places());
    else show();
  }

  function follow(places) {
    if (places.every((place, a) => place === positions.places[a])) return;
    places.forEach((place, a) => {
      positions.places[a] = place;
      controls[a].move(place);
    });
    show();
  }

  /** Enter what the kernel drew. */
  function fill(answer) {
    if (answer.version !== version) return; // of another drawing
    errors[answer.place] = answer.error;
    for (const [n, picture] of Object.entries(answer.panels ?? {})) spec.panels[n].add(answer.place, picture);
    for (const [n, text] of Object.entries(answer.readouts ?? {}))
      spec.readouts[n].values[answer.place] = text;
    show();
  }

  // a new drawing: what was drawn for the old one goes; what came with the page belongs to its example
  const answered = spec.asks ? [...spec.panels, ...spec.readouts].filter((part) => part.asked) : [];
  const entries = (part) => (part.kind === 'frames' ? 'index' : 'values');
  const stored = answered.map((part) => ({ ...part[entries(part)] }));
  function drawn(isExample = false) {
    version = isExample ? 0 : version + 1 + (version === 0 ? Date.now() : 0);
    errors = {};
    answered.forEach((part, n) => {
      part[entries(part)] = isExample ? { ...stored[n] } : {};
    });
    link?.draw({ version, pixels: isExample ? '' : btoa(String.fromCharCode(...shared.sketch)) });
    show();
  }

  // ---- the play button moves the first slider ----

  const last = positions.counts[0] - 1;
  const isSlow = matchMedia('(prefers-reduced-motion: reduce)').matches;
  let timer = 0;
  function go(place) {
    move(0, place);
    link?.move(0, positions.places[0]);
  }
  function pause() {
    clearInterval(timer);
    timer = 0;
    play.textContent = '▶';
    play.setAttribute('aria-label', 'play');
  }
  play.onclick = () => {
    if (timer) return pause();
    if (positions.places[0] >= last) go(0);
    const kept = isLive() ? null : positions.kept(0);
    const { stride, interval } = pace(kept?.length ?? positions.counts[0], isSlow);
    play.textContent = '⏸';
    play.setAttribute('aria-label', 'pause');
    timer = setInterval(() => {
      if (!root.isConnected || positions.places[0] >= last) return pause();
      if (isMissing() && !errors[positions.index()]) return; // until the kernel has drawn it
      go(nextPlace(positions.places[0], stride, positions.counts[0], kept));
    }, interval);
  };
  pause();
  show();
  still?.remove(); // only now, when there is something in its place
  root.dlPlayer = player;
  const lab = shelf();
  lab.players = [...lab.players.filter((known) => known.deref()), new WeakRef(player)];
  lab.links.get(player.id)?.attach(player);
  // a change of theme changes the colours of text and lines
  const attributeFilter = ['class', 'data-jp-theme-light'];
  new MutationObserver(show).observe(document.body, { attributes: true, attributeFilter });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
}
