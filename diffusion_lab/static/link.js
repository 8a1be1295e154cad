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

async function connect(model) {
  const lab = (window[SHARED] ??= { players: [], links: new Map() });
  const id = model.get('player'), players = new Set(), answers = new Map();
  model.on('msg:custom', (answer) => {
    answers.set(answer.place, answer); // kept for a player that comes later
    players.forEach((player) => player.fill(answer));
  });
  const controls = await Promise.all(model.get('controls').map((name) => find(model.widget_manager, name)));
  if (controls.includes(null)) return; // the kernel has closed them meanwhile
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
      answers.forEach((answer) => player.fill(answer));
    },
  };
  const moved = () => players.forEach((player) => player.follow(link.places()));
  controls.forEach((control) => control.on(`change:${where(control)}`, moved));
  lab.links.set(id, link);
  lab.players.map((one) => one.deref()).forEach((player) => player?.id === id && link.attach(player));
  return () => {
    controls.forEach((control) => control.off(`change:${where(control)}`, moved));
    if (lab.links.get(id) === link) lab.links.delete(id);
    players.forEach((player) => player.attach(null));
  };
}

export default {
  initialize({ model }) {
    const connected = connect(model); // not waited for: a front end gives up after two seconds
    return () => connected.then((end) => end?.());
  },
  render({ el }) {
    el.style.display = 'none'; // some front ends make a model only when it is shown: then it is shown as nothing
  },
};
