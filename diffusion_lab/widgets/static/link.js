// Ties a player on the page to the ipywidgets sliders of a kernel, both ways. It is the front half of the model `Link`
// of widgets/link.py, which is never shown: it works as soon as the kernel has made it, and the notebook keeps no trace.
const SHARED = 'diffusionLab'; // where players and links of one page find each other, see player.js

// when a page is opened again, models come back from the kernel in any order
async function find(manager, name) {
  for (let tries = 0; tries < 50; tries++) {
    try {
      return await manager.get_model(name.slice('IPY_MODEL_'.length));
    } catch {
      await new Promise((done) => setTimeout(done, 100));
    }
  }
  return null;
}

// a field for words above the pictures of a player, one of whose sliders chooses among examples (the first, if none says
// so); what is typed goes to the kernel as a sketch does
async function addField(player, label) {
  const { k, sliders } = player.shared;
  const own = `.dl-player[data-player="${player.id}"]`;
  let root;
  for (let tries = 0; !root && tries < 50; tries++) {
    // the player may reach the page a moment later
    root = [...document.querySelectorAll(own)].find((candidate) => candidate.dlPlayer === player);
    if (!root) await new Promise((done) => setTimeout(done, 100));
  }
  if (!root) return null;
  const make = (tag, style, properties) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.style.cssText = style;
    return node;
  };
  const a = Math.max(
    0,
    sliders.findIndex(({ examples }) => examples),
  );
  const example = () => sliders[a].values[k[a]];
  let isTyped = false;
  let last = k[a];
  const row = make('div', 'display: flex; gap: .5em; margin: .3em 0 .5em; align-items: center', {});
  const id = `dl-${Math.random().toString(36).slice(2)}`;
  const input = make('input', 'flex: 1; min-width: 0; font: inherit', {
    type: 'text',
    className: 'dl-words',
    id,
    value: example(),
    autocomplete: 'off',
  });
  const button = make('button', 'font: inherit; cursor: pointer', {
    type: 'button',
    className: 'dl-button',
    textContent: 'draw',
  });
  for (const node of [input, button]) node.setAttribute('data-lm-suppress-shortcuts', 'true');
  row.append(make('label', '', { htmlFor: id, textContent: label }), input, button);
  button.onclick = () => {
    const text = input.value.trim();
    isTyped = text !== example();
    player.shared.sketch = new TextEncoder().encode(`${text}\n`); // never empty: an empty prompt is one, too
    player.drawn(!isTyped);
  };
  input.onkeydown = (event) => {
    event.stopPropagation(); // what is typed is no command to the notebook
    if (event.key === 'Enter') button.click();
  };
  root.querySelector('.dl-bar').after(row);
  return {
    remove: () => row.remove(),
    chosen() {
      if (k[a] === last) return;
      last = k[a];
      input.value = example();
      if (isTyped) player.drawn(true);
      isTyped = false;
    },
  };
}

async function connect(model, isClosed) {
  window[SHARED] ??= { players: [], links: new Map() };
  const lab = window[SHARED];
  lab.others ??= new Map(); // all links by id: one that the kernel has replaced may go later than its heir comes
  const id = model.get('player');
  const label = model.get('field');
  const players = new Set();
  const answers = new Map(); // of the kernel, by place
  const fields = new Map(); // by player
  model.on('msg:custom', (answer) => {
    answers.set(answer.place, answer); // kept for a player that comes later
    for (const player of players) player.fill(answer);
  });
  const controls = await Promise.all(model.get('controls').map((name) => find(model.widget_manager, name)));
  if (controls.includes(null) || isClosed()) return; // the kernel has closed them meanwhile
  const where = (control) => (control.get('index') === undefined ? 'value' : 'index'); // a choice has an index
  const link = {
    alive: () => controls.every((control) => control.comm_live !== false),
    places: () => controls.map((control) => control.get(where(control))),
    move(a, n) {
      chosen(); // before the kernel hears of the slider: it would draw the typed words once more
      if (!link.alive() || controls[a].get(where(controls[a])) === n) return;
      controls[a].set(where(controls[a]), n);
      controls[a].save_changes();
    },
    draw(sketch) {
      answers.clear();
      if (!link.alive()) return;
      model.set('sketch', sketch);
      model.save_changes();
    },
    attach(player) {
      players.add(player);
      player.attach(link);
      player.show();
      for (const answer of answers.values()) player.fill(answer);
      if (label && !fields.has(player)) addField(player, label).then((field) => fields.set(player, field));
    },
  };
  const chosen = () => {
    for (const field of fields.values()) field?.chosen();
  };
  const moved = () => {
    for (const player of players) player.follow(link.places());
    chosen();
  };
  for (const control of controls) control.on(`change:${where(control)}`, moved);
  lab.links.set(id, link);
  lab.others.set(id, [...(lab.others.get(id) ?? []), link]);
  for (const player of lab.players.map((reference) => reference.deref())) {
    if (player?.id === id) link.attach(player);
  }
  return () => {
    for (const control of controls) control.off(`change:${where(control)}`, moved);
    const others = lab.others.get(id).filter((other) => other !== link);
    lab.others.set(id, others);
    if (lab.links.get(id) === link) {
      lab.links.delete(id);
      const heir = others.at(-1);
      if (heir) lab.links.set(id, heir);
      for (const player of players) heir ? heir.attach(player) : player.attach(null);
    }
    for (const field of fields.values()) field?.remove();
  };
}

export default {
  initialize({ model }) {
    let isClosed = false;
    const connected = connect(model, () => isClosed); // not waited for: a front end gives up after two seconds
    return () => {
      isClosed = true;
      connected.then((end) => end?.());
    };
  },
  render({ el }) {
    el.style.display = 'none'; // some front ends make a model only when it is shown: then it is shown as nothing
  },
};
