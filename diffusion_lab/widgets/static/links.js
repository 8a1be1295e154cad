// Links to a state of a page: to go where its address leads, and to copy one.
import { hashOf, placesOf, wishesOf } from './address.js';

const players = () => [...document.querySelectorAll('.dl-player')];

/**
 * Go where the address of the page leads, if it leads to this player, now and whenever it changes; `go(slider, place)`
 * moves, and `tell(text, seen)` says in words what is not possible.
 */
export function followAddress(root, sliders, go, tell) {
  const isThere = () => players()[wishesOf(location.hash)?.player - 1] !== undefined;
  function visit() {
    const wanted = wishesOf(location.hash);
    if (!wanted || !root.isConnected) return;
    const all = players();
    if (!isThere() && root === all[0] && document.readyState === 'complete') {
      tell(`The link asks for player ${wanted.player.slice(0, 20)}, but this page has ${all.length}.`, true);
    }
    if (all[wanted.player - 1] !== root) return;
    const { places, troubles } = placesOf(wanted.wishes, sliders);
    for (const [a, place] of places) go(a, place);
    if (troubles.length) tell(troubles.join(' '), true);
    if (wanted.player > 1) root.scrollIntoView();
  }
  visit();
  addEventListener('hashchange', visit);
  addEventListener('load', () => isThere() || visit()); // only then is it known how many players there are
}

/** Copy a link to where the sliders of a player stand; where that is not allowed, it goes to the address bar. */
export function copyLink(root, sliders, places, tell) {
  const hash = hashOf(sliders, places, players().indexOf(root) + 1);
  const copied = navigator.clipboard?.writeText(location.href.split('#')[0] + hash) ?? Promise.reject();
  copied.then(
    () => tell('The link is copied.', true),
    () => {
      history.replaceState(null, '', hash);
      tell('The link stands in the address bar.', true);
    },
  );
}
