// The moving pictures of the course: sliders, a play button, and panels that the browser draws.
//
// A div of class dl-player holds a still image, a block of JSON and this script. The JSON says what the values of the
// sliders are and which panels follow them; everything is drawn here, with no kernel and no network. Where scripts are
// not allowed, the still picture stays. (No closing script tag may stand in this file: it is put into pages whole.)
//
// What depends on the sliders is a table {over, values}: `over` lists sliders, `values` has one entry per combination
// of where these stand, the last one running fastest. shared.look(table) is the entry for where they stand now.
(() => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const int16 = (text) => new Int16Array(bytes(text).buffer);
  const ON_LIGHT = ['#0072B2', '#B34700', '#00704F', '#A3497A']; // Okabe & Ito's palette, darker and lighter
  const ON_DARK = ['#56B4E9', '#E69F00', '#2BC79A', '#E29CC4'];
  const LIMIT = 4; // histograms show -4 … 4
  const BINS = 64;
  const DASHES = [[], [6, 3], [8, 3, 2, 3], [2, 2]];

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

  // ---- panels: each is made from its part of the JSON and gives a function draw(shared) ----

  function tiles(panel, canvas) {
    // room for pictures in rows, `gap` clear pixels apart; returns corner(n) of the n-th
    const { count, cell: [width, height], columns, gap } = panel;
    canvas.width = columns * (width + gap) - gap;
    canvas.height = Math.ceil(count / columns) * (height + gap) - gap;
    if (!panel.smooth) canvas.className = 'dl-pixels';
    return (n) => [(n % columns) * (width + gap), Math.floor(n / columns) * (height + gap)];
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
      context.lineWidth = 1;
      return context;
    };
  }

  const PANELS = {
    // x_t = alpha x_0 + sigma eps for every t, from one picture and one draw of noise
    noise(panel, canvas) {
      const x0 = bytes(panel.x_0), eps = int16(panel.eps), x_t = new Float32Array(x0.length);
      const { count, channels, cell: [width, height] } = panel, corner = tiles(panel, canvas);
      const context = canvas.getContext('2d'), image = context.createImageData(canvas.width, canvas.height);
      return (shared) => {
        const abar = shared.look(panel.abar);
        const alpha = Math.sqrt(abar) / 127.5, sigma = Math.sqrt(1 - abar) * panel.eps_unit;
        for (let j = 0; j < x_t.length; j++) x_t[j] = alpha * (x0[j] - 127.5) + sigma * eps[j];
        for (let n = 0, j = 0; n < count; n++) {
          const [left, top] = corner(n);
          for (let y = 0; y < height; y++) {
            let i = 4 * ((top + y) * canvas.width + left);
            for (let x = 0; x < width; x++, i += 4, j += channels) {
              for (let c = 0; c < 3; c++) image.data[i + c] = (x_t[j + (channels === 3 ? c : 0)] + 1) * 127.5;
              image.data[i + 3] = 255;
            }
          }
        }
        context.putImageData(image, 0, 0);
        shared.values = x_t;
      };
    },
    // the same for points in the plane
    points(panel, canvas) {
      const x0 = int16(panel.x_0), eps = int16(panel.eps), start = plot(panel, canvas), [w, h] = panel.size;
      const unit = Math.min(w, h) / 2 / panel.limit, x_t = new Float32Array(x0.length);
      return (shared) => {
        const context = start(), abar = shared.look(panel.abar);
        context.strokeRect(0.5, 0.5, w - 1, h - 1);
        context.fillStyle = colours(canvas)[0];
        context.globalAlpha = 0.6;
        const alpha = Math.sqrt(abar) * panel.x_0_unit, sigma = Math.sqrt(1 - abar) * panel.eps_unit;
        for (let j = 0; j < x_t.length; j++) x_t[j] = alpha * x0[j] + sigma * eps[j];
        for (let j = 0; j < x_t.length; j += 2) context.fillRect(w / 2 + unit * x_t[j] - 1, h / 2 - unit * x_t[j + 1] - 1, 2, 2);
        context.globalAlpha = 1;
        shared.values = x_t;
      };
    },
    // pictures made beforehand: a PNG for each combination, with its own pictures side by side and no gaps
    frames(panel, canvas) {
      const corner = tiles(panel, canvas), context = canvas.getContext('2d'), [width, height] = panel.cell;
      const pictures = panel.frames.map((png) => Object.assign(new Image(), { src: `data:image/png;base64,${png}` }));
      return (shared) => {
        const which = shared.look({ over: panel.over, values: panel.index }), picture = pictures[which];
        canvas.setAttribute('aria-busy', !picture.complete);
        if (!picture.complete) return (picture.onload = shared.show);
        const count = panel.counts[which], columns = Math.min(panel.columns, count);
        const w = picture.naturalWidth / columns, h = picture.naturalHeight / Math.ceil(count / columns);
        context.clearRect(0, 0, canvas.width, canvas.height);
        context.imageSmoothingEnabled = Boolean(panel.smooth);
        for (let n = 0; n < count; n++) {
          const [left, top] = corner(n), from = [(n % columns) * w, Math.floor(n / columns) * h];
          context.drawImage(picture, ...from, w, h, left, top, width, height);
        }
      };
    },
    // how often each value occurs in the panel before it, beside the standard normal density
    histogram(panel, canvas) {
      const start = plot(panel, canvas), [w, h] = panel.size, floor = h - 16, step = (2 * LIMIT) / BINS;
      return (shared) => {
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
    // lines over the first slider's range, with a mark where it stands; where another slider chooses one of the lines,
    // the others are faint
    curves(panel, canvas) {
      const start = plot(panel, canvas), [w, h] = panel.size, floor = h - 16, names = Object.keys(panel.lines);
      return (shared) => {
        const context = start(), share = panel.at ? shared.look(panel.at) : shared.k[0] / (shared.counts[0] - 1);
        const at = 4 + share * (w - 8), chosen = shared.k[panel.chosen];
        context.fillText(shared.value(0, 0), 1, h - 3);
        context.textAlign = 'right';
        context.fillText(`${shared.sliders[0].label} ${shared.value(0, shared.counts[0] - 1)}`, w - 1, h - 3);
        context.globalAlpha = 0.4;
        context.strokeRect(0.5, 0.5, w - 1, floor - 1);
        context.beginPath();
        context.moveTo(at, 0);
        context.lineTo(at, floor);
        context.stroke();
        context.textAlign = 'left';
        names.forEach((name, n) => {
          const line = shared.look(panel.lines[name]), y = (i) => 5 + (floor - 10) * (1 - line[i]);
          const x = (i) => 4 + (i / (line.length - 1)) * (w - 8), plain = chosen === undefined;
          context.fillStyle = context.strokeStyle = colours(canvas)[n % 4];
          context.globalAlpha = plain || n === chosen ? 1 : 0.45;
          context.lineWidth = plain || n === chosen ? 2 : 1;
          context.setLineDash(DASHES[n % 4]);
          context.beginPath();
          line.forEach((_, i) => context.lineTo(x(i), y(i)));
          context.stroke();
          context.setLineDash([]);
          if (!plain && n !== chosen) return;
          if (line.length <= 21) line.forEach((_, i) => context.fillRect(x(i) - 2, y(i) - 2, 4, 4));
          context.beginPath();
          context.arc(at, y(Math.round(share * (line.length - 1))), 4.5, 0, 7);
          context.fill();
        });
        context.globalAlpha = 1;
      };
    },
    // one positive number on a scale of powers of ten
    meter(panel, canvas) {
      const start = plot(panel, canvas), [w, h] = panel.size, { low, high } = panel, top = h / 2 - 6, deep = 16;
      const x = (power) => 5 + (Math.min(high, Math.max(low, power)) - low) / (high - low) * (w - 10);
      return (shared) => {
        const context = start(), value = shared.look(panel), power = Math.log10(value);
        const [digits, tens] = value.toExponential(1).split('e').map(Number);
        const raised = (n) => [...String(n)].map((c) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[c] ?? '⁻').join('');
        const text = context.fillStyle;
        context.font = '600 20px system-ui, sans-serif';
        context.fillText(tens < -2 ? `${digits} · 10${raised(tens)}` : value.toPrecision(2), 5, top - 22);
        context.font = '11px system-ui, sans-serif';
        context.fillStyle = colours(canvas)[power > -2 ? 1 : 0];
        context.fillRect(x(low), top, x(power) - x(low), deep);
        context.fillStyle = text;
        context.fillRect(x(power) - 1.5, top - 4, 3, deep + 8);
        context.globalAlpha = 0.4;
        context.strokeRect(x(low), top + 0.5, x(high) - x(low), deep - 1);
        context.globalAlpha = 1;
        context.textAlign = 'center';
        for (let n = Math.ceil(low / 3) * 3; n <= high; n += 3) {
          context.fillRect(x(n) - 0.5, top + deep, 1, 4);
          context.fillText(n ? `10${raised(n)}` : '1', Math.max(14, x(n)), top + deep + 16);
        }
        context.textAlign = 'left';
        context.fillText('only noise', 5, top + deep + 33);
        context.textAlign = 'right';
        context.fillText('still a picture', w - 5, top + deep + 33);
        context.textAlign = 'left';
      };
    },
  };

  function legend(panel) {
    return Object.keys(panel.lines ?? {}).map((name, n) => {
      const line = element('span', { className: 'dl-line' }, [' —— ', ' - - ', ' -·- ', ' ··· '][n % 4], name);
      if (panel.chosen !== undefined) line.dataset.chosen = panel.chosen;
      return line;
    });
  }

  // ---- controls: each is {nodes, move(k), tell(text)}: what stands in its row, put it there, say where it stands ----

  function slider(axis, count, moved) {
    const id = `dl-${Math.random().toString(36).slice(2)}`;
    const input = element('input', { type: 'range', id, min: 0, max: count - 1, step: 1, value: axis.start });
    const number = element('span', { className: 'dl-value' }); // not <output>: it would be read aloud while playing
    const longest = Math.max(...(axis.values ?? [count - 1]).map((text) => String(text).length));
    number.style.minWidth = `${longest}ch`;
    input.oninput = () => moved(+input.value);
    const tell = (value, said) => {
      number.textContent = value;
      input.setAttribute('aria-valuetext', [`${axis.label} ${value}`, ...said].join(', '));
    };
    const label = element('label', { htmlFor: id }, axis.label);
    return { nodes: [label, input, number], focus: [input], move: (k) => (input.value = k), tell };
  }

  function buttons(axis, count, moved) {
    const id = `dl-${Math.random().toString(36).slice(2)}`;
    const inputs = axis.values.map((_, n) => element('input', { type: 'radio', name: id, checked: n === axis.start }));
    inputs.forEach((input, n) => (input.onchange = () => moved(n)));
    const each = axis.values.map((name, n) => element('label', {}, inputs[n], element('span', {}, name)));
    const group = element('div', { className: 'dl-choice' }, ...each);
    group.setAttribute('role', 'radiogroup');
    group.setAttribute('aria-labelledby', id);
    const move = (k) => (inputs[k].checked = true);
    return { nodes: [element('span', { id }, axis.label), group], focus: inputs, move, tell: () => {} };
  }

  // ---- one player ----

  function start(root) {
    if (root.dataset.ready) return;
    root.dataset.ready = 'yes';
    const spec = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const { sliders } = spec, k = sliders.map((axis) => axis.start); // where each slider stands
    const counts = sliders.map((axis) => axis.values?.length ?? axis.count);
    const look = (table) => table.values[table.over.reduce((n, a) => n * counts[a] + k[a], 0)];
    const value = (a, n = k[a]) => String(sliders[a].values?.[n] ?? n);
    const shared = { sliders, k, counts, look, value, show, values: [] };

    const play = element('button', { type: 'button', className: 'dl-play' });
    const controls = sliders.map((axis, a) =>
      (axis.names ? buttons : slider)(axis, counts[a], (n) => {
        k[a] = n;
        show();
      }));
    const bar = element('div', { className: 'dl-bar' });
    controls.forEach((control, a) => bar.append(a ? element('span') : play, ...control.nodes));
    // JupyterLab takes the arrow keys away from an input unless the input itself carries this attribute
    for (const control of [play, ...controls.flatMap((control) => control.focus)]) {
      control.setAttribute('data-lm-suppress-shortcuts', 'true');
    }
    const said = spec.readouts.map((readout) => {
      const text = element('b');
      text.style.minWidth = `${Math.max(...readout.values.map((one) => String(one).length))}ch`;
      return text;
    });
    const readouts = element('div', { className: 'dl-readouts' });
    spec.readouts.forEach((readout, n) => readouts.append(element('span', {}, `${readout.name} `, said[n])));
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
    const still = root.querySelector('img');
    root.setAttribute('role', 'group');
    root.setAttribute('aria-label', still?.alt ?? '');
    root.prepend(...(said.length ? [bar, readouts, row] : [bar, row]));

    function show() {
      root.style.colorScheme = colours(root) === ON_DARK ? 'dark' : 'light'; // for the sliders themselves
      const stands = sliders.map((axis, a) => `${axis.label} ${value(a)}`).join(', ');
      const all = spec.readouts.map((readout, n) => {
        said[n].textContent = look(readout);
        return `${readout.name} ${look(readout)}`;
      });
      for (const [canvas, panel, draw] of draws) {
        draw(shared);
        canvas.setAttribute('aria-label', [panel.caption, stands].filter(Boolean).join(', '));
      }
      row.querySelectorAll('figcaption').forEach((caption) => {
        caption.querySelectorAll('.dl-line').forEach((line, n) => (line.style.color = colours(root)[n % 4]));
        caption.querySelectorAll('[data-chosen]').forEach((line, n) => line.classList.toggle('dl-chosen', n === k[line.dataset.chosen]));
      });
      controls.forEach((control, a) => control.tell(value(a), all));
      root.dataset.value = sliders.map((_, a) => value(a)).join(', ');
    }

    // the play button moves the first slider
    const last = counts[0] - 1;
    let timer = 0;
    function move(n) {
      controls[0].move((k[0] = n));
      show();
    }
    function pause() {
      clearInterval(timer);
      timer = 0;
      play.textContent = '▶';
      play.setAttribute('aria-label', 'play');
    }
    play.onclick = () => {
      if (timer) return pause();
      if (k[0] >= last) move(0);
      const stride = Math.max(1, Math.round(counts[0] / 150));
      play.textContent = '⏸';
      play.setAttribute('aria-label', 'pause');
      timer = setInterval(() => {
        if (!root.isConnected || k[0] >= last) return pause();
        move(Math.min(last, k[0] + stride));
      }, Math.min(800, Math.max(33, 4000 / counts[0])));
    };
    pause();
    show();
    still?.remove(); // only now, when there is something in its place
    // a change of theme changes the colours of text and lines
    new MutationObserver(show).observe(document.body, { attributes: true, attributeFilter: ['class', 'data-jp-theme-light'] });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
  }

  const here = document.currentScript?.closest('.dl-player');
  (here ? [here] : document.querySelectorAll('.dl-player:not([data-ready])')).forEach(start);
})();
