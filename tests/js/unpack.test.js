// Numbers that Python packed come out as they went in, and broken ones say what is wrong in words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokenData, bytes, counted, int16 } from '../../diffusion_lab/widgets/static/unpack.js';

const broken = (message) => (error) => error instanceof BrokenData && message.test(error.message);

test('bytes are those behind the base64', () => {
  // base64.b64encode(bytes([0, 1, 127, 128, 255])) in Python
  assert.deepEqual([...bytes('AAF/gP8=')], [0, 1, 127, 128, 255]);
});

test('16-bit integers have a sign and come least byte first', () => {
  // np.array([0, 1, -1, 32000, -32000], "<i2")
  assert.deepEqual([...int16('AAABAP//AH0Agw==')], [0, 1, -1, 32000, -32000]);
});

test('what is missing, damaged or cut short is named', () => {
  for (const nothing of [undefined, null, '', 7]) {
    assert.throws(() => bytes(nothing, 'the noise'), broken(/^the noise is missing$/));
  }
  assert.throws(() => bytes('%%%', 'the picture'), broken(/^the picture is damaged: it is not base64$/));
  assert.throws(() => int16('AAF/', 'the noise'), broken(/^the noise is cut short: .*, but 3 bytes came$/));
});

test('values are given back if there are as many as wanted', () => {
  const values = [1, 2, 3];
  assert.equal(counted(values, 3), values);
  assert.throws(() => counted(values, 4, 'the noise'), broken(/^the noise is incomplete: 4 .* 3 came$/));
});
