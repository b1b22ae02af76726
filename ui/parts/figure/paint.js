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

const ramp = (table, towards) => {
  const stops = Array.from({ length: 17 }, (_, step) => {
    const level = Math.round((step * 255) / 16);
    return `rgb(${table.subarray(3 * level, 3 * level + 3).join(" ")})`;
  });
  return `linear-gradient(to ${towards}, ${stops.join(",")})`;
};
