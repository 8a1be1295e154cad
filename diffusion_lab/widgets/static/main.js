// The moving pictures of the course: sliders, a play button, and panels that the browser draws.
//
// A div of class dl-player holds a still image, a block of JSON and this script, joined into one by widgets/script.py.
// The JSON says what the values of the sliders are and which panels follow them; everything is drawn here, with no
// kernel and no network. Where scripts are not allowed, the still picture stays. With a kernel behind the page, link.js
// ties the sliders here to those of ipywidgets.
import { startPlayer } from './player.js';

const own = document.currentScript?.closest('.dl-player');
const roots = own ? [own] : document.querySelectorAll('.dl-player:not([data-ready])');
roots.forEach(startPlayer);
