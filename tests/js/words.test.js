// Words that are typed where only some are drawn.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestText, notDrawn } from '../../diffusion_lab/widgets/static/words.js';

const PROMPTS = ['a red seven left of a blue three', 'a blue seven left of a red three', 'a yellow two'];

test('the nearest text is the one with the fewest other letters', () => {
  assert.equal(nearestText('a red sevn left of a blue three', PROMPTS), PROMPTS[0]);
  assert.equal(nearestText('  A  BLUE seven left of a red tree ', PROMPTS), PROMPTS[1]);
  assert.equal(nearestText('a yelow too', PROMPTS), PROMPTS[2]);
  assert.equal(nearestText('3141592654', ['0123456789', '3141592653']), '3141592653');
});

test('what is like none of them means none', () => {
  for (const text of ['', ' ', 'xylophone', '12345', 'ÄÖÜ']) assert.equal(nearestText(text, PROMPTS), null);
  assert.equal(nearestText('a red seven', []), null);
});

test('it is said that words are not drawn, and which are meant', () => {
  assert.equal(
    notDrawn('a yelow two', PROMPTS),
    '“a yelow two” is not drawn on this page. Did you mean “a yellow two”? Run the cell to have your own words drawn.',
  );
  assert.equal(
    notDrawn('xylophone', PROMPTS),
    '“xylophone” is not drawn on this page. Run the cell to have your own words drawn.',
  );
});
