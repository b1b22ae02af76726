// A part of a photo drawn with mouse, finger or keys: by a brush, as a box or as a polygon. Once it
// is set it can be dragged; where it was stays marked. Points are (row, column) in the photo.
const NEAR = 12; // pixels of the screen within which a click on the first corner closes a polygon
const MOST = 4000; // points of a brush's way
const WAIT = 250; // milliseconds after the last key until a move is told
const SVG = "http://www.w3.org/2000/svg";
const START = {
  brush: "Draw with mouse or finger. By keys: the arrows move the pen, Space puts it down and lifts it, Enter sets what is drawn.",
  box: "Drag over the photo. By keys: Enter begins a box in the middle.",
  polygon: "Click its corners, and the first one again to close it. By keys: the arrows move, Space sets a corner, Enter closes.",
};
const LOOSE = "The arrows move the box, Shift and the arrows size it, Enter sets it, Escape clears.";
const SET = "It is set. Choose what to do with it; or drag it, or press the arrows, to say where it goes.";
const ONLY = "It is set. Draw another one to change it, or press Escape to clear it.";
const MOVED = "The dashed one is where it goes. Choose what to do; Escape clears.";
const HELD = "This is where it is pasted. Drag it, or press the arrows, then choose Paste it here.";

class Drawing {
  constructor(root) {
    this.root = root;
    [this.image, this.over, this.hint, this.close, this.size] =
      ["img", ".over", ".hint", ".close", ".width"].map((part) => root.querySelector(part));
    this.buttons = [...root.querySelectorAll("[data-tool]")];
    this.tool = "box";
    this.reset();
    for (const button of this.buttons) button.onclick = () => this.choose(button.dataset.tool);
    this.size.querySelector("input").oninput = () => this.paint();
    this.close.onclick = () => this.set();
    root.querySelector(".clear").onclick = () => this.clear();
    this.over.onpointerdown = (event) => this.down(event);
    this.over.onpointermove = (event) => this.move(event);
    this.over.onpointerup = () => this.up();
    this.over.onpointercancel = () => this.up();
    this.over.onkeydown = (event) => this.key(event);
  }

  reset() {
    clearTimeout(this.timer);
    this.points = [];
    this.by = [0, 0];
    this.stage = "none"; // then "drawing" by hand, "loose" by keys, and "set"
    this.pen = null; // where the keys' pen is
    this.inked = false;
    this.held = null; // what the pointer holds: the place at which it took the part
  }

  choose(tool) {
    this.tool = tool;
    this.clear();
  }

  clear() {
    const had = this.stage === "set";
    this.reset();
    this.paint();
    if (had && !this.data.held) this.send({ id: this.data.id, kind: "none" });
  }

  take(data) {
    const other = !this.data || this.data.id !== data.id || this.data.turn !== data.turn;
    this.data = data;
    if (this.image.src !== data.photo) this.image.src = data.photo;
    this.image.alt = data.alternative;
    this.over.setAttribute("viewBox", `0 0 ${data.size[1]} ${data.size[0]}`);
    this.over.setAttribute("aria-label", data.said);
    this.root.style.setProperty("--tall", `${data.tall}rem`);
    if (other) {
      this.reset();
      if (data.part) {
        this.points = data.part.points.map((each) => [...each]);
        this.by = [...data.part.by];
        this.kind = data.part.kind;
        this.thick = data.part.width;
        this.stage = "set";
        if (!data.held) this.tool = data.part.kind;
      }
      if (!data.tools.includes(this.tool)) this.tool = data.tools[0];
    }
    for (const button of this.buttons) button.hidden = data.held || data.tools.length < 2 || !data.tools.includes(button.dataset.tool);
    this.root.querySelector(".clear").hidden = data.held;
    this.paint();
    this.root.dataset.drawn = `${data.id}-${data.turn}`;
  }

  // what is drawn

  width() {
    const share = Number(this.size.querySelector("input").value) / 100;
    return Math.max(1, Math.round(share * Math.min(...this.data.size)));
  }

  shape() {
    const set = this.stage === "set";
    const [kind, points] = [set ? this.kind : this.tool, this.points];
    const list = points.map(([row, column]) => `${column},${row}`).join(" ");
    const make = (name, kind, more) => {
      const made = document.createElementNS(SVG, name);
      made.setAttribute("class", kind);
      for (const [key, value] of Object.entries(more)) made.setAttribute(key, value);
      return made;
    };
    if (!points.length) return [];
    if (kind === "brush") {
      // a way of one point has no length, and is drawn as a dot all the same
      const [row, column] = points[0];
      const way = points.length > 1 ? list : `${list} ${column},${row + 0.01}`;
      const wide = set ? this.thick : this.width();
      return [make("polyline", "way", { points: way, "stroke-width": wide })];
    }
    if (kind === "box") {
      if (points.length < 2) return [];
      const [[top, left], [bottom, right]] = [0, 1].map((end) => [0, 1].map((axis) => Math[end ? "max" : "min"](points[0][axis], points[1][axis])));
      const box = { x: left, y: top, width: right - left, height: bottom - top };
      return ["area", "dark", "light"].map((each) => make("rect", each, box));
    }
    const name = set ? "polygon" : "polyline";
    return ["area", "dark", "light"].map((each) => make(name, each, { points: list }));
  }

  paint() {
    if (!this.data) return;
    const group = (kind, by) => {
      const made = document.createElementNS(SVG, "g");
      made.setAttribute("class", kind);
      made.setAttribute("transform", `translate(${by[1]} ${by[0]})`);
      made.append(...this.shape());
      return made;
    };
    const set = this.stage === "set";
    const [moved, drawn] = [this.by[0] || this.by[1], []];
    if (!this.data.held) drawn.push(group(set ? "grab" : "loose", [0, 0]));
    if (this.data.held || (set && moved)) drawn.push(group("grab ghost", this.by));
    if (this.pen) drawn.push(this.cross());
    this.over.replaceChildren(...drawn);
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.tool === this.tool));
    this.size.hidden = this.tool !== "brush" || this.data.held;
    this.close.hidden = !(this.tool === "polygon" && !set && this.points.length > 2);
    this.hint.textContent = this.says(moved);
  }

  says(moved) {
    if (this.data.held) return HELD;
    if (this.stage === "set") return this.data.moves ? (moved ? MOVED : SET) : ONLY;
    return this.stage === "loose" && this.tool === "box" ? LOOSE : START[this.tool];
  }

  cross() {
    const made = document.createElementNS(SVG, "g");
    const arm = Math.min(...this.data.size) / 25;
    const [row, column] = this.pen;
    for (const kind of ["dark", "light"]) {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("class", kind);
      line.setAttribute("d", `M${column - arm} ${row}h${2 * arm}M${column} ${row - arm}v${2 * arm}`);
      made.append(line);
    }
    return made;
  }

  set() {
    const least = { brush: 1, box: 2, polygon: 3 }[this.tool];
    if (this.points.length < least) return;
    if (this.tool === "box") {
      const [one, two] = this.points;
      if (Math.abs(one[0] - two[0]) < LEAST || Math.abs(one[1] - two[1]) < LEAST) return this.clear();
    }
    [this.kind, this.thick, this.stage, this.pen, this.by] = [this.tool, this.tool === "brush" ? this.width() : 0, "set", null, [0, 0]];
    this.paint();
    this.tell();
  }

  tell() {
    const tenth = (value) => Math.round(value * 10) / 10;
    this.send({
      id: this.data.id, turn: this.data.turn, kind: this.kind, width: this.thick,
      points: this.data.held ? [] : this.points.map((each) => each.map(tenth)), by: this.by.map(Math.round),
    });
  }

  // mouse and finger

  down(event) {
    if (event.button) return;
    event.preventDefault();
    this.over.focus({ preventScroll: true });
    this.over.setPointerCapture(event.pointerId);
    const here = placed(event, this.over, this.data.size);
    if (this.stage === "set" && this.data.moves && event.target.closest(".grab")) {
      this.held = { here, by: [...this.by] };
      return;
    }
    if (this.data.held) return;
    if (this.tool === "polygon") return this.corner(event, here);
    this.reset();
    this.stage = "drawing";
    this.points = this.tool === "box" ? [here, here] : [here];
    this.paint();
  }

  corner(event, here) {
    if (this.stage === "set") this.reset();
    this.stage = "drawing";
    const frame = this.over.getBoundingClientRect();
    const scale = frame.height / this.data.size[0];
    const first = this.points[0];
    const near = first && Math.hypot(here[0] - first[0], here[1] - first[1]) * scale < NEAR;
    if (near && this.points.length > 2) return this.set();
    this.points.push(here);
    this.paint();
  }

  move(event) {
    const here = placed(event, this.over, this.data.size);
    if (this.held) {
      this.drag([0, 1].map((axis) => this.held.by[axis] + here[axis] - this.held.here[axis]));
      return;
    }
    if (this.stage !== "drawing" || !event.buttons || this.tool === "polygon") return;
    if (this.tool === "box") this.points[1] = here;
    else if (this.points.length < MOST) this.points.push(here);
    this.paint();
  }

  drag(by) {
    this.by = by.map((each, axis) => Math.round(within(each, -this.data.size[axis], this.data.size[axis])));
    this.paint();
  }

  up() {
    if (this.held) {
      this.held = null;
      this.tell();
    } else if (this.stage === "drawing" && this.tool !== "polygon") this.set();
  }

  // keys

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = KEYS[event.key];
    if (!by && ![" ", "Enter", "Escape", "Backspace"].includes(event.key)) return;
    if (event.key === "Escape" && this.stage === "none") return; // another's
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") this.clear();
    else if (this.stage === "set") this.shift(by, event.shiftKey);
    else if (this.tool === "box") this.boxed(event, by);
    else this.penned(event, by);
    this.paint();
  }

  shift(by, far) {
    if (!by || !this.data.moves) return;
    const step = stepOf(this.data.size) * (far ? 5 : 1);
    this.drag(this.by.map((each, axis) => each + by[axis] * step));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(), WAIT);
  }

  boxed(event, by) {
    const [height, width] = this.data.size;
    if (event.key === "Enter") {
      if (this.stage === "loose") return this.set();
      this.stage = "loose";
      this.points = [[height * 0.35, width * 0.35], [height * 0.65, width * 0.65]];
    } else if (by && this.stage === "loose") {
      const box = nudged(this.points.flat(), by, this.data.size, event.shiftKey);
      this.points = [box.slice(0, 2), box.slice(2)];
    }
  }

  penned(event, by) {
    this.pen ??= this.data.size.map((side) => side / 2);
    this.stage = "loose";
    if (by) {
      this.pen = this.pen.map((each, axis) => within(each + by[axis] * stepOf(this.data.size), 0, this.data.size[axis]));
      if (this.inked && this.points.length < MOST) this.points.push([...this.pen]);
    } else if (event.key === " ") {
      this.inked = this.tool === "brush" && !this.inked;
      if (this.tool === "polygon" || this.inked) this.points.push([...this.pen]);
    } else if (event.key === "Backspace") this.points.pop();
    else this.set();
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const drawing = (parentElement.vitrineDrawing ??= new Drawing(parentElement.querySelector(".drawing")));
  drawing.send = (said) => setTriggerValue("drawn", said);
  drawing.take(data);
}
