// Several maps side by side on one scale, with one cross-hair. Text comes from a worker: it is only
// ever set as text. A point is a share of the photo's height and width, so that one point stands in
// photos of different sizes.
const REST = 450; // milliseconds without a key before the values are said aloud
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const POINTED = "Point at a picture: the same place is shown in all. A click keeps it.";

const element = (kind, name, text) => {
  const made = document.createElement(kind);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
};

class Compared {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    [this.opacity, this.colours, this.alone] = [
      this.find("input[type=range]"), this.find("select"), this.find("input[type=checkbox]"),
    ];
    for (const control of [this.opacity, this.colours, this.alone]) control.oninput = () => this.draw();
    this.watcher = new ResizeObserver(() => this.draw());
  }

  take(data) {
    const first = !this.data;
    if (this.data?.id === data.id) return;
    this.data = data;
    this.hover = this.pinned = null;
    if (first) this.opacity.value = Math.round(data.opacity * 100);
    const names = Object.keys(data.tables);
    this.colours.replaceChildren(...names.map((name) => new Option(name, name)));
    this.tables = Object.fromEntries(names.map((name) => [name, bytes(data.tables[name])]));
    this.find(".unit").textContent = data.unit;
    this.find(".ticks").querySelectorAll("span").forEach((tick, place) => {
      tick.textContent = data.ticks[place];
    });
    this.find(".tools").classList.toggle("hidden", !data.panels.some((panel) => panel.map));
    this.find(".panels").style.setProperty("--columns", data.columns);
    this.panels = data.panels.map((panel, place) => this.made(panel, place));
    this.find(".panels").replaceChildren(...this.headed(data));
    this.load();
    this.show();
  }

  // The panels, with what stands over the columns and before each row; each panel says all of it, too.
  headed({ heads, columns }) {
    const head = (kind, text) => {
      const made = element("div", `head ${kind}`, text);
      made.setAttribute("aria-hidden", "true");
      return made;
    };
    const placed = heads.columns.map((text) => head("column", text));
    this.panels.forEach((panel, place) => {
      const row = heads.rows[place / columns]; // a whole number where a row begins
      if (row) placed.push(head("row", row));
      placed.push(panel.figure);
    });
    return placed;
  }

  made(data, place) {
    const figure = element("figure");
    figure.setAttribute("role", "listitem");
    const caption = element("figcaption");
    caption.append(element("b", "", data.title), element("span", "more", data.about));
    const panel = { data, figure };
    if (!data.map) {
      const photo = this.data.photos[data.photo];
      const shown = element(photo ? "img" : "div", photo ? "photo" : "none", data.problem);
      if (photo) [shown.src, shown.alt] = [photo, data.alternative];
      figure.append(shown, caption);
      return panel;
    }
    const picture = element("div", "picture");
    picture.setAttribute("role", "application");
    picture.setAttribute("aria-label", `Point at ${data.title}`);
    picture.tabIndex = place === this.data.panels.findIndex((each) => each.map) ? 0 : -1;
    panel.canvas = element("canvas");
    panel.canvas.setAttribute("role", "img");
    panel.canvas.setAttribute("aria-label", data.alternative);
    panel.canvas.style.aspectRatio = `${data.size[1]} / ${data.size[0]}`;
    panel.lines = [element("i", "across hidden"), element("i", "down hidden")];
    picture.append(panel.canvas, ...panel.lines);
    panel.said = element("span", "value");
    caption.append(panel.said);
    figure.append(picture, caption);
    panel.values = new Float32Array(bytes(data.map.values).buffer);
    panel.peak = panel.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    picture.onpointermove = (event) => this.point(this.share(panel, picture, event), false);
    picture.onpointerleave = () => this.point(null, false);
    picture.onclick = (event) => this.point(this.share(panel, picture, event), true);
    picture.onkeydown = (event) => this.key(panel, event);
    return panel;
  }

  share(panel, picture, event) {
    const place = picture.getBoundingClientRect();
    return [
      clamp((event.clientY - place.top) / place.height, 0, 1 - 1e-6),
      clamp((event.clientX - place.left) / place.width, 0, 1 - 1e-6),
    ];
  }

  point(share, keep) {
    this.hover = share;
    if (keep) this.pinned = share;
    this.show();
  }

  key(panel, event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { size } = panel.data;
    const by = STEPS[event.key];
    const inPanel = (share) => share.map((at, axis) => at * size[axis]);
    let to = null;
    if (by) to = moved(panel.data, inPanel(this.pinned ?? [0.5, 0.5]), this.pinned ? by : [0, 0]);
    else if (event.key.toLowerCase() === "m") to = strongest(panel.data, panel.values);
    else if (event.key !== "Escape" || !this.pinned) return;
    event.preventDefault();
    event.stopPropagation();
    this.hover = null;
    this.pinned = to && to.map((at, axis) => at / size[axis]);
    this.show();
    clearTimeout(this.speech);
    this.speech = setTimeout(() => (this.find(".aloud").textContent = this.all()), REST);
  }

  // What each map says at the point, one after the other.
  all() {
    return this.panels.filter((panel) => panel.said)
      .map((panel) => `${panel.data.title}: ${panel.said.textContent}`).join("; ");
  }

  show() {
    const share = this.hover ?? this.pinned;
    for (const panel of this.panels) {
      if (!panel.canvas) continue;
      for (const line of panel.lines) line.classList.toggle("hidden", !share);
      panel.said.textContent = "";
      if (!share) continue;
      panel.lines[0].style.top = `${100 * share[0]}%`;
      panel.lines[1].style.left = `${100 * share[1]}%`;
      const at = share.map((part, axis) => part * panel.data.size[axis]);
      const cell = cellAt(panel.data, at);
      const signed = { ...panel.data, signed: this.data.signed };
      panel.said.textContent = evidence(signed, cell === null ? undefined : panel.values[cell], panel.peak);
    }
    this.find(".reading").textContent = share ? "" : POINTED;
  }

  async load() {
    const { data } = this;
    const photos = {};
    for (const [name, url] of Object.entries(data.photos)) {
      const photo = new Image();
      photo.src = url;
      await photo.decode().catch(() => {});
      if (data !== this.data) return;
      photos[name] = photo;
    }
    this.photos = photos;
    this.watcher.observe(this.find(".panels"));
    this.draw();
  }

  draw() {
    if (!this.photos) return;
    const { data } = this;
    const table = themed(this.tables[this.colours.value], data.signed, this.find(".compared"));
    for (const panel of this.panels) {
      if (!panel.canvas || !panel.canvas.clientWidth) continue;
      const map = layer(this.levels(panel), palette(table, data.signed, !this.alone.checked));
      const photo = this.alone.checked ? undefined : this.photos[panel.data.photo];
      draw(panel.canvas, panel.data, {
        photo, map, smooth: true, veiled: !this.alone.checked,
        opacity: this.alone.checked ? 1 : this.opacity.value / 100,
      });
    }
    this.find(".ramp").style.background = ramp(table, "right");
    const [low, , high] = data.ticks;
    this.find(".ramp").setAttribute("aria-label", `Colour bar from ${low} to ${high}: ${data.unit}`);
    this.find(".panels").dataset.drawn = data.id;
  }

  // The values as places on the one bar, as xai_core.render.levels has them.
  levels(panel) {
    const { top, map } = panel.data;
    panel.levels ??= Uint8Array.from(panel.values, (value) => {
      const part = this.data.signed ? (value / top + 1) / 2 : value / top;
      return clamp(Math.floor(part * 255 + 0.5), 0, 255);
    });
    return { rows: map.rows, columns: map.columns, levels: panel.levels };
  }

  rest() {
    this.watcher.disconnect();
    clearTimeout(this.speech);
  }
}

export default function ({ data, parentElement }) {
  const compared = (parentElement.vitrineCompared ??= new Compared(parentElement));
  compared.take(data);
  if (compared.photos) compared.watcher.observe(compared.find(".panels"));
  return () => compared.rest();
}
