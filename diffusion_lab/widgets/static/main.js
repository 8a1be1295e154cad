// The moving pictures of the course: sliders, a play button, and panels that the browser draws.
//
// A div of class dl-player holds a still image, a block of JSON and this script, joined into one by widgets/script.py.
// The JSON says what the values of the sliders are and which panels follow them; everything is drawn here, with no
// kernel and no network. Where scripts are not allowed, the still picture stays. With a kernel behind the page, link.js
// ties the sliders here to those of ipywidgets.
import { canShow, startPlayer } from './player.js';

const own = document.currentScript?.closest('.dl-player');
if (own) startPlayer(own);
else {
  // this script may lack what another player needs, which brings its own
  const roots = [...document.querySelectorAll('.dl-player:not([data-ready])')];
  roots.filter(canShow).forEach(startPlayer);
}
