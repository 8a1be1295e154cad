// The buttons of a player, and the keys that do the same.
import { element, keepKeys, uniqueId } from './dom.js';
import { icon } from './icons.js';
import { commandOf, HELP } from './keys.js';

/** A button with an icon; its name is what a screen reader says and what a mouse that rests on it is told. */
function button(name, label, onclick, className = '') {
  const made = element(
    'button',
    { type: 'button', className: `dl-button ${className}`.trim(), onclick },
    icon(name),
  );
  rename(made, label);
  keepKeys(made);
  return made;
}

function rename(made, label) {
  if (made.getAttribute('aria-label') === label) return;
  made.setAttribute('aria-label', label);
  made.title = label;
}

/**
 * Buttons to play the first slider, and tools. `commands` has a function for each of the names in keys.js, but for `link`
 * only where a link makes sense; `extra` are
 * more keys to tell of, [keys, what they do]. Gives {transport, tools, help, tell(playback),
 * tellPins(areSet), open(isOpen), isOpen()}.
 */
export function makeToolbar(commands, extra) {
  const play = button('play', 'play', commands.play, 'dl-play');
  const loop = button('loop', 'play again at the end', commands.loop);
  const factor = element('span', { className: 'dl-factor' });
  const speed = button('speed', 'speed', commands.speed);
  speed.append(factor);
  const ways = [
    button('reset', 'back to the start', commands.reset),
    button('back', 'one step back', commands.back),
    play,
    button('forth', 'one step on', commands.forth),
    loop,
    speed,
  ];
  const transport = element('div', { className: 'dl-transport' }, ...ways);
  const asking = button('help', 'keys', commands.help);
  const pin = button('pin', 'pin, to compare', commands.pin);
  const utilities = [pin, button('save', 'save as PNG', commands.save), asking];
  if (commands.link) utilities.splice(2, 0, button('link', 'copy a link to this', commands.link));
  const tools = element('div', { className: 'dl-utilities' }, ...utilities);
  const help = element('dl', { className: 'dl-help', id: uniqueId(), hidden: true });
  for (const [keys, text, needs] of [...HELP, ...extra]) {
    if (needs && !commands[needs]) continue;
    const caps = keys.split(' ').map((key) => element('kbd', {}, key));
    help.append(element('div', {}, element('dt', {}, ...caps), element('dd', {}, text)));
  }
  asking.setAttribute('aria-controls', help.id);

  function tell({ isPlaying, isLooping, speed: times }) {
    play.replaceChildren(icon(isPlaying ? 'pause' : 'play'));
    rename(play, isPlaying ? 'pause' : 'play');
    loop.setAttribute('aria-pressed', isLooping);
    factor.textContent = `${times === 0.5 ? '½' : times}×`;
    rename(speed, `speed ${times} ×`);
  }

  function tellPins(areSet) {
    pin.setAttribute('aria-pressed', areSet);
    rename(pin, areSet ? 'unpin' : 'pin, to compare');
  }

  function open(isOpen) {
    help.hidden = !isOpen;
    asking.setAttribute('aria-expanded', isOpen);
  }
  open(false);
  tellPins(false);
  return { transport, tools, help, tell, tellPins, open, isOpen: () => !help.hidden };
}

/** Let keys pressed anywhere inside `root` do what the buttons do, unless the part that has the focus needs them. */
export function listenToKeys(root, commands) {
  root.addEventListener('keydown', (event) => {
    const { target } = event;
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const command = commandOf(
      event.key,
      target.tagName === 'INPUT' ? target.type : target.tagName.toLowerCase(),
    );
    if (!commands[command] || commands[command]() === false) return;
    event.preventDefault();
    event.stopPropagation();
  });
}
