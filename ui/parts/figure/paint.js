// Numbers into colours on canvases.
const bytes = (text) => {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) out[at] = raw.charCodeAt(at);
  return out;
};

const blank = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

// The colour of each level as it lies in memory. With `cover` a level hides the photo as much as
// xai_core.render.strength says.
const palette = (table, signed, cover) => {
  const colours = new Uint8ClampedArray(4 * 256);
  for (let level = 0; level < 256; level++) {
    const far = signed ? Math.abs(level - 127.5) / 127.5 : level / 255;
    colours.set(table.subarray(3 * level, 3 * level + 3), 4 * level);
    colours[4 * level + 3] = cover ? 255 * far : 255;
  }
  return new Uint32Array(colours.buffer);
};

const layer = ({ rows, columns, levels }, colours) => {
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let at = 0; at < levels.length; at++) pixels[at] = colours[levels[at]];
  const made = blank(columns, rows);
  made.getContext("2d").putImageData(image, 0, 0);
  return made;
};

// Draw one picture at the screen's own resolution: photo, layer over the model's box, or both.
const draw = (canvas, data, { photo, map, opacity = 1, veiled, smooth }) => {
  const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  const height = Math.max(1, Math.round((width * data.size[0]) / data.size[1]));
  Object.assign(canvas, { width, height }); // which also wipes it
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  if (photo) context.drawImage(photo, 0, 0, width, height);
  if (!data.box) return;
  const [down, across] = [height / data.size[0], width / data.size[1]];
  const [top, left, bottom, right] = data.box;
  const seen = [left * across, top * down, (right - left) * across, (bottom - top) * down];
  if (map) {
    context.imageSmoothingEnabled = smooth;
    context.globalAlpha = opacity;
    context.drawImage(map, ...seen);
    context.globalAlpha = 1;
  }
  if (!veiled) return;
  context.fillStyle = "rgba(128, 134, 136, 0.62)";
  context.beginPath();
  context.rect(0, 0, width, height);
  context.rect(...seen);
  context.fill("evenodd");
};

// Hatch the cells of a map that are not known yet (1 in `mask`), as no colour of a map is.
const hatch = (canvas, data, mask) => {
  const { width, height } = canvas;
  const [rows, columns] = [data.map.rows, data.map.columns];
  const cells = blank(columns, rows);
  const image = new ImageData(columns, rows);
  for (let at = 0; at < mask.length; at++) image.data[4 * at + 3] = mask[at] ? 255 : 0;
  cells.getContext("2d").putImageData(image, 0, 0);
  const cover = blank(width, height);
  const context = cover.getContext("2d");
  context.fillStyle = "rgb(96, 103, 106)";
  context.fillRect(0, 0, width, height);
  context.strokeStyle = "rgb(176, 183, 186)";
  context.lineWidth = 2 * devicePixelRatio;
  for (let at = -height; at < width; at += 10 * devicePixelRatio) {
    context.beginPath();
    context.moveTo(at, height);
    context.lineTo(at + height, 0);
    context.stroke();
  }
  const [down, across] = [height / data.size[0], width / data.size[1]];
  const [top, left, bottom, right] = data.box;
  context.globalCompositeOperation = "destination-in";
  context.imageSmoothingEnabled = false;
  context.drawImage(cells, left * across, top * down, (right - left) * across, (bottom - top) * down);
  canvas.getContext("2d").drawImage(cover, 0, 0);
};

// A diverging map's middle is the page's own background. On a dark page its ends are the table's
// bright tones, for the dark ones would not stand out.
const themed = (table, signed, element) => {
  if (!signed) return table;
  const ground = backgroundOf(element);
  const dark = ground[0] + ground[1] + ground[2] < 384;
  const made = new Uint8Array(table.length);
  for (let level = 0; level < 256; level++) {
    const far = Math.abs(level - 127.5) / 127.5;
    const source = 3 * (dark ? (level < 128 ? 48 : 207) : level);
    const middle = 3 * (level < 128 ? 127 : 128);
    for (let channel = 0; channel < 3; channel++) {
      const own = table[source + channel];
      made[3 * level + channel] = Math.round(dark
        ? ground[channel] + (own - ground[channel]) * far
        : clamp(own + (ground[channel] - table[middle + channel]) * (1 - far), 0, 255));
    }
  }
  return made;
};

// The page's background as red, green and blue; white where it says none.
const backgroundOf = (element) => {
  const probe = document.createElement("i");
  probe.style.color = getComputedStyle(element).getPropertyValue("--st-background-color") || "#fff";
  element.append(probe);
  const found = getComputedStyle(probe).color.match(/[\d.]+/g);
  probe.remove();
  return found ? found.slice(0, 3).map(Number) : [255, 255, 255];
};

const ramp = (table, towards) => {
  const stops = Array.from({ length: 17 }, (_, step) => {
    const level = Math.round((step * 255) / 16);
    return `rgb(${table.subarray(3 * level, 3 * level + 3).join(" ")})`;
  });
  return `linear-gradient(to ${towards}, ${stops.join(",")})`;
};
