// Photo, map and overlay in the photo's frame, with one colour bar. Opacity, colours and pixels
// change here, without asking the server. Text comes from a worker: it is only ever set as text.
const bytes = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

export default function ({ data, parentElement }) {
  const find = (selector) => parentElement.querySelector(selector);
  const [opacity, colours, blocks] = [find("input[type=range]"), find("select"), find("input[type=checkbox]")];
  const state = (parentElement.vitrine ??= {});
  state.turn = (state.turn ?? 0) + 1;
  const turn = state.turn;

  if (!state.ready) {
    opacity.value = Math.round(data.opacity * 100);
    state.ready = true;
  }
  const names = Object.keys(data.tables);
  if ([...colours.options].map((option) => option.value).join() !== names.join()) {
    colours.replaceChildren(...names.map((name) => new Option(name, name)));
  }
  find(".tools").classList.toggle("hidden", data.partial);
  const caption = (selector, parts) => {
    const place = find(`${selector} figcaption`);
    place.replaceChildren(
      ...parts.map(([text, strong]) => {
        const part = document.createElement(strong ? "b" : "span");
        part.textContent = text;
        return part;
      }),
    );
    find(`${selector} canvas`).setAttribute("aria-label", parts.map(([text]) => text).join(""));
  };
  caption(".photo", data.captions.photo);
  caption(".map", data.captions.map);
  caption(".over", data.captions.over);
  find(".unit").textContent = data.unit;
  find(".ticks").querySelectorAll("span").forEach((tick, place) => {
    tick.textContent = data.ticks[place];
  });

  find(".as-is").textContent = data.cells ? "Show the cells" : "Show the pixels";
  const layer = document.createElement("canvas");

  // cover: how much each pixel hides the photo, as xai_core.render.strength says
  const paint = (table, cover) => {
    const shown = blocks.checked && data.cells ? data.cells : data.map;
    const levels = bytes(shown.levels);
    layer.width = shown.columns;
    layer.height = shown.rows;
    const context = layer.getContext("2d");
    const image = context.createImageData(shown.columns, shown.rows);
    for (let at = 0; at < levels.length; at++) {
      const level = levels[at];
      image.data.set(table.subarray(3 * level, 3 * level + 3), 4 * at);
      const far = data.signed ? Math.abs(level - 127.5) / 127.5 : level / 255;
      image.data[4 * at + 3] = cover ? Math.round(255 * far) : 255;
    }
    context.putImageData(image, 0, 0);
  };

  const draw = (photo) => {
    if (turn !== state.turn) return; // a later picture has come
    const [width, height] = [data.width, data.height];
    const [top, left, bottom, right] = data.box;
    const place = [left * width, top * height, (right - left) * width, (bottom - top) * height];
    const table = bytes(data.tables[colours.value] ?? data.tables[names[0]]);
    const board = (selector) => {
      const canvas = find(`${selector} canvas`);
      canvas.width = width;
      canvas.height = height;
      const context = canvas.getContext("2d");
      context.imageSmoothingEnabled = !blocks.checked;
      context.imageSmoothingQuality = "high";
      return context;
    };
    const veil = (context) => {
      context.fillStyle = "rgba(128, 134, 136, 0.62)";
      context.beginPath();
      context.rect(0, 0, width, height);
      context.rect(...place);
      context.fill("evenodd");
    };
    let context = board(".photo");
    context.drawImage(photo, 0, 0, width, height);
    veil(context);
    context = board(".map");
    paint(table, false);
    context.drawImage(layer, ...place);
    context = board(".over");
    context.drawImage(photo, 0, 0, width, height);
    paint(table, true);
    context.globalAlpha = opacity.value / 100;
    context.drawImage(layer, ...place);
    context.globalAlpha = 1;
    veil(context);

    const stops = Array.from({ length: 17 }, (_, step) => {
      const level = Math.round((step * 255) / 16);
      return `rgb(${table.subarray(3 * level, 3 * level + 3).join(" ")})`;
    });
    const wide = find(".frame").clientWidth <= 560;
    const ramp = find(".ramp");
    ramp.style.background = `linear-gradient(to ${wide ? "right" : "top"}, ${stops.join(",")})`;
    ramp.style.height = `${find(".over canvas").clientHeight}px`;
    find(".frame").dataset.drawn = data.id;
  };

  const photo = new Image();
  photo.onload = () => draw(photo);
  photo.src = data.photo;
  for (const control of [opacity, colours, blocks]) control.oninput = () => draw(photo);
  state.watch?.disconnect();
  state.watch = new ResizeObserver(() => photo.complete && draw(photo));
  state.watch.observe(find(".frame"));
  return () => state.watch.disconnect();
}
