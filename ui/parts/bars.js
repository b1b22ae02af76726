// Bars to choose a class from. Text comes from a worker: it is only ever set as text.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".bars");
  const stops = () => [...root.querySelectorAll("button")];
  const at = stops().indexOf(root.getRootNode().activeElement);
  root.replaceChildren(
    ...data.rows.map((row) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(row.chosen));
      button.title = "Explain this class";
      const name = document.createElement("span");
      name.className = "name";
      name.textContent = row.label;
      const track = document.createElement("span");
      track.className = "track";
      const fill = document.createElement("div");
      fill.className = "fill";
      fill.style.width = `${row.share * 100}%`;
      track.append(fill);
      const share = document.createElement("span");
      share.className = "share";
      share.textContent = row.text;
      button.append(name, track, share);
      button.onclick = () => setTriggerValue("chosen", row.index);
      return button;
    }),
  );
  // what is drawn anew keeps the keyboard's place
  if (at >= 0) stops().at(Math.min(at, stops().length - 1))?.focus({ preventScroll: true });
}
