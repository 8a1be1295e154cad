// Ties a guess on the page to the variable in Python behind it. It is the front half of the model `GuessLink` of
// widgets/guess_link.py, which is never shown: it works as soon as the kernel has made it.
const SHARED = 'diffusionLabGuesses'; // where guesses and links of one page find each other, see guess.js

async function connect(model, isClosed) {
  for (let tries = 0; !window[SHARED] && tries < 100; tries++) {
    await new Promise((done) => setTimeout(done, 100)); // the guess may reach the page a moment later
  }
  const guesses = window[SHARED];
  if (!guesses || isClosed()) return;
  const key = model.get('key');
  const link = {
    note(value) {
      if (model.comm_live === false || model.get('value') === value) return;
      model.set('value', value);
      model.save_changes();
    },
    /** What Python has, the page takes; else Python takes what was noted before. */
    meet() {
      const inPython = model.get('value');
      const onPage = guesses.get(key);
      if (inPython !== null && inPython !== onPage) guesses.note(key, inPython);
      else if (inPython === null && onPage !== null) link.note(onPage);
    },
  };
  guesses.links.set(key, link);
  model.on('change:value', link.meet);
  link.meet();
  return () => {
    model.off('change:value', link.meet);
    if (guesses.links.get(key) === link) guesses.links.delete(key);
  };
}

export default {
  initialize({ model }) {
    let closed = false;
    const connected = connect(model, () => closed); // not waited for: a front end gives up after two seconds
    return () => {
      closed = true;
      connected.then((end) => end?.());
    };
  },
  render({ el }) {
    el.style.display = 'none'; // some front ends make a model only when it is shown: then it is shown as nothing
  },
};
