// The controls of a player, one for each slider: {nodes, focus, move(place), tell(value, readouts)}: what stands in its
// row, what gets the focus, put it there (null: nowhere), and say where it stands.
import { element, uniqueId } from './dom.js';

/** A slider over numbers; `moved(place)` hears of a hand on it. */
export function slider(axis, count, moved) {
  const id = uniqueId();
  const input = element('input', { type: 'range', id, min: 0, max: count - 1, step: 1, value: axis.start });
  const number = element('span', { className: 'dl-value' }); // not <output>: it would be read aloud while playing
  const longest = Math.max(...(axis.values ?? [count - 1]).map((text) => String(text).length));
  number.style.minWidth = `${longest}ch`;
  input.oninput = () => moved(+input.value);
  function tell(value, readouts) {
    number.textContent = value;
    input.setAttribute('aria-valuetext', [`${axis.label} ${value}`, ...readouts].join(', '));
  }
  function move(place) {
    input.value = place;
  }
  const label = element('label', { htmlFor: id }, axis.label);
  return { nodes: [label, input, number], focus: [input], move, tell };
}

/** A row of buttons, one for each name. */
export function choice(axis, _count, moved) {
  const id = uniqueId();
  const inputs = axis.values.map((_, n) =>
    element('input', { type: 'radio', name: id, checked: n === axis.start, onchange: () => moved(n) }),
  );
  const labels = axis.values.map((name, n) => element('label', {}, inputs[n], element('span', {}, name)));
  const group = element('div', { className: 'dl-choice' }, ...labels);
  group.setAttribute('role', 'radiogroup');
  group.setAttribute('aria-labelledby', id);
  function move(place) {
    inputs.forEach((input, n) => {
      input.checked = n === place;
    });
  }
  return { nodes: [element('span', { id }, axis.label), group], focus: inputs, move, tell: () => {} };
}
