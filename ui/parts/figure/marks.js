// The cross-hair and the marked region, the same on every picture.
const ROOM = 20; // CSS pixels a side of a region has, at the least, when its corners are drawn
const GRIP = { mouse: 9, pen: 12, touch: 24 }; // how near a corner is taken hold of, in CSS pixels

const showMarks = (picture, { size }, point, box) => {
  const shown = (name, on) => picture.querySelector(name).classList.toggle("hidden", !on);
  shown(".across", point);
  shown(".down", point);
  shown(".box", box);
  const percentOf = (at, axis) => `${(100 * at) / size[axis]}%`;
  if (point) {
    picture.querySelector(".across").style.top = percentOf(point[0], 0);
    picture.querySelector(".down").style.left = percentOf(point[1], 1);
  }
  if (box) {
    const [top, left, bottom, right] = box;
    Object.assign(picture.querySelector(".box").style, {
      top: percentOf(top, 0), left: percentOf(left, 1),
      height: percentOf(bottom - top, 0), width: percentOf(right - left, 1),
    });
    const scale = picture.clientWidth / size[1];
    const small = Math.min(bottom - top, right - left) * scale < ROOM;
    picture.querySelector(".box").classList.toggle("small", small);
  }
};

const pointOf = (picture, data, event) => {
  const place = picture.getBoundingClientRect();
  return intoPhoto(data, [
    ((event.clientY - place.top) / place.height) * data.size[0],
    ((event.clientX - place.left) / place.width) * data.size[1],
  ]);
};

// What a press would take hold of: a corner (its opposite stays), the inside, or nothing.
const gripOf = (picture, data, event, box) => {
  if (!box) return null;
  const place = picture.getBoundingClientRect();
  const [down, across] = [place.height / data.size[0], place.width / data.size[1]];
  const [row, column] = [(event.clientY - place.top) / down, (event.clientX - place.left) / across];
  const [top, left, bottom, right] = box;
  const near = GRIP[event.pointerType] ?? GRIP.mouse;
  const corners = [[top, left], [top, right], [bottom, left], [bottom, right]];
  const away = corners.map((corner) =>
    Math.max(Math.abs(corner[0] - row) * down, Math.abs(corner[1] - column) * across));
  const nearest = away.indexOf(Math.min(...away));
  if (away[nearest] <= near) {
    return { corner: corners[nearest], stays: corners[3 - nearest], slant: nearest % 3 === 0 };
  }
  return row > top && row < bottom && column > left && column < right ? { inside: box } : null;
};

const cursorOf = (grip) =>
  !grip ? "crosshair" : grip.inside ? "move" : grip.slant ? "nwse-resize" : "nesw-resize";
