// What began or ended, said to a screen reader once; on a narrow screen a run brings the stage into view.
let last = "";
let heard = false;

export default function ({ data, parentElement }) {
  const region = parentElement.querySelector(".aloud");
  if (region.textContent !== data.said) region.textContent = data.said;
  // a quick run ends before its beginning was ever drawn
  const begins = data.turn && data.turn !== last && heard;
  [last, heard] = [data.turn, true];
  if (!begins || !matchMedia("(max-width: 1099px)").matches) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.querySelector(".st-key-stage")?.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
}
