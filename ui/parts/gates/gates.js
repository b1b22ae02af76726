// A gate over units and days, the series under it, epoch by epoch and day by day. The bytes are the
// recording's own: nothing is drawn that is not in it. Text comes from files: only ever set as text.
const QUIET = matchMedia("(prefers-reduced-motion: reduce)");
const MARGIN = 74; // pixels at the right: each unit's memory, the series' scale
const REST = 500; // milliseconds without a step before it is said aloud
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function bytes(text) {
  const plain = atob(text);
  const made = new Uint8Array(plain.length); // Uint8Array.from takes several times as long
  for (let at = 0; at < plain.length; at += 1) made[at] = plain.charCodeAt(at);
  return made;
}

const floats = (text) => new Float32Array(bytes(text).buffer);

class Gates {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.root = this.find(".gates");
    this.playing = {};
    this.listen();
  }

  // -- what the server sends ---------------------------------------------------------------------

  take(data) {
    const fresh = this.data?.id !== data.id;
    if (fresh) {
      this.pause();
      this.map = bytes(data.map);
      this.lut = bytes(data.lut);
      this.forecasts = data.forecasts ? floats(data.forecasts) : null;
      this.epoch = data.epochs.length - 1;
      this.day = data.days.length - 1;
      this.span = null;
      this.started = data.live;
    }
    this.data = data;
    this.turned = data.turned ? floats(data.turned) : null;
    this.every = data.fed?.every ? floats(data.fed.every) : null;
    if (fresh && data.span) this.span = data.span;
    this.root.classList.toggle("single", data.epochs.length < 2);
    this.root.classList.toggle("live", data.live);
    this.root.classList.toggle("bare", !data.trained);
    this.root.classList.toggle("second", data.second);
    this.find(".bars").textContent = data.live || !data.memory[0] ? "" : `Bars at the right: how long each unit remembers; a full one is ${data.window} ${data.step}s or more, by the logarithm`;
    this.root.setAttribute("aria-label", data.title);
    this.find(".named").textContent = data.title;
    this.find(".tag").textContent = data.label;
    this.find(".low").textContent = data.low;
    this.find(".high").textContent = data.high;
    this.slider("epochs").max = data.epochs.length - 1;
    this.slider("days").max = data.days.length - 1;
    this.find(".days label").textContent = data.step[0].toUpperCase() + data.step.slice(1);
    this.paintBar();
    this.show();
  }

  slider(which) {
    return this.find(`.${which} input`);
  }

  get units() {
    return this.data.units.length;
  }

  get count() {
    return this.data.days.length;
  }

  value(epoch, row, day) {
    const byte = this.map[(epoch * this.units + row) * this.count + day];
    return this.data.signed ? ((byte - 128) / 127) * this.data.top : byte / 255;
  }

  // -- what is drawn -----------------------------------------------------------------------------

  show() {
    const { data } = this;
    const epoch = `${data.epochs[this.epoch]}`;
    this.slider("epochs").value = this.epoch;
    this.slider("days").value = this.day;
    this.slider("epochs").setAttribute("aria-valuetext", this.playing.epochs ? "Playing" : `Epoch ${epoch}`);
    this.slider("days").setAttribute("aria-valuetext", this.playing.days ? "Playing" : data.days[this.day]);
    this.find(".epochs .count").textContent = `${epoch} of ${data.last}`;
    this.find(".days .count").textContent = data.days[this.day];
    for (const which of ["epochs", "days"]) {
      this.find(`.${which}`).classList.toggle("playing", Boolean(this.playing[which]));
      const name = which === "epochs" ? "the epochs" : `the ${data.step}s`;
      this.find(`.${which} .play`).setAttribute("aria-label", `${this.playing[which] ? "Pause" : "Play"} ${name}`);
    }
    const chosen = this.span ? this.days(this.span) : "";
    this.find(".ask").disabled = !this.span;
    this.find(".chosen").textContent = chosen ? `Chosen: ${chosen}` : data.live ? "" : `Drag over ${data.step}s to choose them`;
    this.find(".said").textContent = this.sentence();
    this.draw();
    this.lead();
  }

  // -- two side by side: whichever is moved, the other goes to the same epoch and day ------------

  lead() {
    const { pair, epochs, days } = this.data;
    const place = `${epochs[this.epoch]} ${days[this.day]}`;
    if (!pair || this.told === place || this.led) return;
    this.told = place;
    const detail = { pair, from: this, epoch: epochs[this.epoch], day: days[this.day], whole: this.day === this.count - 1 };
    document.dispatchEvent(new CustomEvent("vitrine-gates", { detail }));
  }

  follow({ pair, from, epoch, day, whole }) {
    if (!this.data?.pair || pair !== this.data.pair || from === this) return;
    if (from.playing.epochs || from.playing.days) this.quiet();
    const { epochs, days } = this.data;
    const after = epochs.findIndex((each) => each >= epoch);
    this.epoch = after < 0 ? epochs.length - 1 : after;
    const same = days.indexOf(day);
    if (same >= 0) this.day = same;
    else if (whole) this.day = days.length - 1;
    this.started = true;
    this.led = true;
    this.show();
    this.led = false;
    this.told = `${epochs[this.epoch]} ${days[this.day]}`;
  }

  quiet() {
    for (const timer of Object.values(this.playing)) clearInterval(timer);
    this.playing = {};
  }

  days([from, to]) {
    const names = this.data.days;
    return from === to ? names[from] : `${names[from]} to ${names[to]}`;
  }

  sentence() {
    const { data } = this;
    const day = this.hover?.day ?? this.day;
    const unit = data.unit ? ` ${data.unit}` : "";
    let mean = 0;
    for (let row = 0; row < this.units; row += 1) mean += this.value(this.epoch, row, day) / this.units;
    const when = data.trained ? `Epoch ${data.epochs[this.epoch]}, ${data.days[day]}` : data.days[day];
    const parts = [`${when}: ${data.name} ${data.prices[day].toFixed(2)}${unit}`];
    if (this.forecasts) parts.push(`forecast ${this.forecasts[this.epoch * this.count + day].toFixed(2)}${unit} for ${data.ahead}`);
    parts.push(`mean ${data.what} ${mean.toFixed(2)}`);
    if (this.hover?.row !== undefined) {
      const row = this.hover.row;
      const memory = data.memory[row];
      parts.push(`unit ${data.units[row]} ${this.value(this.epoch, row, day).toFixed(2)}` + (memory ? `, remembers ${memory}` : ""));
    }
    return `${parts.join("; ")}.`;
  }

  sheet(name, height) {
    const canvas = this.find(`.${name}`);
    const width = Math.max(canvas.clientWidth, 50);
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "11px sans-serif";
    return { canvas, pen, width, height, plot: width - (width < 480 ? 46 : MARGIN) };
  }

  ink(share = 100) {
    const text = getComputedStyle(this.root).color;
    return `color-mix(in srgb, ${text} ${share}%, transparent)`;
  }

  draw() {
    if (!this.data || !this.find(".map").clientWidth) return;
    this.drawMap();
    this.drawPrice();
    this.drawFed();
    this.drawLoss();
    this.root.dataset.epoch = this.data.epochs[this.epoch];
    this.root.dataset.day = this.day;
    this.say(this.data.stands);
  }

  // The rest of the page waits until this stands.
  say(where) {
    if (!where || where === this.saidSo) return;
    this.saidSo = where;
    fetch(where).catch(() => {}); // it comes all the same
  }

  x(day, plot) {
    return (day / this.count) * plot;
  }

  drawMap() {
    const { data, units, count } = this;
    const { canvas, pen, width, height, plot } = this.sheet("map", clamp(units * 8, 150, 230));
    const small = (this.small ??= document.createElement("canvas"));
    Object.assign(small, { width: count, height: units });
    const image = new ImageData(count, units);
    const start = this.epoch * units * count;
    for (let at = 0; at < units * count; at += 1) {
      const colour = 3 * this.map[start + at];
      image.data.set([this.lut[colour], this.lut[colour + 1], this.lut[colour + 2], 255], 4 * at);
    }
    small.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    const seen = this.x(this.day + 1, plot);
    pen.drawImage(small, 0, 0, plot, height);
    pen.fillStyle = getComputedStyle(this.root).getPropertyValue("--st-background-color") || "#fff";
    pen.globalAlpha = 0.82;
    pen.fillRect(seen, 0, plot - seen, height);
    pen.globalAlpha = 1;
    this.marks(pen, plot, height);
    // each unit's memory, aligned with its row, by the logarithm
    const tall = height / units;
    const most = Math.log(1 + data.window);
    pen.fillStyle = this.ink(60);
    (data.live ? [] : data.steps).forEach((steps, row) => {
      const long = clamp(Math.log(1 + steps) / most, 0.02, 1) * (width - plot - 8);
      pen.fillRect(plot + 6, row * tall + tall * 0.15, long, Math.max(tall * 0.7, 1));
    });
    if (this.hover?.row !== undefined) {
      pen.strokeStyle = this.ink();
      pen.strokeRect(0.5, this.hover.row * tall, plot - 1, tall);
    }
    canvas.setAttribute("aria-label", `${data.title}. ${this.sentence()} Bright means ${data.high}, dark ${data.low}. At the right, how long each unit remembers.`);
  }

  marks(pen, plot, height) {
    const { data } = this;
    const frame = (from, to, colour, dash) => {
      pen.save();
      pen.strokeStyle = colour;
      pen.lineWidth = 2;
      pen.setLineDash(dash);
      pen.strokeRect(this.x(from, plot) + 1, 1, Math.max(this.x(to - from + 1, plot) - 2, 2), height - 2);
      pen.restore();
    };
    for (const [from, length] of data.alike) frame(from, from + length - 1, "#e0a33a", [4, 3]);
    if (this.span) frame(...this.span, "#2fb5aa", []);
    const at = this.x((this.hover?.day ?? this.day) + 0.5, plot);
    pen.strokeStyle = this.ink(75);
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(at, 0);
    pen.lineTo(at, height);
    pen.stroke();
  }

  drawPrice() {
    const { data, count } = this;
    const height = 120;
    const { canvas, pen, plot } = this.sheet("price", height + 16);
    const all = data.within ? [...data.within] : [...data.prices];
    if (this.forecasts && !data.within) {
      // one scale for all epochs, so that the line is seen to move
      const sorted = Float32Array.from(this.forecasts).sort();
      all.push(sorted[Math.floor(sorted.length * 0.01)], sorted[Math.ceil(sorted.length * 0.99) - 1]);
    }
    const low = all.reduce((a, b) => Math.min(a, b));
    const high = all.reduce((a, b) => Math.max(a, b));
    const y = (value) => 8 + (1 - (value - low) / (high - low || 1)) * (height - 16);
    if (data.held < count) {
      pen.fillStyle = this.ink(7);
      pen.fillRect(this.x(data.held, plot), 0, plot - this.x(data.held, plot), height);
      pen.fillStyle = this.ink(75);
      pen.fillText("held out", Math.min(this.x(data.held, plot) + 4, plot - 44), height - 4);
    }
    const line = (values, places, colour, width, dash = []) => {
      pen.save();
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.setLineDash(dash);
      pen.beginPath();
      for (let day = 0; day <= this.day; day += 1) {
        const place = places ? places[day] : day;
        if (place >= count) break;
        const point = [this.x(place + 0.5, plot), clamp(y(values[day]), -5, height + 5)];
        if (day) pen.lineTo(...point);
        else pen.moveTo(...point);
      }
      pen.stroke();
      pen.restore();
    };
    pen.fillStyle = this.ink(75);
    pen.fillText(high.toFixed(high < 10 ? 2 : 0), plot + 6, y(high) + 4);
    pen.fillText(low.toFixed(low < 10 ? 2 : 0), plot + 6, y(low) + 4);
    line(data.prices, null, this.ink(80), 1.5);
    if (this.forecasts) {
      const start = this.epoch * count;
      line(this.forecasts.subarray(start, start + count), data.targets, "#2fa69b", 1.5);
    }
    if (this.turned) line(this.turned, data.targets, "#d9822b", 1.5, [4, 3]);
    pen.font = "12px sans-serif";
    let left = 4;
    const legend = [["value", this.ink(80)], ["forecast", "#2fa69b"]];
    if (this.turned) legend.push(["with the gate turned", "#d9822b"]);
    for (const [word, colour] of this.forecasts ? legend : legend.slice(0, 1)) {
      pen.fillStyle = colour;
      pen.fillText(word, left, 12);
      left += pen.measureText(word).width + 12;
    }
    this.marks(pen, plot, height);
    this.dates(pen, plot, height + 13);
    canvas.setAttribute("aria-label", `${data.name} on the same ${data.step}s as the map above, with the forecast. ${this.sentence()}`);
  }

  // Which days the first, the middle and the last column are.
  dates(pen, plot, base) {
    const { days } = this.data;
    pen.save();
    pen.font = "11px sans-serif";
    pen.fillStyle = this.ink(75);
    const places = plot < 330 ? [0, 1] : [0, 0.5, 1];
    for (const place of places) {
      pen.textAlign = place === 0 ? "left" : place === 1 ? "right" : "center";
      pen.fillText(days[Math.round(place * (days.length - 1))], place * plot, base);
    }
    pen.restore();
  }

  // The bars of the forecast that the pointer or the slider is at, where all of them are known.
  drawFed() {
    const fed = this.data.fed;
    const canvas = this.find(".fed");
    canvas.hidden = !fed;
    if (!fed) return;
    const { pen, height, plot } = this.sheet("fed", 80);
    const day = this.every ? this.hover?.day ?? this.day : fed.day;
    const shares = this.every ? [...this.every.subarray(day * fed.length, (day + 1) * fed.length)] : fed.shares;
    const most = Math.max(...shares.map(Math.abs), 1e-12);
    const wide = Math.max(this.x(1, plot), 2);
    pen.fillStyle = this.ink(40);
    pen.fillRect(this.x(fed.first[day], plot), height / 2, this.x(day + 1 - fed.first[day], plot), 1);
    shares.forEach((share, at) => {
      const place = day - fed.length + 1 + at;
      if (place < 0) return;
      const tall = (share / most) * (height / 2 - 12);
      pen.fillStyle = share > 0 ? "#4b8fd1" : "#d0604f";
      pen.fillRect(this.x(place, plot), height / 2 - Math.max(tall, 0), wide - 0.5, Math.abs(tall));
    });
    pen.fillStyle = this.ink(75);
    pen.fillText(`raises the forecast made on ${this.data.days[day]}`, 4, 11);
    pen.fillText("lowers it", 4, height - 4);
    canvas.dataset.day = day;
    canvas.setAttribute("aria-label", fed.said);
  }

  drawLoss() {
    const { curves, epochs } = this.data;
    const canvas = this.find(".loss");
    if (!curves || !canvas.clientWidth) return;
    const tall = 74;
    const { pen, width: wide } = this.sheet("loss", tall);
    const [width, height] = [wide - 40, tall - 30];
    const all = curves.flatMap((curve) => curve.values).filter((value) => value > 0).map(Math.log);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const x = (at) => 2 + (at / Math.max(epochs.length - 1, 1)) * (width - 4);
    const y = (value) => 17 + (1 - (Math.log(Math.max(value, 1e-12)) - low) / (high - low || 1)) * (height - 4);
    const colours = [this.ink(80), "#d9822b"];
    curves.forEach((curve, number) => {
      pen.strokeStyle = colours[number];
      pen.beginPath();
      curve.values.forEach((value, at) => pen[at ? "lineTo" : "moveTo"](x(at), y(value)));
      pen.stroke();
    });
    pen.strokeStyle = this.ink(70);
    pen.strokeRect(x(this.epoch), 15, 0.5, height);
    // the axes: what the lines are, their highest and lowest value, the first and the last epoch
    pen.font = "11px sans-serif";
    let left = 2;
    curves.forEach((curve, number) => {
      pen.fillStyle = colours[number];
      pen.fillText(curve.name, left, 11);
      left += pen.measureText(curve.name).width + 10;
    });
    pen.fillStyle = this.ink(75);
    pen.fillText(Number(Math.exp(high).toPrecision(2)), width + 4, 24);
    pen.fillText(Number(Math.exp(low).toPrecision(2)), width + 4, height + 14);
    pen.fillText(`epoch ${epochs[0]}`, 2, tall - 3);
    pen.textAlign = "right";
    pen.fillText(`${epochs.at(-1)} (log scale)`, width, tall - 3);
    pen.textAlign = "left";
    const said = curves.map((curve) => `${curve.name} ${curve.values[this.epoch].toPrecision(3)}`).join(", ");
    canvas.setAttribute("aria-label", `Losses by epoch, on a logarithmic scale: ${said}`);
    canvas.title = said;
  }

  paintBar() {
    const pen = this.find(".bar").getContext("2d");
    for (let at = 0; at < 96; at += 1) {
      const colour = 3 * Math.round((at / 95) * 255);
      pen.fillStyle = `rgb(${this.lut[colour]},${this.lut[colour + 1]},${this.lut[colour + 2]})`;
      pen.fillRect(at, 0, 1, 8);
    }
  }

  // -- what the reader does ----------------------------------------------------------------------

  play(which) {
    const last = which === "epochs" ? this.data.epochs.length - 1 : this.count - 1;
    if (last < 1) return;
    this.pause();
    this.started = true;
    const at = which === "epochs" ? "epoch" : "day";
    if (this[at] >= last) this[at] = 0;
    if (which === "epochs") this.day = this.count - 1;
    // a film of some ten seconds, however many steps it has
    const stride = Math.max(1, Math.round(last / 150));
    const wait = clamp(9000 / last, 40, 250);
    const step = () => {
      this[at] = Math.min(this[at] + stride, last);
      if (this[at] >= last) this.pause();
      this.show();
    };
    this.playing[which] = setInterval(step, wait);
    this.show();
  }

  pause() {
    for (const timer of Object.values(this.playing)) clearInterval(timer);
    const was = Object.keys(this.playing).length > 0;
    this.playing = {};
    if (was && this.data) this.show();
  }

  toggle(which) {
    if (this.playing[which]) this.pause();
    else this.play(which);
  }

  aloud() {
    clearTimeout(this.speech);
    this.speech = setTimeout(() => (this.find(".aloud").textContent = this.sentence()), REST);
  }

  place(event, name) {
    const canvas = this.find(`.${name}`);
    const box = canvas.getBoundingClientRect();
    const plot = box.width - (box.width < 480 ? 46 : MARGIN);
    const day = clamp(Math.floor(((event.clientX - box.left) / plot) * this.count), 0, this.count - 1);
    const row = clamp(Math.floor(((event.clientY - box.top) / box.height) * this.units), 0, this.units - 1);
    return name === "map" ? { day, row } : { day };
  }

  listen() {
    for (const which of ["epochs", "days"]) {
      this.find(`.${which} .play`).onclick = () => this.toggle(which);
      this.slider(which).oninput = ({ target }) => {
        this.started = true;
        this.pause();
        this[which === "epochs" ? "epoch" : "day"] = Number(target.value);
        this.show();
        this.aloud();
      };
    }
    this.slider("days").onkeydown = (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!event.shiftKey || !by) return;
      event.preventDefault();
      const from = this.anchor ?? (this.anchor = this.day);
      this.day = clamp(this.day + by, 0, this.count - 1);
      this.span = [Math.min(from, this.day), Math.max(from, this.day)];
      this.show();
      this.aloud();
    };
    this.slider("days").onkeyup = ({ key }) => key === "Shift" && (this.anchor = undefined);
    this.root.onkeydown = (event) => {
      if (event.key !== " " || event.target.tagName === "BUTTON") return;
      event.preventDefault();
      this.toggle(event.target === this.slider("days") ? "days" : "epochs");
    };
    for (const name of ["map", "price"]) {
      const canvas = this.find(`.${name}`);
      canvas.onpointermove = (event) => {
        const found = this.place(event, name);
        if (this.from !== undefined && !this.data.live) {
          this.span = [Math.min(this.from, found.day), Math.max(this.from, found.day)];
        }
        this.hover = found;
        this.show();
      };
      canvas.onpointerleave = () => {
        this.hover = undefined;
        this.show();
      };
      canvas.onpointerdown = (event) => {
        this.started = true;
        this.pause();
        this.from = this.place(event, name).day;
        canvas.setPointerCapture(event.pointerId);
      };
      canvas.onpointercancel = () => (this.from = undefined);
      canvas.onpointerup = (event) => {
        const { day } = this.place(event, name);
        if (this.from === day) {
          this.day = day;
          this.span = null;
        }
        this.from = undefined;
        this.show();
      };
    }
    this.find(".feeds").onclick = () => this.tell?.("day", this.day);
    this.find(".ask").onclick = () => this.span && this.tell?.("span", this.span);
  }

  watch() {
    this.sizes ??= new ResizeObserver(() => this.draw());
    this.sizes.observe(this.root);
    this.watcher ??= new IntersectionObserver((seen) => {
      const { intersectionRatio: shown, isIntersecting } = seen.at(-1);
      if (shown >= 0.6 && !this.started && !QUIET.matches) this.play("epochs");
      if (!isIntersecting) this.pause();
    }, { threshold: [0, 0.6] });
    this.watcher.observe(this.find(".map"));
    this.heard ??= ({ detail }) => this.follow(detail);
    document.addEventListener("vitrine-gates", this.heard);
  }

  rest() {
    document.removeEventListener("vitrine-gates", this.heard);
    this.sizes.disconnect();
    this.watcher.disconnect();
    clearTimeout(this.speech);
    this.pause();
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const gates = (parentElement.vitrineGates ??= new Gates(parentElement));
  gates.tell = (what, value) => setTriggerValue(what, { id: data.id, value });
  gates.take(data);
  gates.watch();
  return () => gates.rest();
}
