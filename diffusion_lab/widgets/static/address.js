// Links to what a player shows: #t=300&schedule=cosine puts the sliders of the first player of a page there, and
// #player=2&eta=0.5 those of the second.

const SHOWN = 40; // letters of a link that are said again

/** A name or a value as it stands in a link: letters, digits, dots and signs, with hyphens between words. */
const slug = (text) =>
  String(text)
    .replace(/[^\p{L}\p{N}.+-]+/gu, '-')
    .replace(/^-|-$/g, '');

/** What a link asks for, {player, wishes: [[name, value]]}; null if it leads to something else, such as a heading. */
export function wishesOf(hash) {
  if (!/^#[^=&]+=/.test(hash)) return null;
  const asked = [...new URLSearchParams(hash.slice(1))];
  const player = asked.find(([name]) => name === 'player')?.[1] ?? '1';
  return { player, wishes: asked.filter(([name]) => name !== 'player') };
}

/** The slider that a name in a link means: by its label, or by a word of it, such as t of "time t"; -1 for none. */
function sliderCalled(name, sliders) {
  const ways = [
    (label) => slug(label) === slug(name),
    (label) => label.split(/\s+/).includes(name),
    (label) => slug(label).toLowerCase() === slug(name).toLowerCase(),
  ];
  for (const isMeant of ways) {
    const a = sliders.findIndex(({ label }) => isMeant(label));
    if (a >= 0) return a;
  }
  return -1;
}

const valuesOf = ({ values, count }) => values ?? Array.from({ length: count }, (_, place) => String(place));

/** The place of a slider that a value in a link means: the value itself, or the nearest number; -1 for none. */
function placeOf(value, slider) {
  const values = valuesOf(slider);
  const same = values.findIndex((text) => text === value || (slider.names && slug(text) === slug(value)));
  const numbers = values.map(Number);
  if (same >= 0 || slider.names || numbers.some(Number.isNaN)) return same;
  const wanted = value.trim() === '' ? Number.NaN : Number(value);
  if (!(wanted >= Math.min(...numbers) && wanted <= Math.max(...numbers))) return -1;
  const distances = numbers.map((number) => Math.abs(number - wanted));
  return distances.indexOf(Math.min(...distances));
}

/** The places that wishes mean, {places: [[slider, place]], troubles}, the latter in words for what is not possible. */
export function placesOf(wishes, sliders) {
  const [places, troubles] = [[], []];
  for (const [name, value] of wishes) {
    const a = sliderCalled(name, sliders);
    const place = a < 0 ? -1 : placeOf(value, sliders[a]);
    if (place >= 0) {
      places.push([a, place]);
      continue;
    }
    const asked = `The link asks for ${name} = ${value}`.slice(0, SHOWN + 20);
    const labels = sliders.map(({ label }) => label).join(', ');
    if (a < 0) troubles.push(`${asked}, but what can be moved here is: ${labels}.`);
    else troubles.push(`${asked}, but ${sliders[a].label} ${rangeOf(sliders[a])}.`);
  }
  return { places, troubles };
}

function rangeOf(slider) {
  const values = valuesOf(slider);
  return slider.names ? `is one of: ${values.join(', ')}` : `goes from ${values[0]} to ${values.at(-1)}`;
}

/** The end of a link to where the sliders of the n-th player of a page stand. */
export function hashOf(sliders, places, n) {
  const named = sliders.map((slider, a) => {
    const value = valuesOf(slider)[places[a]];
    return [slug(slider.label), slider.names ? slug(value) : value];
  });
  return `#${new URLSearchParams([...(n > 1 ? [['player', n]] : []), ...named])}`;
}
