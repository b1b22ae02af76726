// What every surface to draw on shares: places of a photo (row, column), and a box moved by keys.
const LEAST = 4; // pixels of the photo that a drawn box has at least on each side
const KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const within = (value, low, high) => Math.min(Math.max(value, low), high);

function placed(event, over, [height, width]) {
  const frame = over.getBoundingClientRect();
  return [
    within(((event.clientY - frame.top) / frame.height) * height, 0, height),
    within(((event.clientX - frame.left) / frame.width) * width, 0, width),
  ];
}

const stepOf = (size) => Math.max(1, Math.round(Math.min(...size) / 50));

// A box (top, left, bottom, right) moved by a key's direction, or its lower right corner alone.
function nudged(box, by, size, sizes) {
  const moved = [...box];
  for (const axis of [0, 1]) {
    const move = by[axis] * stepOf(size);
    if (sizes) moved[axis + 2] = within(box[axis + 2] + move, box[axis] + LEAST, size[axis]);
    else if (box[axis] + move >= 0 && box[axis + 2] + move <= size[axis]) {
      moved[axis] += move;
      moved[axis + 2] += move;
    }
  }
  return moved;
}
