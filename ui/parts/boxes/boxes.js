// A photo with the boxes that a detector found: each is a button. A box of one's own is drawn with
// mouse or finger, or with the keys. Text comes from a worker: it is only ever set as text.
const HINT = "Drag over the photo; or press Enter for a box in the middle, and move it with the arrows, Shift and arrows to size it.";

class Boxes {
  constructor(root) {
    this.root = root;
    [this.image, this.over, this.tools, this.button, this.hint] =
      ["img", ".over", ".tools", ".draw", ".hint"].map((part) => root.querySelector(part));
    this.button.onclick = () => this.drawing(!this.active);
    this.over.onpointerdown = (event) => this.down(event);
    this.over.onpointermove = (event) => this.start && this.stretch(event);
    this.over.onpointerup = (event) => this.start && this.up(event);
    this.button.onkeydown = (event) => {
      if (event.key !== "Enter" || !this.active) return;
      event.preventDefault();
      const [height, width] = this.data.size;
      this.tell([height * 0.35, width * 0.35, height * 0.65, width * 0.65]);
    };
  }

  drawing(on) {
    this.active = on;
    this.root.classList.toggle("drawing", on);
    this.button.setAttribute("aria-pressed", String(on));
    this.hint.textContent = on ? HINT : "";
  }

  take(data) {
    this.data = data;
    this.tools.classList.toggle("hidden", !data.draws);
    if (this.image.src !== data.photo) this.image.src = data.photo;
    this.image.alt = data.alternative;
    this.root.style.setProperty("--tall", `${data.tall}rem`);
    const active = this.over.getRootNode().activeElement;
    const at = [...this.over.children].indexOf(active);
    this.over.replaceChildren(...data.boxes.map((box) => this.made(box)));
    if (at >= 0) this.over.children[Math.min(at, this.over.children.length - 1)]?.focus({ preventScroll: true });
    this.root.dataset.drawn = data.id;
  }

  made(box) {
    const [height, width] = this.data.size;
    const button = document.createElement("button");
    button.type = "button";
    const [top, left, bottom, right] = box.box;
    Object.assign(button.style, {
      top: `${(100 * top) / height}%`, left: `${(100 * left) / width}%`,
      height: `${(100 * (bottom - top)) / height}%`, width: `${(100 * (right - left)) / width}%`,
    });
    button.className = box.kind;
    button.classList.toggle("low", top / height < 0.08);
    button.classList.toggle("late", left / width > 0.55);
    button.setAttribute("aria-pressed", String(box.chosen));
    button.setAttribute("aria-label", box.said);
    const label = document.createElement("span");
    label.textContent = box.text;
    if (box.text) button.append(label);
    button.onclick = () => !this.active && this.send("chosen", box.index);
    if (box.kind === "own") button.onkeydown = (event) => this.key(event, box.box);
    return button;
  }

  place(event) {
    return placed(event, this.over, this.data.size);
  }

  down(event) {
    if (!this.active) return;
    event.preventDefault();
    this.over.setPointerCapture(event.pointerId);
    this.start = this.place(event);
    this.rubber = document.createElement("button");
    this.rubber.className = "own";
    this.rubber.tabIndex = -1;
    this.over.append(this.rubber);
  }

  corners(event) {
    const end = this.place(event);
    return [0, 1].map((axis) => Math.min(this.start[axis], end[axis]))
      .concat([0, 1].map((axis) => Math.max(this.start[axis], end[axis])));
  }

  stretch(event) {
    const [top, left, bottom, right] = this.corners(event);
    const [height, width] = this.data.size;
    Object.assign(this.rubber.style, {
      top: `${(100 * top) / height}%`, left: `${(100 * left) / width}%`,
      height: `${(100 * (bottom - top)) / height}%`, width: `${(100 * (right - left)) / width}%`,
    });
  }

  up(event) {
    const box = this.corners(event);
    this.start = null;
    this.rubber.remove();
    if (box[2] - box[0] < LEAST || box[3] - box[1] < LEAST) return;
    this.drawing(false);
    this.tell(box);
  }

  key(event, box) {
    const by = KEYS[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.tell(nudged(box, by, this.data.size, event.shiftKey));
  }

  tell(box) {
    this.send("drawn", { id: this.data.id, box: box.map((side) => Math.round(side * 10) / 10) });
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const boxes = (parentElement.vitrineBoxes ??= new Boxes(parentElement.querySelector(".boxes")));
  boxes.send = setTriggerValue;
  boxes.take(data);
}
