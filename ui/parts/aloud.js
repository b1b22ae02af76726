// What began or ended, said to a screen reader once; on a narrow screen a run brings the stage into view.
// Run cannot be pressed while a run is under way, and loses the keyboard's focus: it comes back.
let last = null;
let pressed = null;
document.addEventListener("focusin", ({ target }) => (pressed = target.closest(".st-key-run")));

export default function ({ data, parentElement }) {
  const first = last === null; // what had happened before this page was opened is no news
  const news = data.turn && data.turn !== last;
  last = data.turn || last || "";
  if (first || !news) return;
  const region = parentElement.querySelector(".aloud");
  // said anew even in the same words: with nothing between them a reader hears no change
  region.textContent = "";
  setTimeout(() => (region.textContent = data.said), 50);
  if (pressed && document.activeElement === document.body)
    document.querySelector(".st-key-run button")?.focus({ preventScroll: true });
  // a quick run ends before its beginning was ever drawn
  if (!matchMedia("(max-width: 1099px)").matches) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.querySelector(".st-key-stage")?.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
}
