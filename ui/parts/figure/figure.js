// A photo, or photo, map and overlay in the photo's frame with one colour bar. Only a marked region,
// and how the map is drawn, go to the server. Text comes from a worker: it is only ever set as text.
const CLICK = 4; // CSS pixels that a press may move and still be a click
const PAUSE = 450; // milliseconds without a key before it is said aloud, or sent
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const FAR = 1e9;
const EDGES = { Home: [0, -FAR], End: [0, FAR], PageUp: [-FAR, 0], PageDown: [FAR, 0] };

// What is marked, by the figure's key: it outlives the element, which goes with its page.
const kept = (globalThis.vitrineMarked ??= new Map());

// How the reader has maps drawn, for every answer of this visit: the colours by kind of map.
const look = (globalThis.vitrineLook ??= { colours: {} });

class Figure {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.pictures = [...root.querySelectorAll(".picture")];
    [this.opacity, this.colours, this.cells] = [
      this.find("input[type=range]"), this.find("select"), this.find("input[type=checkbox]"),
    ];
    this.tell = this.tellLook = () => {};
    this.listen();
  }

  // -- what the server sends ---------------------------------------------------------------------

  take(data) {
    const first = !this.data;
    if (String(this.data?.size) !== String(data.size)) {
      this.hover = this.pinned = this.held = this.draft = this.anchor = null;
    }
    this.data = data;
    this.alone = !data.map;
    this.find(".figure").classList.toggle("alone", this.alone);
    this.find(".figure").classList.toggle("partial", Boolean(data.partial));
    this.find(".figure").classList.toggle("pair", Boolean(data.pair));
    this.find(".figure").style.maxWidth = data.side ? `${data.side}px` : "";
    this.find(".photo .picture").tabIndex = this.alone ? 0 : -1;
    if (data.map) this.takeMap(data, first);
    this.takeMark(data.region);
    for (const picture of this.pictures) {
      picture.firstElementChild.style.aspectRatio = `${data.size[1]} / ${data.size[0]}`;
    }
    for (const [part, text] of Object.entries(data.alternatives)) {
      this.find(`.${part} canvas`).setAttribute("aria-label", text);
    }
    this.find("#keys").textContent = this.alone ? PHOTO_KEYS : KEYS;
    this.show();
    this.load(data);
  }

  takeMap(data, first) {
    this.map = { ...data.map, levels: bytes(data.map.levels) };
    this.grid = data.cells && { ...data.cells, levels: bytes(data.cells.levels) };
    this.values = new Float32Array(bytes(data.map.values).buffer);
    this.peak = this.values.reduce((most, value) => Math.max(most, Math.abs(value) || 0), 0);
    this.unknown = data.unknown && bytes(data.unknown);
    this.painted = null;
    const chosen = data.handed || data.partial ? look : { colours: {} };
    const names = Object.keys(data.tables);
    if ([...this.colours.options].map((option) => option.value).join() !== names.join()) {
      this.colours.replaceChildren(...names.map((name) => new Option(name, name)));
      this.colours.value = chosen.colours[data.signed] ?? names[0];
    }
    if (first) {
      this.opacity.value = chosen.opacity ?? Math.round(data.opacity * 100);
      this.cells.checked = chosen.cells ?? false;
    }
    this.tables = Object.fromEntries(names.map((name) => [name, bytes(data.tables[name])]));
    this.find(".as-is").textContent = data.cells ? "Show the cells" : "Show the pixels";
    for (const [part, pieces] of Object.entries(data.captions)) {
      this.find(`.${part} figcaption`).replaceChildren(
        ...pieces.map(([text, strong]) => {
          const piece = document.createElement(strong ? "b" : "span");
          piece.textContent = text;
          return piece;
        }),
      );
    }
    this.find(".unit").textContent = data.unit;
    this.find(".ticks").querySelectorAll("span").forEach((tick, place) => {
      tick.textContent = data.ticks[place];
    });
  }

  // A told region counts once; what was marked here since then stands.
  takeMark(told) {
    this.marks = Boolean(told);
    if (told && kept.get(this.data.key)?.turn !== told.turn) kept.set(this.data.key, { ...told });
  }

  get box() {
    return this.marks ? (this.draft ?? kept.get(this.data.key).box) : null;
  }

  async load(data) {
    const photo = new Image();
    photo.src = data.photo;
    await photo.decode().catch(() => {});
    if (data !== this.data || !photo.naturalWidth) return; // a later picture has come
    this.photo = photo;
    const copy = blank(photo.naturalWidth, photo.naturalHeight).getContext("2d", { willReadFrequently: true });
    copy.drawImage(photo, 0, 0);
    this.copy = copy;
    this.drawn = data.id;
    this.draw();
    this.show();
  }

  // -- what is drawn -----------------------------------------------------------------------------

  draw() {
    const { data, photo } = this;
    const first = this.find(data.pair ? ".over canvas" : ".photo canvas");
    if (!photo || this.drawn !== data.id || !first.clientWidth) return;
    if (!data.pair) draw(first, data, { photo, veiled: true });
    if (data.map) this.drawMap();
    this.find(".frame").dataset.drawn = data.id;
  }

  drawMap() {
    const { data, photo } = this;
    const name = this.colours.value;
    const table = themed(this.tables[name], data.signed, this.find(".figure"));
    const looks = `${name} ${table.slice(381, 384)}`;
    const shown = (this.cells.checked && this.grid) || this.map;
    if (this.painted?.looks !== looks || this.painted.shown !== shown) {
      const of = (cover) => layer(shown, palette(table, data.signed, cover));
      this.painted = { looks, shown, whole: of(false), veil: of(true) };
    }
    const smooth = !this.cells.checked;
    draw(this.find(".map canvas"), data, { map: this.painted.whole, smooth });
    draw(this.find(".over canvas"), data, {
      photo, map: this.painted.veil, opacity: this.opacity.value / 100, veiled: true, smooth,
    });
    if (this.unknown) for (const part of [".map", ".over"]) hatch(this.find(`${part} canvas`), data, this.unknown);
    this.drawBar(name, table);
  }

  drawBar(name, table) {
    this.lying = this.find(".frame").clientWidth <= 560;
    const bar = this.find(".ramp");
    bar.style.background = ramp(table, this.lying ? "right" : "top");
    bar.style.height = this.lying ? "" : `${this.find(".over canvas").clientHeight}px`;
    const [top, , bottom] = this.data.ticks;
    bar.setAttribute("aria-label", `Colour bar, ${name}, from ${bottom} to ${top}: ${this.data.unit}`);
  }

  show() {
    const point = this.hover ?? this.pinned;
    for (const picture of this.pictures) showMarks(picture, this.data, point, this.box);
    this.find(".said").textContent = point ? this.reading(point) : this.hint();
    this.find(".reading").classList.toggle("quiet", !point);
    this.find(".reading").classList.toggle("high", Boolean(point && point[0] > this.data.size[0] / 2));
    this.find(".mark").classList.toggle("hidden", !this.box);
    this.find(".where").textContent = this.box ? marked(this.box) : "";
    this.find(".draw").classList.toggle("hidden", !this.marks);
    this.showNeedle(point);
  }

  showNeedle(point) {
    const cell = point && this.data.map ? cellAt(this.data, point) : null;
    const needle = this.find(".needle");
    needle.classList.toggle("hidden", cell === null);
    if (cell === null) return;
    const [low, high] = this.data.limits;
    const at = `${100 * clamp((this.values[cell] - low) / (high - low), 0, 1)}%`;
    Object.assign(needle.style, this.lying ? { left: at, bottom: "" } : { bottom: at, left: "" });
  }

  reading(point) {
    const said = [];
    if (this.data.map) {
      const cell = cellAt(this.data, point);
      said.push(evidence(this.data, cell === null ? undefined : this.values[cell], this.peak));
    }
    const pixel = this.pixel(point);
    if (pixel) said.push(colour(this.data, pixel));
    return `${place(this.data, point)}: ${said.join("; ")}`;
  }

  // The photo's colour at a point, as far as this copy of it goes.
  pixel(point) {
    if (!this.copy || this.drawn !== this.data.id) return null;
    const { width, height } = this.copy.canvas;
    const [row, column] = point.map(Math.floor);
    const x = Math.floor(((column + 0.5) * width) / this.data.size[1]);
    const y = Math.floor(((row + 0.5) * height) / this.data.size[0]);
    return this.copy.getImageData(x, y, 1, 1).data.subarray(0, 3);
  }

  hint() {
    if (this.alone) return "";
    if (this.byKeys) return KEYS;
    if (!this.marks) return "";
    return matchMedia("(hover: none)").matches ? TOUCH_HINT : HINT;
  }

  // Said once the keys rest, so that a held arrow does not chatter.
  aloud(text) {
    clearTimeout(this.speech);
    this.speech = setTimeout(() => (this.find(".aloud").textContent = text), PAUSE);
  }

  // -- what the reader does ----------------------------------------------------------------------

  listen() {
    for (const control of [this.opacity, this.colours, this.cells]) {
      control.oninput = () => this.draw();
      control.onchange = () => this.looks();
    }
    this.find(".clear").onclick = () => this.mark(null);
    this.find(".draw").onclick = () => {
      const on = this.find(".figure").classList.toggle("drawing");
      this.find(".draw").setAttribute("aria-pressed", String(on));
    };
    for (const picture of this.pictures) {
      picture.onpointerdown = (event) => this.press(picture, event);
      picture.onpointermove = (event) => this.move(picture, event);
      picture.onpointerup = (event) => this.release(picture, event);
      picture.onpointercancel = picture.onlostpointercapture = () => this.drop();
      picture.onpointerleave = (event) => event.pointerType !== "touch" && this.away();
      picture.onkeydown = (event) => this.key(event);
      picture.onfocus = () => this.turn(picture.matches(":focus-visible"));
      picture.onblur = () => this.turn(false);
    }
  }

  // Drawn at once, and told once it rests: what is handed on is to look as what is shown.
  looks() {
    if (!this.data.handed) return;
    look.colours[this.data.signed] = this.colours.value;
    Object.assign(look, { opacity: Number(this.opacity.value), cells: this.cells.checked });
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.tellLook(look), PAUSE);
  }

  watch() {
    this.watcher ??= new ResizeObserver(() => {
      const width = this.find(".frame").clientWidth;
      if (width === this.width) return;
      this.width = width;
      this.draw();
      this.show();
    });
    this.watcher.observe(this.find(".frame"));
  }

  rest() {
    this.watcher.disconnect();
    clearTimeout(this.speech);
    clearTimeout(this.sending);
  }

  turn(byKeys) {
    this.byKeys = byKeys;
    this.show();
  }

  away() {
    if (this.held) return;
    this.hover = null;
    this.show();
  }

  press(picture, event) {
    if (event.button || !event.isPrimary || !this.data) return;
    const at = pointOf(picture, this.data, event);
    const grip = this.marks ? gripOf(picture, this.data, event, this.box) : null;
    const draws = event.pointerType !== "touch" || this.find(".figure").classList.contains("drawing");
    const holds = grip ?? (this.marks && draws ? { stays: at } : {});
    this.held = { ...holds, at, x: event.clientX, y: event.clientY, moved: false };
    picture.setPointerCapture(event.pointerId);
    picture.focus({ preventScroll: true });
    this.turn(false);
  }

  move(picture, event) {
    const at = pointOf(picture, this.data, event);
    if (event.pointerType !== "touch" || this.held?.moved) this.hover = at;
    if (this.held) this.drag(at, event);
    else picture.style.cursor = this.marks ? cursorOf(gripOf(picture, this.data, event, this.box)) : "crosshair";
    this.show();
  }

  drag(at, { clientX, clientY }) {
    const { held } = this;
    held.moved ||= Math.hypot(clientX - held.x, clientY - held.y) >= CLICK;
    if (!held.moved) return;
    const by = at.map((value, axis) => value - held.at[axis]);
    if (held.inside) this.draft = pushed(this.data, held.inside, by);
    else if (held.corner) this.draft = span(this.data, held.stays, held.corner.map((value, axis) => value + by[axis]));
    else if (held.stays) this.draft = span(this.data, held.stays, at);
  }

  release(picture, event) {
    const { held } = this;
    if (!held) return;
    this.held = null;
    if (event.pointerType === "touch") this.hover = null;
    if (held.moved && this.draft) return this.mark(this.draft);
    this.pinned = pointOf(picture, this.data, event);
    this.anchor = null;
    return this.show();
  }

  // A press that came to nothing: the page scrolls, or Escape.
  drop() {
    if (!this.held) return;
    this.held = this.draft = null;
    this.show();
  }

  mark(box) {
    clearTimeout(this.sending);
    this.draft = null;
    const before = kept.get(this.data.key);
    if (String(before.box) !== String(box)) {
      before.box = box;
      this.tell(box);
      this.aloud(box ? marked(box) : "No region is marked");
    }
    this.show();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = ARROWS[event.key] ?? EDGES[event.key];
    if (by) this.step(by, event.shiftKey && this.marks);
    else if (event.key.toLowerCase() === "m" && this.data.map) this.go(strongest(this.data, this.values));
    else if (event.key !== "Escape" || !this.escape()) return;
    event.preventDefault();
    event.stopPropagation();
  }

  step(by, marking) {
    const from = this.pinned ?? this.data.size.map((side) => side / 2);
    const to = this.pinned || marking ? moved(this.data, from, by) : moved(this.data, from, [0, 0]);
    this.anchor = marking ? (this.anchor ?? from) : null;
    if (marking) {
      const draft = (this.draft = cellSpan(this.data, this.anchor, to));
      clearTimeout(this.sending);
      this.sending = setTimeout(() => this.draft === draft && this.mark(draft), PAUSE);
    }
    this.go(to);
  }

  go(point) {
    this.hover = null;
    this.pinned = point ?? this.pinned;
    this.show();
    this.aloud(point ? this.reading(point) : "The map holds no evidence");
  }

  // The innermost thing ends: a drag, the region, the cross-hair. Nothing left: the key is the page's.
  escape() {
    if (this.held) this.drop();
    else if (this.box) this.mark(null);
    else if (this.pinned || this.hover) {
      this.pinned = this.hover = null;
      this.show();
    } else return false;
    this.anchor = null;
    return true;
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const figure = (parentElement.vitrine ??= new Figure(parentElement));
  figure.tell = (box) => setTriggerValue("marked", { id: data.id, box });
  figure.tellLook = (now) => setTriggerValue("look", now);
  figure.take(data);
  figure.watch();
  return () => figure.rest();
}
