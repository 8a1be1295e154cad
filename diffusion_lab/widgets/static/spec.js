// The data of a player as they stand in the page, read and checked before anything is made of them.
import { BrokenData } from './unpack.js';

/** The data behind the JSON of a player; a BrokenData says in words what they lack. */
export function readSpec(text) {
  if (!text?.trim()) throw new BrokenData('its data are missing');
  let spec;
  try {
    spec = JSON.parse(text);
  } catch {
    throw new BrokenData('its data are cut short or damaged');
  }
  const { sliders, panels, readouts } = spec ?? {};
  if (!Array.isArray(sliders) || sliders.length === 0) throw new BrokenData('its sliders are missing');
  if (!Array.isArray(panels) || panels.length === 0) throw new BrokenData('its pictures are missing');
  for (const slider of sliders) {
    const count = slider.values?.length ?? slider.count;
    if (!(count > 0)) throw new BrokenData(`the values of its slider ${slider.label} are missing`);
    if (!(slider.start >= 0 && slider.start < count)) {
      throw new BrokenData(`its slider ${slider.label} begins outside of its values`);
    }
  }
  return { ...spec, readouts: readouts ?? [] };
}

/** A sentence for whoever looks at the place of something that cannot be shown. */
export function inWords(error, what) {
  const reason = error instanceof BrokenData ? error.message : 'its data are damaged';
  return `${what} cannot be shown: ${reason}. Running the cell again makes it anew.`;
}
