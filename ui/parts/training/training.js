// Trainings side by side, epoch by epoch: what each unit answers, the curves, the dead units and
// the confusion, all in step. It draws the recording's own bytes; playing and scrubbing are its own.
const REST = 450; // milliseconds without a step before the epoch is said aloud
const FRAME = 110; // milliseconds for an epoch
const QUIET = matchMedia("(prefers-reduced-motion: reduce)");
const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, PageUp: -10, PageDown: 10 };
const SVG = "http://www.w3.org/2000/svg";
const KINDS = ["one", "other", "third", "fourth", "fifth"];
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function bytes(text) {
  const plain = atob(text);
  const made = new Uint8Array(plain.length); // Uint8Array.from takes several times as long
  for (let at = 0; at < plain.length; at += 1) made[at] = plain.charCodeAt(at);
  return made;
}

const short = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3))));

function made(parent, tag, name = "", text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  parent.append(element);
  return element;
}

function drawn(parent, tag, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  parent.append(element);
  return element;
}

async function inflated(part) {
  const stream = new Blob([part]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// A layer's bytes, one Uint8Array an epoch, column after column: each is the one before plus its
// own difference, modulo 256, but where it stands for itself.
async function decoded(layer) {
  if (layer.frame) return [bytes(layer.frame)];
  const data = bytes(layer.data);
  const parts = layer.ends.map((end, at) => inflated(data.subarray(at ? layer.ends[at - 1] : 0, end)));
  const frames = await Promise.all(parts);
  for (let at = 1; at < frames.length; at += 1) {
    if (layer.whole[at]) continue;
    const [now, before] = [frames[at], frames[at - 1]];
    for (let i = 0; i < now.length; i += 1) now[i] += before[i];
  }
  return frames;
}

class Chart {
  constructor(parent, name, curves, { top, first, chosen, word, go }) {
    this.figure = made(parent, "figure", name);
    this.caption = made(this.figure, "figcaption");
    [this.curves, this.first, this.word] = [curves, first, word];
    const plot = made(this.figure, "div", "plot");
    made(plot, "span", "high", short(top || 1));
    this.svg = drawn(plot, "svg", { class: "chart", viewBox: "0 0 300 120", preserveAspectRatio: "none", role: "img" });
    this.last = Math.max(...Object.values(curves).map((curve) => curve.length)) - 1;
    const high = top || 1;
    this.x = (at) => 4 + (292 * at) / Math.max(1, this.last);
    this.y = (value) => 112 - 104 * clamp(value / high, 0, 1);
    drawn(this.svg, "path", { class: "axis", d: "M4 8V112H296" });
    Object.values(curves).forEach((curve, kind) => {
      const points = curve.map((value, at) => (value === null ? "" : `${this.x(at)},${this.y(value)}`));
      drawn(this.svg, "polyline", { class: `line ${KINDS[kind % KINDS.length]}`, points: points.filter(Boolean).join(" ") });
    });
    this.now = drawn(this.svg, "path", { class: "now", d: "" });
    const ends = made(this.figure, "div", "ends");
    made(ends, "span", "", `${word} ${first}`);
    made(ends, "span", "", this.last ? String(first + this.last) : "");
    if (chosen !== null && chosen !== undefined) {
      drawn(this.svg, "path", { class: "chosen", d: `M${this.x(chosen) - 4} 119h8l-4 -7z` });
    }
    const at = (event) => {
      const box = this.svg.getBoundingClientRect();
      return Math.round(clamp((((event.clientX - box.left) / box.width) * 300 - 4) / 292, 0, 1) * this.last);
    };
    this.svg.onpointerdown = (event) => {
      this.svg.setPointerCapture(event.pointerId);
      go(at(event));
    };
    this.svg.onpointermove = (event) => event.buttons && go(at(event));
  }

  show(at) {
    const here = Math.min(at, this.last);
    this.now.setAttribute("d", `M${this.x(here)} 4V112`);
    this.caption.replaceChildren();
    const said = [];
    Object.entries(this.curves).forEach(([name, curve], kind) => {
      const value = curve[here] === null || curve[here] === undefined ? "none" : short(curve[here]);
      const item = made(this.caption, "span", "item");
      made(item, "span", `key ${KINDS[kind % KINDS.length]}`);
      item.append(`${name} `);
      made(item, "b", "", value);
      this.caption.append(" ");
      said.push(`${name} ${value}`);
    });
    this.svg.setAttribute("aria-label", `Curves at ${this.word} ${here + this.first}: ${said.join(", ")}`);
  }
}

class Pane {
  constructor(theatre, parent, data, index) {
    Object.assign(this, { theatre, data, index, frames: null });
    this.root = made(parent, "section", "pane");
    this.name = made(this.root, "div", "name");
    made(this.root, "div", "said", data.said);
    const heat = made(this.root, "div", "heat");
    const rows = made(heat, "div", "rows");
    this.stage = made(heat, "div", "stage");
    this.canvas = made(this.stage, "canvas");
    this.canvas.setAttribute("role", "img");
    this.mark = made(this.stage, "div", "mark");
    const { palette, top } = theatre.data;
    const { groups } = data;
    const all = groups.at(-1).to;
    rows.style.gridTemplateRows = groups.map((group) => `${group.to - group.from}fr`).join(" ");
    for (const group of groups) {
      made(rows, "span", "", group.label);
      if (group.from) made(this.stage, "div", "rule").style.top = `${(100 * group.from) / all}%`;
    }
    const scale = made(heat, "div", "scale");
    scale.append("0");
    const stops = [0, 64, 128, 192, 255].map((at) => `rgb(${palette.slice(3 * at, 3 * at + 3).join(" ")})`);
    made(scale, "i").style.background = `linear-gradient(90deg, ${stops.join(", ")})`;
    scale.append(`${short(top)} and more`);
    made(scale, "span", "what", data.what);
    const beside = made(this.root, "div", "beside");
    this.beside = beside;
    this.common = { first: data.first, chosen: data.chosen, word: data.word, go: (at) => theatre.go(at) };
    if (data.confusion) {
      const figure = made(beside, "figure", "confused");
      this.told = made(figure, "figcaption");
      this.square = made(figure, "canvas");
      this.square.setAttribute("role", "img");
      this.confusion = data.confusion.map(bytes);
    }
    if (data.branches) {
      const branch = made(this.root, "button", "branch", "Branch from this epoch");
      branch.type = "button";
      branch.onclick = () => theatre.send("branch", { run: data.run, epoch: this.at + data.first, turn: Date.now() });
    }
    this.stage.onclick = (event) => this.pick(event);
  }

  get at() {
    return clamp(this.theatre.at, 0, this.last);
  }

  get last() {
    return this.data.epochs - 1;
  }

  async layer(name) {
    this.own = this.data.layers[name] ?? Object.values(this.data.layers)[0];
    this.deaths?.figure.remove();
    if (this.own.counts) {
      this.deaths = new Chart(this.beside, "deaths", this.own.counts, { ...this.common, top: this.theatre.data.tops.counts, chosen: null });
    }
    const own = this.own;
    own.decoded ??= decoded(own);
    const frames = await own.decoded;
    if (own === this.own) this.frames = frames;
  }

  chart() {
    const name = this.theatre.find(".curves").value;
    if (this.plotted === name) return;
    this.plotted = name;
    this.losses?.figure.remove();
    const curves = this.data.curves[name] ?? {};
    this.losses = new Chart(this.beside, "losses", curves, { ...this.common, top: this.theatre.data.tops.curves[name] });
    this.beside.prepend(this.losses.figure);
  }

  order() {
    return this.own.orders?.[this.theatre.find(".order").value] ?? null;
  }

  draw() {
    if (!this.own) return;
    const { rows, columns } = this.own;
    const { palette, top } = this.theatre.data;
    const at = this.at;
    this.name.textContent = `${this.own.title}: ${this.data.word} ${at + this.data.first}`;
    this.chart();
    this.losses.show(at);
    this.deaths?.show(at);
    if (this.confusion) this.confuse(at);
    if (!this.frames) return;
    const order = this.order();
    const frame = this.frames[Math.min(at, this.frames.length - 1)];
    const step = this.own.steps[Math.min(at, this.own.steps.length - 1)];
    const { zero } = this.own;
    const colour = Uint8Array.from({ length: 256 }, (_, value) => clamp(Math.round(((value - zero) * step * 255) / top), 0, 255));
    const image = new ImageData(columns, rows);
    const pixels = image.data;
    for (let place = 0; place < columns; place += 1) {
      const column = (order ? order[place] : place) * rows;
      for (let row = 0; row < rows; row += 1) {
        const from = 3 * colour[frame[column + row]];
        const to = 4 * (row * columns + place);
        pixels[to] = palette[from];
        pixels[to + 1] = palette[from + 1];
        pixels[to + 2] = palette[from + 2];
        pixels[to + 3] = 255;
      }
    }
    if (this.canvas.width !== columns || this.canvas.height !== rows) Object.assign(this.canvas, { width: columns, height: rows });
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    const counts = Object.entries(this.own.counts ?? {}).map(([name, curve]) => `${name} ${curve[at]}`);
    this.canvas.setAttribute("aria-label", `${this.name.textContent}. ${rows} samples in ${this.data.groups.length} groups by ${columns} units. ${counts.join(", ")}`);
    this.root.dataset.drawn = at + this.data.first;
    this.show();
  }

  show() {
    const { picked } = this.theatre;
    const place = picked?.run === this.data.run && picked.layer === this.own.name ? picked.unit : -1;
    const order = this.order();
    const at = order && place >= 0 ? order.indexOf(place) : place;
    this.mark.style.display = at < 0 ? "none" : "block";
    if (at < 0) return;
    const width = 100 / this.own.columns;
    Object.assign(this.mark.style, { left: `${at * width}%`, width: `max(3px, ${width}%)` });
  }

  confuse(at) {
    const counts = new Int32Array(this.confusion[Math.min(at, this.confusion.length - 1)].buffer);
    const side = Math.round(Math.sqrt(counts.length));
    const { palette } = this.theatre.data;
    const image = new ImageData(side, side);
    let right = 0;
    let all = 0;
    for (let row = 0; row < side; row += 1) {
      const whole = counts.subarray(row * side, (row + 1) * side).reduce((sum, each) => sum + each, 0) || 1;
      for (let column = 0; column < side; column += 1) {
        const value = counts[row * side + column];
        all += value;
        if (row === column) right += value;
        const from = 3 * Math.round(255 * Math.sqrt(value / whole));
        image.data.set([palette[from], palette[from + 1], palette[from + 2], 255], 4 * (row * side + column));
      }
    }
    Object.assign(this.square, { width: side, height: side });
    this.square.getContext("2d").putImageData(image, 0, 0);
    this.told.replaceChildren("confusion: right ");
    made(this.told, "b", "", `${right} of ${all}`);
    this.square.setAttribute("aria-label", `Confusion of what was held out, true class by row, answer by column: ${right} of ${all} right`);
  }

  pick(event) {
    if (this.theatre.data.live) return;
    const box = this.canvas.getBoundingClientRect();
    const place = clamp(Math.floor(((event.clientX - box.left) / box.width) * this.own.columns), 0, this.own.columns - 1);
    const row = clamp(Math.floor(((event.clientY - box.top) / box.height) * this.own.rows), 0, this.own.rows - 1);
    const order = this.order();
    const picked = { run: this.data.run, layer: this.own.name, unit: order ? order[place] : place, row };
    this.theatre.picked = picked;
    this.theatre.draw();
    this.theatre.send("picked", picked);
  }
}

class Theatre {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.root = this.find(".theatre");
    this.panes = [];
    this.listen();
  }

  // -- what the server sends ---------------------------------------------------------------------

  take(data) {
    if (data.picked) this.picked = data.picked;
    if (this.data?.id === data.id) return void this.draw();
    const fresh = this.data?.group !== data.group;
    this.pause(false);
    this.data = { ...data, palette: bytes(data.palette) };
    this.root.classList.toggle("live", data.live);
    this.root.classList.toggle("two", data.panes.length > 1);
    const holder = document.createElement("div");
    this.panes = data.panes.map((pane, index) => new Pane(this, holder, pane, index));
    if (fresh) this.started = data.live;
    this.at = data.live ? this.last : fresh ? (QUIET.matches ? this.last : 0) : clamp(this.at ?? 0, 0, this.last);
    this.options(".layer", Object.keys(data.panes[0].layers));
    this.options(".order", Object.keys(Object.values(data.panes[0].layers)[0].orders ?? {}));
    this.options(".curves", Object.keys(data.panes[0].curves));
    this.find(".of-layer").hidden = Object.keys(data.panes[0].layers).length < 2;
    this.find(".of-order").hidden = !this.find(".order").options.length;
    this.find(".scrub").max = this.last;
    // What is there stays until the next can be drawn.
    this.layers().then(() => {
      if (this.data.id !== data.id) return;
      this.find(".panes").replaceChildren(...holder.children);
      this.find(".together").textContent = data.together;
      this.say(data.stands);
    });
  }

  // The rest of the page waits until this stands.
  say(where) {
    if (!where || where === this.said) return;
    this.said = where;
    fetch(where).catch(() => {}); // it comes all the same
  }

  options(selector, names) {
    const select = this.find(selector);
    const kept = select.value;
    select.replaceChildren();
    for (const name of names) made(select, "option", "", name);
    if (names.includes(kept)) select.value = kept;
  }

  layers() {
    const name = this.find(".layer").value;
    return Promise.allSettled(this.panes.map((pane) => pane.layer(name))).then(() => this.draw());
  }

  get last() {
    return Math.max(...this.panes.map((pane) => pane.last));
  }

  get word() {
    return this.panes[0].data.word;
  }

  get epoch() {
    return this.at + this.panes[0].data.first;
  }

  // -- what is drawn -----------------------------------------------------------------------------

  draw() {
    if (!this.panes.length) return;
    for (const pane of this.panes) pane.draw();
    const scrub = this.find(".scrub");
    scrub.value = this.at;
    scrub.setAttribute("aria-valuetext", this.timer ? "Playing" : `${this.word[0].toUpperCase()}${this.word.slice(1)} ${this.epoch}`);
    this.find(".count").textContent = `${this.word} ${this.epoch} of ${this.last + this.panes[0].data.first}`;
    this.root.classList.toggle("playing", Boolean(this.timer));
    this.find(".play").setAttribute("aria-label", this.timer ? "Pause" : "Play");
    this.root.dataset.epoch = this.epoch;
  }

  aloud(text) {
    clearTimeout(this.speech);
    this.speech = setTimeout(() => (this.find(".aloud").textContent = text), REST);
  }

  // -- what the reader does ----------------------------------------------------------------------

  play(byReader = true) {
    if (this.timer || this.last < 1) return;
    this.started = true;
    if (this.at >= this.last) this.at = 0;
    this.next();
    if (byReader) this.aloud("Playing");
    this.draw();
  }

  next() {
    this.timer = setTimeout(() => {
      this.at += 1;
      if (this.at >= this.last) return this.pause();
      this.next();
      return this.draw();
    }, FRAME / Number(this.find(".speed").value));
  }

  pause(said = true) {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.draw();
    if (said) this.aloud(`${this.word[0].toUpperCase()}${this.word.slice(1)} ${this.epoch}`);
  }

  go(to) {
    this.started = true;
    this.pause(false);
    this.at = clamp(to, 0, this.last);
    this.draw();
    this.aloud(`${this.word[0].toUpperCase()}${this.word.slice(1)} ${this.epoch}`);
  }

  key(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target.tagName === "SELECT") return;
    if (key === " ") {
      if (target.tagName === "BUTTON") return; // it presses the button
      if (this.timer) this.pause();
      else this.play();
    } else if (key in STEPS) this.go(this.at + STEPS[key]);
    else if (key === "Home") this.go(0);
    else if (key === "End") this.go(this.last);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  listen() {
    this.root.onkeydown = (event) => this.key(event);
    this.find(".play").onclick = () => (this.timer ? this.pause() : this.play());
    this.find(".back").onclick = () => this.go(this.at - 1);
    this.find(".forward").onclick = () => this.go(this.at + 1);
    this.find(".scrub").oninput = ({ target }) => this.go(Number(target.value));
    this.find(".layer").onchange = () => this.layers();
    this.find(".order").onchange = () => this.draw();
    this.find(".curves").onchange = () => this.draw();
  }

  watch() {
    this.watcher ??= new IntersectionObserver((seen) => {
      const { isIntersecting } = seen.at(-1);
      if (isIntersecting && !this.started && !QUIET.matches) this.play(false);
      if (!isIntersecting && this.timer) this.pause(false);
    });
    this.watcher.observe(this.find(".panes"));
    if (this.goesOn) this.play(false);
    this.hush = () => document.hidden && this.pause(false);
    this.calm = () => QUIET.matches && this.pause(false);
    document.addEventListener("visibilitychange", this.hush);
    QUIET.addEventListener("change", this.calm);
  }

  // The page is drawn anew, or left: what plays goes on where it is drawn again.
  rest() {
    this.goesOn = Boolean(this.timer);
    this.watcher.disconnect();
    document.removeEventListener("visibilitychange", this.hush);
    QUIET.removeEventListener("change", this.calm);
    clearTimeout(this.speech);
    this.pause(false);
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const theatre = (parentElement.vitrineTheatre ??= new Theatre(parentElement));
  theatre.send = (name, value) => setTriggerValue(name, value);
  theatre.take(data);
  theatre.watch();
  return () => theatre.rest();
}
