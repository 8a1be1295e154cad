// The moving pictures of the course: a slider, a play button, and panels that the browser draws.
//
// A div of class dl-player holds a still image, a block of JSON and this script. The JSON says what the slider's values
// are and which panels follow it; everything is drawn here, with no kernel and no network. Where scripts are not
// allowed, the still picture stays. (No closing script tag may stand in this file: it is put into pages whole.)
(() => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const int16 = (text) => new Int16Array(bytes(text).buffer);
  const ON_LIGHT = ['#0072B2', '#B34700', '#00704F', '#A3497A']; // Okabe & Ito's palette, darker and lighter
  const ON_DARK = ['#56B4E9', '#E69F00', '#2BC79A', '#E29CC4'];
  const LIMIT = 4; // histograms show -4 … 4
  const BINS = 64;

  function element(tag, properties, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  }

  function colours(node) {
    // the page's text is light where its background is dark
    const [red, green, blue] = getComputedStyle(node).color.match(/[\d.]+/g).map(Number);
    return red + green + blue > 384 ? ON_DARK : ON_LIGHT;
  }

  // ---- panels: each is made from its part of the JSON and gives a function draw(k, shared) ----

  function pixels(panel, canvas) {
    // pictures in rows, `gap` clear pixels apart; returns paint(value of every pixel in [-1, 1])
    const { count, height, width, channels, columns } = panel;
    const gap = count > 1 ? 2 : 0;
    const rows = Math.ceil(count / columns);
    canvas.width = columns * (width + gap) - gap;
    canvas.height = rows * (height + gap) - gap;
    canvas.className = 'dl-pixels';
    const context = canvas.getContext('2d');
    const image = context.createImageData(canvas.width, canvas.height);
    return (value) => {
      for (let n = 0, j = 0; n < count; n++) {
        const left = (n % columns) * (width + gap), top = Math.floor(n / columns) * (height + gap);
        for (let y = 0; y < height; y++) {
          let i = 4 * ((top + y) * canvas.width + left);
          for (let x = 0; x < width; x++, i += 4, j += channels) {
            for (let c = 0; c < 3; c++) image.data[i + c] = (value(j + (channels === 3 ? c : 0)) + 1) * 127.5;
            image.data[i + 3] = 255;
          }
        }
      }
      context.putImageData(image, 0, 0);
    };
  }

  function plot(panel, canvas) {
    // a drawing at twice the resolution of the page, with the page's own text colour
    canvas.width = 2 * panel.size[0];
    canvas.height = 2 * panel.size[1];
    const context = canvas.getContext('2d');
    return () => {
      context.setTransform(2, 0, 0, 2, 0, 0);
      context.clearRect(0, 0, ...panel.size);
      context.font = '11px system-ui, sans-serif';
      context.fillStyle = context.strokeStyle = getComputedStyle(canvas).color;
      return context;
    };
  }

  const PANELS = {
    // x_t = alpha x_0 + sigma eps for every t, from one picture and one draw of noise
    noise(panel, canvas) {
      const x0 = bytes(panel.x_0), eps = int16(panel.eps);
      const paint = pixels(panel, canvas), x_t = new Float32Array(x0.length);
      return (k, shared) => {
        const alpha = Math.sqrt(shared.abar[k]) / 127.5, sigma = Math.sqrt(1 - shared.abar[k]) * panel.eps_unit;
        for (let j = 0; j < x_t.length; j++) x_t[j] = alpha * (x0[j] - 127.5) + sigma * eps[j];
        shared.values = x_t;
        paint((j) => x_t[j]);
      };
    },
    // the same for points in the plane
    points(panel, canvas) {
      const x0 = int16(panel.x_0), eps = int16(panel.eps), start = plot(panel, canvas), [w, h] = panel.size;
      const unit = Math.min(w, h) / 2 / panel.limit, x_t = new Float32Array(x0.length);
      return (k, shared) => {
        const context = start();
        context.strokeRect(0.5, 0.5, w - 1, h - 1);
        context.fillStyle = colours(canvas)[0];
        context.globalAlpha = 0.6;
        const alpha = Math.sqrt(shared.abar[k]) * panel.x_0_unit, sigma = Math.sqrt(1 - shared.abar[k]) * panel.eps_unit;
        for (let j = 0; j < x_t.length; j++) x_t[j] = alpha * x0[j] + sigma * eps[j];
        for (let j = 0; j < x_t.length; j += 2) context.fillRect(w / 2 + unit * x_t[j] - 1, h / 2 - unit * x_t[j + 1] - 1, 2, 2);
        context.globalAlpha = 1;
        shared.values = x_t;
      };
    },
    // pictures made beforehand, one set per value of the slider
    frames(panel, canvas) {
      const data = bytes(panel.frames), paint = pixels(panel, canvas);
      const size = panel.count * panel.height * panel.width * panel.channels;
      return (k) => paint((j) => data[k * size + j] / 127.5 - 1);
    },
    // how often each value occurs in the panel before it, beside the standard normal density
    histogram(panel, canvas) {
      const start = plot(panel, canvas), [w, h] = panel.size, floor = h - 16, step = (2 * LIMIT) / BINS;
      return (k, shared) => {
        const counts = new Float32Array(BINS), context = start();
        for (const v of shared.values) if (v >= -LIMIT && v < LIMIT) counts[Math.floor((v + LIMIT) / step)]++;
        const tall = (density) => Math.min(floor, density * floor * 1.25);
        context.fillStyle = colours(canvas)[0];
        counts.forEach((n, i) => {
          const top = tall(n / shared.values.length / step);
          context.fillRect((i * w) / BINS, floor - top, w / BINS - 0.5, top);
        });
        context.strokeStyle = colours(canvas)[1];
        context.lineWidth = 1.5;
        context.beginPath();
        for (let x = 0; x <= w; x += 2) {
          const v = (x / w - 0.5) * 2 * LIMIT;
          context.lineTo(x, floor - tall(Math.exp((-v * v) / 2) / Math.sqrt(2 * Math.PI)));
        }
        context.stroke();
        context.fillStyle = getComputedStyle(canvas).color;
        context.textAlign = 'center';
        for (const v of [-3, -2, -1, 0, 1, 2, 3]) context.fillText(v, ((v + LIMIT) / (2 * LIMIT)) * w, h - 3);
      };
    },
    // lines over the slider's range, with a mark where it stands
    curves(panel, canvas) {
      const start = plot(panel, canvas), [w, h] = panel.size, floor = h - 16, names = Object.keys(panel.lines);
      return (k, shared) => {
        const context = start(), at = (k / (shared.count - 1)) * w;
        context.fillText(`${shared.first}`, 1, h - 3);
        context.textAlign = 'right';
        context.fillText(`${shared.label} ${shared.last}`, w - 1, h - 3);
        context.globalAlpha = 0.4;
        context.strokeRect(0.5, 0.5, w - 1, floor - 1);
        context.beginPath();
        context.moveTo(at, 0);
        context.lineTo(at, floor);
        context.stroke();
        context.globalAlpha = 1;
        context.textAlign = 'left';
        context.lineWidth = 2;
        names.forEach((name, n) => {
          const line = panel.lines[name], y = (i) => 3 + (floor - 6) * (1 - line[i]);
          context.fillStyle = context.strokeStyle = colours(canvas)[n];
          context.setLineDash(n ? [6, 3] : []);
          context.beginPath();
          line.forEach((_, i) => context.lineTo((i / (line.length - 1)) * w, y(i)));
          context.stroke();
          context.setLineDash([]);
          const here = y(Math.round((k / (shared.count - 1)) * (line.length - 1)));
          context.beginPath();
          context.arc(at, here, 4, 0, 7);
          context.fill();
        });
      };
    },
  };

  function legend(panel) {
    return Object.keys(panel.lines ?? {}).map((name, n) =>
      element('span', { className: 'dl-line' }, n ? ' - - ' : ' —— ', name));
  }

  // ---- one player ----

  function start(root) {
    if (root.dataset.ready) return;
    root.dataset.ready = 'yes';
    const spec = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const last = spec.count - 1, id = `dl-${Math.random().toString(36).slice(2)}`;
    const value = (k) => (spec.values ? spec.values[k] : k);
    const shared = { abar: spec.abar, label: spec.label, count: spec.count, first: value(0), last: value(last), values: [] };

    const slider = element('input', { type: 'range', id, min: 0, max: last, step: 1, value: spec.start });
    const play = element('button', { type: 'button', className: 'dl-play' });
    const number = element('span', { className: 'dl-value' }); // not <output>: it would be read aloud while playing
    // JupyterLab takes the arrow keys away from an input unless the input itself carries this attribute
    for (const control of [slider, play]) control.setAttribute('data-lm-suppress-shortcuts', 'true');
    const bar = element('div', { className: 'dl-bar' }, play, element('label', { htmlFor: id }, spec.label), slider, number);
    const readouts = element('div', { className: 'dl-readouts' });
    const row = element('div', { className: 'dl-panels' });
    const draws = spec.panels.map((panel) => {
      const canvas = element('canvas');
      canvas.setAttribute('role', 'img');
      canvas.style.width = `${panel.size[0]}px`;
      const figure = element('figure', {}, canvas, element('figcaption', {}, panel.caption, ...legend(panel)));
      figure.style.width = `${panel.size[0]}px`;
      row.append(figure);
      return [canvas, panel, PANELS[panel.kind](panel, canvas)];
    });
    root.prepend(bar, readouts, row);

    function show() {
      const k = +slider.value, said = spec.readouts.map((readout) => `${readout.name} ${readout.values[k]}`);
      for (const [canvas, panel, draw] of draws) {
        draw(k, shared);
        canvas.setAttribute('aria-label', `${panel.caption}, ${spec.label} ${value(k)}`);
      }
      row.querySelectorAll('figcaption').forEach((caption) => {
        caption.querySelectorAll('.dl-line').forEach((line, n) => (line.style.color = colours(root)[n]));
      });
      number.textContent = value(k);
      readouts.textContent = said.join('   ');
      slider.setAttribute('aria-valuetext', [`${spec.label} ${value(k)}`, ...said].join(', '));
      root.dataset.value = value(k);
    }

    let timer = 0;
    function pause() {
      clearInterval(timer);
      timer = 0;
      play.textContent = '▶';
      play.setAttribute('aria-label', 'play');
    }
    play.onclick = () => {
      if (timer) return pause();
      if (+slider.value >= last) slider.value = 0;
      const stride = Math.max(1, Math.round(spec.count / 150));
      play.textContent = '⏸';
      play.setAttribute('aria-label', 'pause');
      timer = setInterval(() => {
        if (!root.isConnected || +slider.value >= last) return pause();
        slider.value = Math.min(last, +slider.value + stride);
        show();
      }, Math.max(33, 4000 / spec.count));
    };
    slider.oninput = show;
    pause();
    show();
    root.querySelector('img')?.remove(); // only now, when there is something in its place
    // a change of theme changes the colours of text and lines
    new MutationObserver(show).observe(document.body, { attributes: true, attributeFilter: ['class', 'data-jp-theme-light'] });
  }

  const here = document.currentScript?.closest('.dl-player');
  (here ? [here] : document.querySelectorAll('.dl-player:not([data-ready])')).forEach(start);
})();
