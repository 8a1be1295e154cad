// The moving pictures of the course: sliders, a play button, and panels that the browser draws.
//
// A div of class dl-player holds a still image, a block of JSON and this script. The JSON says what the values of the
// sliders are and which panels follow them; everything is drawn here, with no kernel and no network. Where scripts are
// not allowed, the still picture stays. (No closing script tag may stand in this file: it is put into pages whole.)
//
// What depends on the sliders is a table {over, values}: `over` lists sliders, `values` has one entry per combination
// of where these stand, the last one running fastest. shared.look(table) is the entry for where they stand now. Of
// pictures that a kernel draws when they are asked for, `values` has only those that are there.
//
// With a kernel behind the page, link.js ties the sliders here to those of ipywidgets.
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
    // (a player whose cell was run again is no part of the page any more, and has no colour)
    const [red, green, blue] = (getComputedStyle(node).color.match(/[\d.]+/g) ?? [0, 0, 0]).map(Number);
    return red + green + blue > 384 ? ON_DARK : ON_LIGHT;
  }

  const lab = (window.diffusionLab ??= { players: [], links: new Map() }); // of this page; link.js looks here, too

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

  const scales = (abar) => [Math.sqrt(abar), Math.sqrt(1 - abar)];

  function line(context, x0, y0, x1, y1) {
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
  }

  function arrow(context, x0, y0, x1, y1) {
    const long = Math.hypot(x1 - x0, y1 - y0), tip = Math.min(5, long / 2);
    if (long < 1) return context.fillRect(x0 - 0.75, y0 - 0.75, 1.5, 1.5);
    const [x, y] = [(x1 - x0) / long, (y1 - y0) / long];
    line(context, x0, y0, x1 - (x * tip) / 2, y1 - (y * tip) / 2);
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x1 - tip * (x + y / 2), y1 - tip * (y - x / 2));
    context.lineTo(x1 - tip * (x - y / 2), y1 - tip * (y + x / 2));
    context.fill();
  }

  function dot(context, x, y, radius, colour) {
    context.fillStyle = colour;
    context.beginPath();
    context.arc(x, y, radius, 0, 7);
    context.fill();
  }

  // E[x_0 | x_t] for a mixture of Gaussians in the plane, and how probable each of them is: see oracle.GaussianMixture
  function guess({ weights, means, variances, axes }, x_t, alpha, sigma) {
    const logs = [], guesses = weights.map((weight, n) => {
      const x_0 = [...means[n]];
      logs[n] = Math.log(weight);
      for (let e = 0; e < 2; e++) {
        const spread = alpha * alpha * variances[n][e] + sigma * sigma, axis = [axes[n][0][e], axes[n][1][e]];
        const offset = (x_t[0] - alpha * means[n][0]) * axis[0] + (x_t[1] - alpha * means[n][1]) * axis[1];
        logs[n] -= (offset * offset) / spread / 2 + Math.log(spread) / 2;
        for (let i = 0; i < 2; i++) x_0[i] += ((alpha * variances[n][e] * offset) / spread) * axis[i];
      }
      return x_0;
    });
    const most = Math.max(...logs), likely = logs.map((log) => Math.exp(log - most));
    const sum = likely.reduce((one, other) => one + other), shares = likely.map((one) => one / sum);
    return { shares, x_0: [0, 1].map((i) => guesses.reduce((all, one, n) => all + shares[n] * one[i], 0)) };
  }

  // a drawing moved by whole pixels so that its ink balances in the middle, as the digits of MNIST do
  function centred(ink, w, h) {
    let sum = 0, x = 0, y = 0;
    ink.forEach((value, n) => {
      sum += value;
      x += value * ((n % w) + 0.5);
      y += value * (Math.floor(n / w) + 0.5);
    });
    const right = sum ? Math.round(w / 2 - x / sum) : 0, down = sum ? Math.round(h / 2 - y / sum) : 0;
    return Uint8Array.from(ink, (_, n) => {
      const j = (n % w) - right, i = Math.floor(n / w) - down;
      return i >= 0 && i < h && j >= 0 && j < w ? ink[i * w + j] : 0;
    });
  }

  // a canvas that follows a mouse, pen or finger, and, if `at()` says where things stand, the arrow keys
  function grab(canvas, moved, at, ended) {
    canvas.tabIndex = 0;
    canvas.className = 'dl-grab';
    const place = (event) => {
      const box = canvas.getBoundingClientRect(), zoom = canvas.width / 2 / box.width; // drawn at twice the page's size
      moved((event.clientX - box.left) * zoom, (event.clientY - box.top) * zoom);
    };
    canvas.onpointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      canvas.onpointermove = place;
      place(event);
    };
    canvas.onpointerup = canvas.onpointercancel = () => {
      canvas.onpointermove = null;
      ended?.();
    };
    if (!at) return;
    canvas.onkeydown = (event) => {
      const by = { ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, -6], ArrowDown: [0, 6] }[event.key];
      if (!by) return;
      event.preventDefault();
      const [x, y] = at();
      moved(x + by[0], y + by[1]);
    };
  }

  const PANELS = {
    // x_t = alpha x_0 + sigma eps for every t, from one picture and one draw of noise
    noise(panel, canvas) {
      const eps = int16(panel.eps), x_t = new Float32Array(eps.length), still = panel.x_0 && bytes(panel.x_0);
      const { count, channels, cell: [width, height] } = panel, corner = tiles(panel, canvas);
      const context = canvas.getContext('2d'), image = context.createImageData(canvas.width, canvas.height);
      return (shared) => {
        const abar = shared.look(panel.abar), x0 = still ?? shared.sketch;
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
      const load = (png) => Object.assign(new Image(), { src: `data:image/png;base64,${png}` });
      const pictures = panel.frames.map(load);
      panel.add = (place, { png, count }) => {
        panel.latest = panel.index[place] = pictures.push(load(png)) - 1;
        panel.counts.push(count);
      };
      return (shared) => {
        const here = shared.look({ over: panel.over, values: panel.index });
        const which = here ?? panel.latest, picture = pictures[which]; // while one is drawn, the last that was
        canvas.setAttribute('aria-busy', here === undefined ? shared.awaits() : !picture.complete);
        if (!picture || (here === undefined && !shared.awaits())) return;
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
    // points that become noise, arrows from x_t to the best guess of x_0, and one marked x_t, which can be moved
    field(panel, canvas, player) {
      const x0 = int16(panel.x_0), eps = int16(panel.eps), start = plot(panel, canvas), [w, h] = panel.size;
      const unit = Math.min(w, h) / 2 / panel.limit, x = (a) => w / 2 + unit * a, y = (b) => h / 2 - unit * b;
      let marked = null; // where a hand put it; before that, it is the first point
      grab(canvas, (px, py) => {
        marked = [(px - w / 2) / unit, (h / 2 - py) / unit];
        player.show();
      }, () => [x(player.shared.marked[0]), y(player.shared.marked[1])]);
      return (shared) => {
        const context = start(), [alpha, sigma] = scales(shared.look(panel.abar)), colour = colours(canvas);
        const a = alpha * panel.x_0_unit, s = sigma * panel.eps_unit;
        shared.marked = marked ?? [a * x0[0] + s * eps[0], a * x0[1] + s * eps[1]];
        const best = guess(panel.mixture, shared.marked, alpha, sigma);
        shared.facts = { chances: best.shares.map((share) => `${Math.round(100 * share)} %`).join(', ') };
        Object.assign(shared, { alpha, sigma, best: best.x_0 });
        context.save();
        context.beginPath();
        context.rect(0, 0, w, h);
        context.clip();
        context.strokeRect(0.5, 0.5, w - 1, h - 1);
        context.fillStyle = colour[0];
        context.globalAlpha = 0.6;
        for (let j = 0; j < x0.length; j += 2) context.fillRect(x(a * x0[j] + s * eps[j]) - 1, y(a * x0[j + 1] + s * eps[j + 1]) - 1, 2, 2);
        context.globalAlpha = 0.85;
        const { cells, limit } = panel, step = (2 * limit) / cells;
        for (let n = 0; n < cells * cells; n++) {
          const at = [step * ((n % cells) + 0.5) - limit, step * (Math.floor(n / cells) + 0.5) - limit];
          const to = guess(panel.mixture, at, alpha, sigma).x_0.map((value, i) => at[i] + (value - at[i]) / 4);
          arrow(context, x(at[0]), y(at[1]), x(to[0]), y(to[1]));
        }
        context.globalAlpha = 1;
        context.strokeStyle = context.fillStyle = colour[1];
        context.lineWidth = 2;
        arrow(context, x(shared.marked[0]), y(shared.marked[1]), x(best.x_0[0]), y(best.x_0[1]));
        dot(context, x(shared.marked[0]), y(shared.marked[1]), 5, colour[1]);
        context.restore();
      };
    },
    // which of those points the marked x_t may come from, and the best guess in the middle of them
    candidates(panel, canvas) {
      const x0 = int16(panel.x_0), start = plot(panel, canvas), [w, h] = panel.size, fit = new Float32Array(x0.length / 2);
      const unit = Math.min(w, h) / 2 / panel.limit, x = (a) => w / 2 + unit * a, y = (b) => h / 2 - unit * b;
      return (shared) => {
        const context = start(), { alpha, sigma, marked, best } = shared;
        const miss = (n, i) => (marked[i] - alpha * panel.x_0_unit * x0[2 * n + i]) ** 2;
        for (let n = 0; n < fit.length; n++) fit[n] = -(miss(n, 0) + miss(n, 1)) / (2 * sigma * sigma + 1e-12);
        const most = fit.reduce((one, other) => Math.max(one, other)), ink = context.fillStyle, [colour, mark] = colours(canvas);
        context.strokeRect(0.5, 0.5, w - 1, h - 1);
        for (let n = 0; n < fit.length; n++) {
          const at = [x(panel.x_0_unit * x0[2 * n]), y(panel.x_0_unit * x0[2 * n + 1])], share = Math.exp(fit[n] - most);
          context.globalAlpha = 0.35 * (1 - share);
          context.fillStyle = ink;
          context.fillRect(at[0] - 1, at[1] - 1, 2, 2);
          context.globalAlpha = share;
          if (share > 0.02) dot(context, ...at, 3.5, colour);
        }
        context.globalAlpha = 1;
        context.strokeStyle = mark;
        context.lineWidth = 3;
        for (const side of [-1, 1]) line(context, x(best[0]) - 6, y(best[1]) - 6 * side, x(best[0]) + 6, y(best[1]) + 6 * side);
      };
    },
    // a sheet to draw on: by mouse, pen or finger, or with the arrow keys, the space bar putting the pen down and up
    sheet(panel, canvas, player) {
      const [w, h] = panel.cell, example = bytes(panel.x_0), [zoom] = [panel.size[0] / w];
      const context = canvas.getContext('2d'), ink = Float32Array.from(example);
      canvas.width = 2 * panel.size[0];
      canvas.height = 2 * panel.size[1];
      const small = element('canvas', { width: w, height: h }), pixels = small.getContext('2d').createImageData(w, h);
      let cursor = null, down = false, last = null;
      function stroke(px, py) {
        const [x0, y0] = last ?? [px, py], steps = Math.ceil(4 * Math.hypot(px - x0, py - y0)) || 1;
        for (let n = 1; n <= steps; n++) {
          const x = x0 + ((px - x0) * n) / steps, y = y0 + ((py - y0) * n) / steps;
          for (let i = Math.max(0, Math.floor(y) - 2); i <= Math.min(h - 1, Math.floor(y) + 2); i++) {
            for (let j = Math.max(0, Math.floor(x) - 2); j <= Math.min(w - 1, Math.floor(x) + 2); j++) {
              const reach = 255 * Math.min(1, Math.max(0, 1.6 - Math.hypot(j + 0.5 - x, i + 0.5 - y)));
              ink[i * w + j] = Math.max(ink[i * w + j], reach);
            }
          }
        }
        last = [px, py];
        player.shared.sketch = centred(ink, w, h);
      }
      function put(values, itself) {
        ink.set(values);
        player.shared.sketch = itself ? example : centred(ink, w, h);
        player.drawn(itself);
      }
      const finish = () => {
        if (last) player.drawn();
        last = null;
      };
      grab(canvas, (px, py) => {
        stroke(px / zoom, py / zoom);
        player.show();
      }, null, finish);
      canvas.onkeydown = (event) => {
        const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        if (!by && event.key !== ' ') return;
        event.preventDefault();
        cursor ??= [w / 2, h / 2];
        if (by) cursor = [Math.min(w, Math.max(0, cursor[0] + by[0])), Math.min(h, Math.max(0, cursor[1] + by[1]))];
        else down = !down;
        if (down) stroke(...cursor);
        else finish();
        player.show();
      };
      canvas.onblur = () => {
        finish();
        cursor = null;
        down = false;
        player.show();
      };
      const clear = element('button', { type: 'button', onclick: () => put(new Float32Array(w * h)) }, 'clear');
      const back = element('button', { type: 'button', onclick: () => put(example, true) }, 'example');
      panel.tools = [clear, back];
      player.shared.sketch = example;
      return () => {
        ink.forEach((value, i) => pixels.data.set([value, value, value, 255], 4 * i));
        small.getContext('2d').putImageData(pixels, 0, 0);
        context.imageSmoothingEnabled = false;
        context.drawImage(small, 0, 0, canvas.width, canvas.height);
        if (!cursor) return;
        context.strokeStyle = ON_DARK[1];
        context.lineWidth = down ? 6 : 2;
        context.strokeRect(2 * zoom * cursor[0] - 10, 2 * zoom * cursor[1] - 10, 20, 20);
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
    const place = (over) => over.reduce((n, a) => n * counts[a] + k[a], 0), every = sliders.map((_, a) => a);
    const look = (table) => table.values[place(table.over)];
    const value = (a, n = k[a]) => String(sliders[a].values?.[n] ?? n);
    const shared = { sliders, k, counts, look, value, show, values: [], facts: {} };
    let link = null, version = 0, errors = {}; // to the kernel; of the drawing; what went wrong there, by place
    shared.awaits = () => live() && !errors[place(every)];
    const player = { id: root.dataset.player, shared, show, attach, follow, fill, drawn };

    const play = element('button', { type: 'button', className: 'dl-play' });
    const controls = sliders.map((axis, a) =>
      (axis.names ? buttons : slider)(axis, counts[a], (n) => {
        move(a, n);
        link?.move(a, k[a]);
      }));
    const bar = element('div', { className: 'dl-bar' });
    controls.forEach((control, a) => bar.append(a ? element('span') : play, ...control.nodes));
    // JupyterLab takes the arrow keys away from an input unless the input itself carries this attribute
    for (const control of [play, ...controls.flatMap((control) => control.focus)]) {
      control.setAttribute('data-lm-suppress-shortcuts', 'true');
    }
    const said = spec.readouts.map((readout) => {
      const text = element('b');
      text.style.minWidth = `${Math.max(...Object.values(readout.values ?? {}).map((one) => String(one).length), 0)}ch`;
      return text;
    });
    const readouts = element('div', { className: 'dl-readouts' });
    spec.readouts.forEach((readout, n) => readouts.append(element('span', {}, `${readout.name} `, said[n])));
    const row = element('div', { className: 'dl-panels' });
    const draws = spec.panels.map((panel) => {
      const canvas = element('canvas');
      canvas.style.width = `${panel.size[0]}px`;
      const draw = PANELS[panel.kind](panel, canvas, player);
      const tools = element('div', { className: 'dl-tools' }, ...(panel.tools ?? []));
      const figure = element('figure', {}, canvas, element('figcaption', {}, panel.caption, ...legend(panel)), tools);
      figure.style.width = `${panel.size[0]}px`;
      canvas.setAttribute('role', canvas.tabIndex < 0 ? 'img' : 'application');
      for (const node of canvas.tabIndex < 0 ? [] : [canvas, ...(panel.tools ?? [])]) node.setAttribute('data-lm-suppress-shortcuts', 'true');
      row.append(figure);
      return [canvas, panel, draw];
    });
    const status = element('p', { className: 'dl-status' });
    status.setAttribute('role', 'status');
    const still = root.querySelector('img');
    root.setAttribute('role', 'group');
    root.setAttribute('aria-label', still?.alt ?? '');
    root.prepend(...[bar, said.length && readouts, row, spec.asks && status].filter(Boolean));

    function show() {
      root.style.colorScheme = colours(root) === ON_DARK ? 'dark' : 'light'; // for the sliders themselves
      const stands = sliders.map((axis, a) => `${axis.label} ${value(a)}`).join(', ');
      for (const [, , draw] of draws) draw(shared);
      const all = spec.readouts.map((readout, n) => {
        said[n].textContent = (readout.fact ? shared.facts[readout.fact] : look(readout)) ?? '…';
        return `${readout.name} ${said[n].textContent}`;
      });
      for (const [canvas, panel] of draws) canvas.setAttribute('aria-label', [panel.caption, panel.help, stands].filter(Boolean).join(', '));
      if (spec.asks) tellWhatIsMissing();
      row.querySelectorAll('figcaption').forEach((caption) => {
        caption.querySelectorAll('.dl-line').forEach((line, n) => (line.style.color = colours(root)[n % 4]));
        caption.querySelectorAll('[data-chosen]').forEach((line, n) => line.classList.toggle('dl-chosen', n === k[line.dataset.chosen]));
      });
      controls.forEach((control, a) => control.tell(value(a), all));
      root.dataset.value = sliders.map((_, a) => value(a)).join(', ');
    }

    // ---- with a kernel: its sliders move these, these move its; it draws what is not there yet ----

    const live = () => link !== null && link.alive();
    const missing = () => spec.panels.some((panel) => panel.kind === 'frames' && panel.index[place(panel.over)] === undefined);

    function tellWhatIsMissing() {
      const waits = missing(), wrong = errors[place(every)];
      const some = sliders.some((axis) => axis.kept) && !live(); // a page with no kernel has only some
      status.textContent = waits ? wrong ?? (live() ? 'computing …' : spec.asks) : some ? spec.asks : '';
      status.classList.toggle('dl-wrong', waits && wrong !== undefined);
      draws.forEach(([canvas, panel]) => panel.kind === 'frames' && canvas.classList.toggle('dl-waits', waits));
    }

    // puts slider a where it was asked to go or, with no kernel, to the nearest place for which there is a picture
    function move(a, n) {
      const { kept } = sliders[a];
      if (kept && !live()) {
        const ahead = kept.filter((one) => (n > k[a] ? one > k[a] : one < k[a])); // a key moves on, if it can
        const among = Math.abs(n - k[a]) === 1 && ahead.length ? ahead : kept;
        n = among.reduce((best, one) => (Math.abs(one - n) < Math.abs(best - n) ? one : best));
      }
      controls[a].move((k[a] = n));
      show();
    }

    function attach(to) {
      link = to;
      root.dataset.live = link ? 'yes' : 'no';
      if (link) follow(link.places());
      else show();
    }

    function follow(places) {
      if (places.every((n, a) => n === k[a])) return;
      places.forEach((n, a) => controls[a].move((k[a] = n)));
      show();
    }

    function fill(answer) {
      if (answer.version !== version) return; // of another drawing
      errors[answer.place] = answer.error;
      Object.entries(answer.panels ?? {}).forEach(([n, picture]) => spec.panels[n].add(answer.place, picture));
      Object.entries(answer.readouts ?? {}).forEach(([n, text]) => (spec.readouts[n].values[answer.place] = text));
      show();
    }

    // a new drawing: what was drawn for the old one goes; what came with the page belongs to its example
    const answered = spec.asks ? [...spec.panels, ...spec.readouts].filter((part) => part.asked) : [];
    const store = (part) => (part.kind === 'frames' ? 'index' : 'values');
    const stored = answered.map((part) => ({ ...part[store(part)] }));
    function drawn(itself = false) {
      version = itself ? 0 : version + 1 + (version === 0 ? Date.now() : 0);
      errors = {};
      answered.forEach((part, n) => (part[store(part)] = itself ? { ...stored[n] } : {}));
      link?.draw({ version, pixels: itself ? '' : btoa(String.fromCharCode(...shared.sketch)) });
      show();
    }

    // ---- the play button moves the first slider ----

    const last = counts[0] - 1, slow = matchMedia('(prefers-reduced-motion: reduce)').matches;
    let timer = 0;
    function go(n) {
      move(0, n);
      link?.move(0, k[0]);
    }
    function pause() {
      clearInterval(timer);
      timer = 0;
      play.textContent = '▶';
      play.setAttribute('aria-label', 'play');
    }
    play.onclick = () => {
      if (timer) return pause();
      if (k[0] >= last) go(0);
      const stops = sliders[0].kept && !live() ? sliders[0].kept : null, moves = (stops?.length ?? counts[0]) - 1;
      const stride = slow ? Math.ceil(moves / 10) : Math.max(1, Math.round((moves + 1) / 150));
      play.textContent = '⏸';
      play.setAttribute('aria-label', 'pause');
      timer = setInterval(() => {
        if (!root.isConnected || k[0] >= last) return pause();
        if (!missing() || errors[place(every)]) go(stops ? stops.find((n) => n > k[0]) ?? last : Math.min(last, k[0] + stride));
      }, slow ? 800 : Math.min(800, Math.max(33, 4000 / (moves + 1))));
    };
    pause();
    show();
    still?.remove(); // only now, when there is something in its place
    root.dlPlayer = player;
    lab.players = [...lab.players.filter((one) => one.deref()), new WeakRef(player)];
    lab.links.get(player.id)?.attach(player);
    // a change of theme changes the colours of text and lines
    new MutationObserver(show).observe(document.body, { attributes: true, attributeFilter: ['class', 'data-jp-theme-light'] });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
  }

  const here = document.currentScript?.closest('.dl-player');
  (here ? [here] : document.querySelectorAll('.dl-player:not([data-ready])')).forEach(start);
})();
