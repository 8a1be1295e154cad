// Numbers and pictures that Python packed as text, see widgets/packing.py.

/** Data that is missing, cut short or damaged; the message is a sentence for the reader of the page. */
export class BrokenData extends Error {}

/** The bytes behind base64; `name` says in an error what they are, such as "the noise". */
export function bytes(text, name = 'the data') {
  if (typeof text !== 'string' || text === '') throw new BrokenData(`${name} is missing`);
  let raw;
  try {
    raw = atob(text);
  } catch {
    throw new BrokenData(`${name} is damaged: it is not base64`);
  }
  return Uint8Array.from(raw, (character) => character.charCodeAt(0));
}

/** 16-bit integers, least byte first, behind base64. */
export function int16(text, name = 'the data') {
  const raw = bytes(text, name);
  if (raw.length % 2) {
    throw new BrokenData(`${name} is cut short: numbers of 2 bytes, but ${raw.length} bytes came`);
  }
  return new Int16Array(raw.buffer);
}

/** The values, if there are as many as wanted. */
export function counted(values, wanted, name = 'the data') {
  if (values.length === wanted) return values;
  throw new BrokenData(`${name} is incomplete: ${wanted} numbers wanted, ${values.length} came`);
}
