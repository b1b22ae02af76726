// A method's formula: a symbol lights up the picture of what it stands for, and a place of a map
// writes the formula out with the run's numbers. Text is only ever set as text.
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const INVITATION = "Point at a symbol to see what it stands for.";
const CELLS = "Point at a place of a picture to see the formula with its numbers.";

const node = (kind, name, text) => {
  const made = document.createElement(kind);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
};

class Formula {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.at = null;
  }

  take(data) {
    if (this.data?.id === data.id) return;
    this.data = data;
    this.at = null;
    this.find(".lines").replaceChildren(...data.lines.map((line) => this.line(line)));
    this.figures = new Map(data.parts.map((part) => [part.key, this.part(part)]));
    this.find(".parts").replaceChildren(...this.figures.values());
    this.light("");
    this.show();
  }

  line(pieces) {
    const made = node("div", "line");
    for (const { runs, symbol } of pieces) {
      const piece = node(symbol ? "button" : "span", symbol ? "symbol" : "");
      for (const [text, kind] of runs) piece.append(node(kind || "span", "", text));
      if (symbol) {
        piece.type = "button";
        piece.dataset.symbol = symbol;
        piece.setAttribute("aria-label", `${piece.textContent}: ${this.data.symbols[symbol].meaning}`);
        piece.onpointerenter = piece.onfocus = () => this.light(symbol);
        piece.onpointerleave = piece.onblur = () => this.light("");
        piece.onclick = () => this.light(symbol);
      }
      made.append(piece);
    }
    return made;
  }

  part(part) {
    const figure = node("figure", part.wide ? "wide" : "");
    const picture = node("div", part.pointed ? "picture pointed" : "picture");
    const image = node("img");
    [image.src, image.alt] = [part.url, part.caption];
    picture.append(image);
    if (part.pointed) {
      picture.append(node("i", "cell hidden"));
      picture.onpointermove = (event) => this.point(this.place(picture, event));
      picture.onpointerleave = () => this.point(null);
      if (part.last) {
        picture.tabIndex = 0;
        picture.setAttribute("role", "application");
        picture.setAttribute("aria-label", `${part.caption}. Arrows move from place to place.`);
        picture.onkeydown = (event) => this.key(event);
      }
    }
    figure.append(picture, node("figcaption", "", part.caption));
    return figure;
  }

  place(picture, { clientX, clientY }) {
    const box = picture.getBoundingClientRect();
    const cut = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
    return [
      cut((clientY - box.top) / box.height, this.data.rows),
      cut((clientX - box.left) / box.width, this.data.columns),
    ];
  }

  point(at) {
    this.at = at;
    this.show();
  }

  key(event) {
    const by = MOVES[event.key];
    if (!by) return;
    const { rows, columns } = this.data;
    const from = this.at ?? [Math.floor(rows / 2), Math.floor(columns / 2)];
    const cut = (value, count) => Math.min(count - 1, Math.max(0, value));
    this.point(this.at ? [cut(from[0] + by[0], rows), cut(from[1] + by[1], columns)] : from);
    event.preventDefault();
    event.stopPropagation();
  }

  light(symbol) {
    const known = this.data.symbols[symbol];
    for (const each of this.find(".lines").querySelectorAll(".symbol")) {
      each.classList.toggle("lit", each.dataset.symbol === symbol);
    }
    for (const [key, figure] of this.figures) figure.classList.toggle("lit", Boolean(known) && known.part === key);
    this.find(".meaning").textContent = known ? `${known.plain}: ${known.meaning}.` : INVITATION;
  }

  show() {
    const { rows, columns, cells } = this.data;
    for (const mark of this.find(".parts").querySelectorAll(".cell")) {
      mark.classList.toggle("hidden", !this.at);
      if (!this.at) continue;
      Object.assign(mark.style, {
        top: `${(100 * this.at[0]) / rows}%`, height: `${100 / rows}%`,
        left: `${(100 * this.at[1]) / columns}%`, width: `${100 / columns}%`,
      });
    }
    const said = this.at ? `${cells[this.at[0] * columns + this.at[1]]}.` : cells.length ? CELLS : "";
    this.find(".worked").textContent = said;
  }
}

export default function ({ data, parentElement }) {
  const formula = (parentElement.vitrineFormula ??= new Formula(parentElement));
  formula.take(data);
}
