// What is said of a place. Numbers have no more digits than help.
const NO_BREAK = "\u00a0";

const number = (value) =>
  (value < 0 ? "\u2212" : "") + String(Number(Math.abs(value).toPrecision(3)));

// As xai_core.report.percent says it: never a false 0 or 100.
const percent = (share) => {
  const whole = share > 0 && share < 0.005 ? "under 1" : share >= 0.995 && share < 1 ? "over 99"
    : String(Math.round(share * 100));
  return `${whole}${NO_BREAK}%`;
};

const place = ({ map }, [row, column]) =>
  `Row ${Math.floor(row)}, column ${Math.floor(column)}${map ? " of the photo" : ""}`;

const colour = (data, [red, green, blue]) =>
  `colour ${data.exact ? "" : "about "}${red}, ${green}, ${blue}`;

const evidence = (data, value, peak) => {
  if (value === undefined) return "not seen by the model";
  if (Number.isNaN(value)) return "not known yet";
  if (value === 0) return data.partial ? "0 so far" : "0, no evidence";
  const side = data.signed ? (value > 0 ? ", speaks for" : ", speaks against") : "";
  return `${number(value)}${side}, ${percent(Math.abs(value) / peak)} of the strongest`;
};

const marked = ([top, left, bottom, right]) =>
  `Marked: rows ${top} to ${bottom - 1}, columns ${left} to ${right - 1}`;

const HINT = "Point at a picture to read a value, drag to mark a region.";
const TOUCH_HINT = "Tap a picture to read a value.";
const KEYS =
  "Arrows move by a cell of the map, with Shift they mark a region. M goes to the strongest place, "
  + "Home, End, Page up and Page down to the edges, Escape clears.";
const PHOTO_KEYS = "Arrows move by a pixel, Escape ends it.";
