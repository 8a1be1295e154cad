// One player: its controls, read-outs and panels, and the kernel behind it, if there is one.
import { Answers } from './answers.js';
import { choice, slider } from './controls.js';
import { element, keepKeys } from './dom.js';
import { followWidth, inRows } from './layout.js';
import { makePanel } from './panels.js';
import { Playback } from './playback.js';
import { nearestKept, Positions } from './positions.js';
import { fileName, save, snapshot } from './snapshot.js';
import { inWords, readSpec } from './spec.js';
import { fitTheme, watchTheme } from './theme.js';
import { listenToKeys, makeToolbar } from './toolbar.js';

/** The players of this page, and the links of a kernel to them: link.js looks here, too. */
const shelf = () => {
  window.diffusionLab ??= { players: [], links: new Map() };
  return window.diffusionLab;
};

/** Make the player whose data stand in a div of class dl-player; where they are broken, say so under its still. */
export function startPlayer(root) {
  if (root.dataset.ready) return;
  root.dataset.ready = 'yes';
  try {
    build(root, readSpec(root.querySelector('script[type="application/json"]')?.textContent));
  } catch (error) {
    root.append(element('p', { className: 'dl-broken' }, inWords(error, 'This player')));
  }
}

function build(root, spec) {
  const positions = new Positions(spec.sliders);
  const answers = new Answers(spec);
  // link.js, of this version or another, knows a player by `id`, `attach`, `follow`, `fill`, `drawn`, `show` and, in
  // `shared`, by the sliders, where they stand, and the sketch
  const shared = { sliders: spec.sliders, k: positions.places, facts: {} };
  const player = { id: root.dataset.player, asks: spec.asks, positions, shared, paint: fitTheme(root) };
  Object.assign(player, { isAwaited, show, attach, follow, fill, drawn });
  let link = null; // to the kernel

  // ---- what stands on the page ----

  const controls = spec.sliders.map((axis, a) =>
    (axis.names ? choice : slider)(axis, positions.counts[a], (place) => go(a, place)),
  );
  const bar = element('div', { className: 'dl-bar' }, ...controls.flatMap((control) => control.nodes));
  controls.flatMap((control) => control.focus).forEach(keepKeys);
  const texts = spec.readouts.map((readout) => {
    const longest = Math.max(0, ...Object.values(readout.values ?? {}).map((text) => String(text).length));
    const text = element('b');
    text.style.minWidth = `${longest}ch`;
    return text;
  });
  const named = spec.readouts.map((readout, n) => element('span', {}, `${readout.name} `, texts[n]));
  const readouts = element('div', { className: 'dl-readouts' }, ...named);
  const panels = spec.panels.map((panel) => makePanel(panel, player));
  const rows = inRows(panels, ({ panel }) => panel.size?.[0] ?? 0).map((row) =>
    element('div', { className: 'dl-panels' }, ...row.map(({ figure }) => figure)),
  );
  const status = element('p', { className: 'dl-status' });
  const news = element('p', { className: 'dl-news' }); // for screen readers alone
  for (const line of [status, news]) line.setAttribute('role', 'status');
  const playback = new Playback(
    {
      count: positions.counts[0],
      place: () => positions.places[0],
      kept: () => (isLive() ? null : positions.kept(0)),
      go: (place) => go(0, place),
      isReady: () => !isMissing() || answers.error(positions.index()) !== undefined,
      isGone: () => !root.isConnected,
      changed: () => toolbar.tell(playback),
    },
    { slow: matchMedia('(prefers-reduced-motion: reduce)').matches },
  );
  const commands = {
    play: () => playback.toggle(),
    back: () => playback.step(-1),
    forth: () => playback.step(1),
    reset,
    loop: () => playback.toggleLoop(),
    speed: () => playback.nextSpeed(),
    save: saveShown,
    help: () => toolbar.open(!toolbar.isOpen()),
    close: () => toolbar.isOpen() && toolbar.open(false),
  };
  const toolbar = makeToolbar(
    commands,
    spec.panels.filter(({ help }) => help).map(({ help }) => ['', help]),
  );
  const still = root.querySelector('img');
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', still?.alt ?? '');
  const buttons = element('div', { className: 'dl-toolbar' }, toolbar.transport, readouts, toolbar.tools);
  root.prepend(bar, buttons, toolbar.help, ...rows, ...(spec.asks ? [status] : []), news);
  listenToKeys(root, commands);
  followWidth(root);

  function show() {
    player.paint = fitTheme(root);
    const { summary } = positions;
    for (const panel of panels) panel.show();
    const facts = spec.readouts.map((readout, n) => {
      texts[n].textContent = (readout.fact ? shared.facts[readout.fact] : positions.look(readout)) ?? '…';
      return `${readout.name} ${texts[n].textContent}`;
    });
    for (const { canvas, panel } of panels) {
      canvas.setAttribute('aria-label', [panel.caption, panel.help, summary].filter(Boolean).join(', '));
    }
    if (spec.asks) tellWhatIsMissing();
    for (const panel of panels) panel.showLegend();
    controls.forEach((control, a) => control.tell(positions.text(a), facts));
    root.dataset.value = positions.every.map((a) => positions.text(a)).join(', ');
  }

  function tellWhatIsMissing() {
    const waits = isMissing();
    const error = answers.error(positions.index());
    const hasOnlySome = spec.sliders.some((axis) => axis.kept) && !isLive(); // a page with no kernel
    if (waits) status.textContent = error ?? (isLive() ? 'computing …' : spec.asks);
    else status.textContent = hasOnlySome ? spec.asks : '';
    status.classList.toggle('dl-wrong', waits && error !== undefined);
    for (const { canvas, panel } of panels) {
      if (panel.kind === 'frames') canvas.classList.toggle('dl-waits', waits);
    }
  }

  // ---- what its buttons do ----

  /** A hand, or the play button, puts slider `a` to a place; with no kernel, to the nearest that has a picture. */
  function go(a, place) {
    const kept = positions.kept(a);
    positions.places[a] = kept && !isLive() ? nearestKept(kept, positions.places[a], place) : place;
    controls[a].move(positions.places[a]);
    show();
    link?.move(a, positions.places[a]);
  }

  function reset() {
    if (playback.isPlaying) playback.pause();
    for (const panel of panels) panel.reset();
    spec.sliders.forEach(({ start }, a) => go(a, start));
  }

  function saveShown() {
    const name = fileName(positions.summary);
    const lines = [positions.summary, named.map((node) => node.textContent).join(', ')].filter(Boolean);
    const parts = panels
      .filter(({ canvas }) => !canvas.hidden)
      .map(({ canvas, panel, legend }) => ({ canvas, caption: panel.caption ?? '', legend: legend() }));
    if (!parts.length) return;
    save(snapshot(root, parts, lines), name);
    news.textContent = `saved as ${name}`;
  }

  // ---- with a kernel: its sliders move these, these move its; it draws what is not there yet ----

  function isLive() {
    return Boolean(link?.alive());
  }

  /** Whether the kernel is drawing what belongs here. */
  function isAwaited() {
    return isLive() && !answers.error(positions.index());
  }

  function isMissing() {
    const frames = spec.panels.filter(({ kind, index }) => kind === 'frames' && index);
    return frames.some(({ index, over }) => index[positions.index(over)] === undefined);
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

  function fill(answer) {
    if (answers.fill(answer)) show();
  }

  /** The sheet, or the field for words, has something new; or its example again. */
  function drawn(isExample = false) {
    answers.restart(isExample);
    const pixels = isExample ? '' : btoa(String.fromCharCode(...shared.sketch));
    link?.draw({ version: answers.version, pixels });
    show();
  }

  toolbar.tell(playback);
  show();
  still?.remove(); // only now, when there is something in its place
  root.dlPlayer = player;
  const lab = shelf();
  lab.players = [...lab.players.filter((known) => known.deref()), new WeakRef(player)];
  lab.links.get(player.id)?.attach(player);
  watchTheme(show); // it changes the colours of text and lines
}
