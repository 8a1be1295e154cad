// Parts of a page, made in one expression.

/** An element with properties of the DOM (`className`, `onclick`, …) and children, nodes or text. */
export function element(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** A name for an element that nothing else on the page has, to tie a label to its control. */
export const uniqueId = () => `dl-${Math.random().toString(36).slice(2)}`;

/** JupyterLab takes keys away from an element unless the element itself says that it wants them. */
export function keepKeys(node) {
  node.setAttribute('data-lm-suppress-shortcuts', 'true');
}
