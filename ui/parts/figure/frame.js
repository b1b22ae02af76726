// Where things are. A point is [row, column] in the photo's own pixels and need not be whole; a box
// is [top, left, bottom, right]; the model sees the photo inside data.box, cut into the map's cells.
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// Where a point is inside a box, from 0 to 1 while it is in it.
const within = ([top, left, bottom, right], [row, column]) => [
  (row - top) / (bottom - top),
  (column - left) / (right - left),
];

// The height and width of a cell of the map; of a pixel where there is no map.
const stepOf = ({ box, map }) =>
  map ? [(box[2] - box[0]) / map.rows, (box[3] - box[1]) / map.columns] : [1, 1];

// The cell of the map at a point, or null where the model does not see the photo.
const cellAt = ({ box, map }, point) => {
  const [down, across] = within(box, point);
  if (down < 0 || down >= 1 || across < 0 || across >= 1) return null;
  const row = Math.min(Math.floor(down * map.rows), map.rows - 1);
  return row * map.columns + Math.min(Math.floor(across * map.columns), map.columns - 1);
};

const inPhoto = ({ size }, [row, column]) => row >= 0 && row < size[0] && column >= 0 && column < size[1];

// The nearest point of the photo.
const intoPhoto = ({ size }, point) => point.map((at, axis) => clamp(at, 0, size[axis] - 1e-6));

// The middle of the cell that lies so many cells away from a point, or of the last in the photo.
const moved = (data, point, by) => {
  const step = stepOf(data);
  const start = data.box ?? [0, 0];
  const middle = (place) => place.map((at, axis) =>
    start[axis] + (Math.floor((at - start[axis]) / step[axis] + 1e-9) + 0.5) * step[axis]);
  const away = intoPhoto(data, point.map((at, axis) => at + by[axis] * step[axis]));
  return intoPhoto(data, middle(away));
};

// The middle of the photo's cell whose value is furthest from zero; null where all are zero.
const strongest = (data, values) => {
  const [height, width] = stepOf(data);
  let [best, found] = [0, null];
  for (let at = 0; at < values.length; at++) {
    if (!(Math.abs(values[at]) > best)) continue; // not known yet, too
    const point = [
      data.box[0] + (Math.floor(at / data.map.columns) + 0.5) * height,
      data.box[1] + ((at % data.map.columns) + 0.5) * width,
    ];
    if (inPhoto(data, point)) [best, found] = [Math.abs(values[at]), point];
  }
  return found;
};

// The whole pixels of the photo that two points span.
const span = ({ size }, one, other) => {
  const edge = (axis) => {
    const [low, high] = [one[axis], other[axis]].sort((a, b) => a - b);
    const first = clamp(Math.floor(low), 0, size[axis] - 1);
    return [first, clamp(Math.ceil(high), first + 1, size[axis])];
  };
  const [[top, bottom], [left, right]] = [edge(0), edge(1)];
  return [top, left, bottom, right];
};

// The whole pixels that two points' cells span, both cells included.
const cellSpan = (data, one, other) => {
  const step = stepOf(data);
  const [a, b] = [moved(data, one, [0, 0]), moved(data, other, [0, 0])];
  const low = a.map((at, axis) => Math.min(at, b[axis]) - step[axis] / 2 + 1e-6);
  const high = a.map((at, axis) => Math.max(at, b[axis]) + step[axis] / 2 - 1e-6);
  return span(data, low, high);
};

// A box pushed along by whole pixels, as far as the photo goes.
const pushed = ({ size }, [top, left, bottom, right], [down, across]) => {
  const rows = clamp(Math.round(down), -top, size[0] - bottom);
  const columns = clamp(Math.round(across), -left, size[1] - right);
  return [top + rows, left + columns, bottom + rows, right + columns];
};
