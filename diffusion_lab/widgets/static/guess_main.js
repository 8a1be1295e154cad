// A guess or its answer: a div with a block of JSON and this script, joined into one by widgets/script.py.
import { startAnswer, startGuess } from './guess.js';

const own = document.currentScript?.closest('.dl-guess, .dl-answer');
const roots = own ? [own] : document.querySelectorAll(':is(.dl-guess, .dl-answer):not([data-ready])');
for (const root of roots) (root.matches('.dl-guess') ? startGuess : startAnswer)(root);
