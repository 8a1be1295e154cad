// One player: its controls, read-outs and panels, and the kernel behind it, if there is one.
import { Answers, PATIENCE, statusOf } from './answers.js';
import { choice, slider } from './controls.js';
import { element, keepKeys } from './dom.js';
import { followWidth, inRows } from './layout.js';
import { copyLink, followAddress } from './links.js';
import { isKnown, makePanel } from './panels.js';
import { Pins } from './pins.js';
import { Playback } from './playback.js';
import { nearestKept, Positions } from './positions.js';
import { fileName, save, snapshot } from './snapshot.js';
import { inWords, readSpec } from './spec.js';
import { fitTheme, watchTheme } from './theme.js';
import { listenToKeys, makeToolbar } from './toolbar.js';
import { notDrawn, wordsField } from './words.js';

/** The players of this page, and the links of a kernel to them: link.js looks here, too. */
const shelf = () => {
  window.diffusionLab ??= { players: [], links: new Map() };
  return window.diffusionLab;
};

const dataOf = (root) => root.querySelector('script[type="application/json"]')?.textContent;

/** Whether this script has the panels of a player; of broken data it can at least say so. */
export function canShow(root) {
  try {
    return readSpec(dataOf(root)).panels.every(({ kind }) => isKnown(kind));
  } catch {
    return true;
  }
}

/** Make the player whose data stand in a div of class dl-player; where they are broken, say so under its still. */
export function startPlayer(root) {
  if (root.dataset.ready) return;
  root.dataset.ready = 'yes';
  try {
    build(root, readSpec(dataOf(root)));
  } catch (error) {
    root.append(element('p', { className: 'dl-broken' }, inWords(error, 'This player')));
  }
}

function build(root, spec) {
  const positions = new Positions(spec.sliders);
  const answers = new Answers(spec);
  // link.js knows a player by `id`, `attach`, `follow`, `fill`, `works` and `show`
  const shared = { facts: {} };
  const player = { id: root.dataset.player, asks: spec.asks, positions, shared, paint: fitTheme(root) };
  Object.assign(player, { isAwaited, show, attach, follow, fill, works, drawn });
  let link = null; // to the kernel
  let working = 0; // pictures that it has begun to draw
  let since = null; // when something began to be missing
  let unknown = ''; // what is said of words that nobody can draw here
  const example = spec.sliders.findIndex(({ examples }) => examples); // in whose place words can be typed, or -1
  const isOnAPage = window === window.top && !root.closest('.lm-Widget, #notebook'); // not in a notebook: links lead here

  // ---- what stands on the page ----

  const controls = spec.sliders.map((axis, a) =>
    (axis.names ? choice : slider)(axis, positions.counts[a], (place) => go(a, place)),
  );
  const field = example < 0 ? null : wordsField(`your own ${spec.sliders[example].label}`, typed);
  if (field) {
    const { nodes } = controls[example];
    nodes[1] = element('div', { className: 'dl-examples' }, nodes[1], field.node);
  }
  const bar = element('div', { className: 'dl-bar' });
  [...controls, ...(field ? [field] : [])].flatMap(({ focus }) => focus).forEach(keepKeys);
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
  const news = element('p', { className: 'dl-news' }); // for screen readers, and for all where it matters to them
  for (const line of [status, news]) line.setAttribute('role', 'status');
  const playback = new Playback(
    {
      count: positions.counts[0],
      place: () => positions.places[0],
      kept: () => (isLive() ? null : positions.kept(0)),
      played: () => (isLive() ? drawnPlaces() : positions.kept(0)),
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
    pin: togglePin,
    save: saveShown,
    ...(isOnAPage ? { link: () => copyLink(root, spec.sliders, positions.places, tell) } : {}),
    help: () => toolbar.open(!toolbar.isOpen()),
    close: () => toolbar.isOpen() && toolbar.open(false),
  };
  const toolbar = makeToolbar(
    commands,
    spec.panels.filter(({ help }) => help).map(({ help }) => ['', help]),
  );
  const pins = new Pins(root, panels);
  const still = root.querySelector('img');
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', still?.alt ?? '');
  const buttons = element('div', { className: 'dl-toolbar' }, toolbar.transport, readouts, toolbar.tools);
  root.prepend(bar, buttons, news, toolbar.help, ...rows, ...(spec.asks ? [status] : []));
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
    field?.show(positions.text(example));
    root.dataset.value = positions.every.map((a) => positions.text(a)).join(', ');
  }

  /** Put the controls into their bar; without a kernel, none that has only one value to offer. */
  function layBar() {
    const useful = controls.filter((_, a) => isLive() || positions.kept(a)?.length !== 1);
    bar.replaceChildren(...useful.flatMap(({ nodes }) => nodes));
  }

  function tellWhatIsMissing() {
    const waits = isMissing();
    const error = answers.error(positions.index());
    if (!waits || error !== undefined) since = null;
    else if (since === null) {
      since = performance.now();
      setTimeout(show, PATIENCE + 50);
    }
    const said = statusOf({
      waits,
      error,
      isLive: isLive(),
      isWorking: working > 0,
      waited: performance.now() - (since ?? Number.POSITIVE_INFINITY),
      asks: spec.asks,
      hasOnlySome: spec.sliders.some((axis) => axis.kept),
    });
    status.textContent = unknown || said;
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
    tell('');
    unknown = '';
    if (a === example) forgetWords(); // before the kernel hears of the slider: it would draw them once more
    controls[a].move(positions.places[a]);
    show();
    link?.move(a, positions.places[a]);
  }

  /** Words stand in the field: those of an example choose it, others are for the kernel. */
  function typed(text) {
    const place = spec.sliders[example].values.indexOf(text);
    if (place >= 0) return go(example, place);
    if (!isLive()) {
      unknown = notDrawn(text, spec.sliders[example].values);
      tellWhatIsMissing();
      return;
    }
    positions.typed[example] = text;
    controls[example].move(null);
    shared.sketch = new TextEncoder().encode(`${text}\n`); // never empty: an empty prompt is one, too
    drawn();
  }

  /** An example is chosen again in the place of what was typed. */
  function forgetWords() {
    if (positions.typed[example] === undefined) return;
    delete positions.typed[example];
    drawn(true);
  }

  /** Say something to screen readers, and to everybody if it is `seen`. */
  function tell(text, seen = false) {
    news.textContent = text;
    news.classList.toggle('dl-seen', seen);
  }

  function togglePin() {
    if (pins.areSet) pins.remove();
    else if (!pins.set(`pinned: ${summaryLines().join('; ')}`)) tell('There is no picture to pin yet.', true);
    toolbar.tellPins(pins.areSet);
  }

  function reset() {
    if (playback.isPlaying) playback.pause();
    for (const panel of panels) panel.reset();
    spec.sliders.forEach(({ start }, a) => go(a, start));
  }

  function saveShown() {
    const name = fileName(positions.summary);
    const shown = panels
      .filter(({ canvas }) => !canvas.hidden)
      .map(({ canvas, panel, legend }) => ({ canvas, caption: panel.caption ?? '', legend: legend() }));
    if (!shown.length) return;
    save(snapshot(root, [...shown, ...pins.copies], summaryLines()), name);
    tell(`saved as ${name}`);
  }

  /** Where the sliders stand, and the read-outs, in words. */
  function summaryLines() {
    return [positions.summary, named.map((node) => node.textContent).join(', ')].filter(Boolean);
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

  /** The places of the first slider that need no kernel, or no longer, if there are only some; else null. */
  function drawnPlaces() {
    const count = positions.counts[0];
    if ((positions.kept(0)?.length ?? count) === count) return null; // words and drawings are for the kernel
    const here = positions.places[0];
    const there = Array.from({ length: count }, (_, place) => place).filter((place) => {
      positions.places[0] = place;
      return !isMissing();
    });
    positions.places[0] = here;
    return there;
  }

  function attach(to) {
    link = to;
    working = 0;
    layBar();
    root.dataset.live = link ? 'yes' : 'no';
    if (link) follow(link.places());
    else show();
  }

  function follow(places) {
    if (places.every((place, a) => place === positions.places[a])) return;
    if (example >= 0 && places[example] !== positions.places[example]) forgetWords();
    places.forEach((place, a) => {
      positions.places[a] = place;
      controls[a].move(place);
    });
    show();
  }

  function fill(answer) {
    since = null;
    if (answers.fill(answer)) show();
  }

  /** The kernel has begun to draw, or ended. */
  function works(isWorking) {
    working = Math.max(0, working + (isWorking ? 1 : -1));
    if (spec.asks) tellWhatIsMissing();
  }

  /** The sheet, or the field for words, has something new; or its example again. */
  function drawn(isExample = false) {
    answers.restart(isExample);
    const pixels = isExample ? '' : btoa(String.fromCharCode(...shared.sketch));
    link?.draw({ version: answers.version, pixels });
    show();
  }

  toolbar.tell(playback);
  layBar();
  show();
  still?.remove(); // only now, when there is something in its place
  root.dlPlayer = player;
  const lab = shelf();
  lab.players = [...lab.players.filter((known) => known.deref()), new WeakRef(player)];
  lab.links.get(player.id)?.attach(player);
  watchTheme(show); // it changes the colours of text and lines
  if (isOnAPage) followAddress(root, spec.sliders, go, tell);
}
