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

async function connect(model, isClosed) {
  window[SHARED] ??= { players: [], links: new Map() };
  const lab = window[SHARED];
  lab.others ??= new Map(); // all links by id: one that the kernel has replaced may go later than its heir comes
  const id = model.get('player');
  const players = new Set();
  const answers = new Map(); // of the kernel, by place
  model.on('msg:custom', (answer) => {
    if (answer.working !== undefined) {
      for (const player of players) player.works?.(answer.working);
      return;
    }
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
    },
  };
  const moved = () => {
    for (const player of players) player.follow(link.places());
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
