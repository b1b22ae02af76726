// A digit is drawn with mouse or finger, 28 x 28; the server answers with every layer's activations.
const SIDE = 28;
const WAIT = 140; // milliseconds between two questions while it is drawn

function bytes(text) {
  const plain = atob(text);
  const made = new Uint8Array(plain.length); // Uint8Array.from takes several times as long
  for (let at = 0; at < plain.length; at += 1) made[at] = plain.charCodeAt(at);
  return made;
}

class Pad {
  constructor(root) {
    this.root = root;
    const draw = document.createElement("div");
    draw.className = "draw";
    draw.innerHTML = '<div class="pad"><canvas width="28" height="28" role="img" aria-label="Draw a digit here with mouse or finger"></canvas><button type="button">Clear</button></div><div class="answers" aria-live="polite"></div>';
    root.append(draw);
    this.canvas = draw.querySelector("canvas");
    this.answers = draw.querySelector(".answers");
    this.values = new Float32Array(SIDE * SIDE);
    draw.querySelector("button").onclick = () => this.clear();
    this.canvas.onpointerdown = (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.last = null;
      this.ink(event);
    };
    this.canvas.onpointermove = (event) => event.buttons && this.ink(event);
    this.canvas.onpointerup = () => this.ask(true);
    this.paint();
  }

  ink(event) {
    const box = this.canvas.getBoundingClientRect();
    const here = [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
    const from = this.last ?? here;
    const count = Math.max(1, Math.ceil(4 * Math.hypot(here[0] - from[0], here[1] - from[1])));
    for (let at = 1; at <= count; at += 1) {
      const x = from[0] + ((here[0] - from[0]) * at) / count;
      const y = from[1] + ((here[1] - from[1]) * at) / count;
      this.dot(x, y);
    }
    this.last = here;
    this.paint();
    this.ask(false);
  }

  // A round pen of about two pixels with a soft edge, as the digits of the data have.
  dot(x, y) {
    for (let row = Math.floor(y) - 2; row <= y + 2; row += 1) {
      for (let column = Math.floor(x) - 2; column <= x + 2; column += 1) {
        if (row < 0 || column < 0 || row >= SIDE || column >= SIDE) continue;
        const far = Math.hypot(column + 0.5 - x, row + 0.5 - y);
        const ink = Math.min(1, Math.max(0, 1.75 - far));
        const place = row * SIDE + column;
        this.values[place] = Math.max(this.values[place], ink);
      }
    }
  }

  paint() {
    const image = new ImageData(SIDE, SIDE);
    this.values.forEach((value, at) => image.data.set([255 * value, 255 * value, 255 * value, 255], 4 * at));
    this.canvas.getContext("2d").putImageData(image, 0, 0);
  }

  clear() {
    this.values.fill(0);
    this.paint();
    this.ask(true);
  }

  ask(now) {
    clearTimeout(this.timer);
    const send = () => {
      const codes = Uint8Array.from(this.values, (value) => Math.round(255 * value));
      this.asked = Date.now();
      this.send({ pixels: btoa(String.fromCharCode(...codes)), turn: this.asked });
    };
    if (now || Date.now() - (this.asked ?? 0) > WAIT) send();
    else this.timer = setTimeout(send, WAIT);
  }

  // A digit of the data put on the pad, where the reader chose one.
  take(data) {
    if (data.given && this.given !== data.given.id) {
      this.given = data.given.id;
      this.values = Float32Array.from(bytes(data.given.pixels), (value) => value / 255);
      this.paint();
    }
    this.answers.replaceChildren();
    const bars = document.createElement("div");
    bars.className = "bars";
    const first = Math.max(...data.bars.map((bar) => bar.share));
    for (const { label, share, text } of data.bars) {
      const [name, bar, number] = ["span", "i", "span"].map((tag) => document.createElement(tag));
      [name.textContent, number.textContent] = [label, text];
      bar.style.width = `${100 * share}%`;
      if (share === first) name.className = number.className = "first";
      bars.append(name, bar, number);
    }
    if (data.bars.length) this.answers.append(bars);
    const palette = bytes(data.palette);
    for (const layer of data.layers) {
      const figure = document.createElement("div");
      figure.className = "layer";
      const said = document.createElement("span");
      said.textContent = layer.title;
      const canvas = document.createElement("canvas");
      const values = bytes(layer.values);
      Object.assign(canvas, { width: values.length, height: 1 });
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", layer.title);
      const image = new ImageData(values.length, 1);
      values.forEach((value, at) => image.data.set([palette[3 * value], palette[3 * value + 1], palette[3 * value + 2], 255], 4 * at));
      canvas.getContext("2d").putImageData(image, 0, 0);
      figure.append(said, canvas);
      this.answers.append(figure);
    }
    this.root.dataset.answered = data.turn;
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const pad = (parentElement.vitrinePad ??= new Pad(parentElement.querySelector(".holder")));
  pad.send = (value) => setTriggerValue("drawn", value);
  pad.take(data);
}
