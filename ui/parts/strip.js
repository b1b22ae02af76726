// This visit's runs. Text comes from a worker: it is only ever set as text.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".strip");
  const make = (kind, name, text) => {
    const made = document.createElement(kind);
    made.className = name;
    if (text) made.textContent = text;
    return made;
  };
  const act = (button, name, id) => {
    button.type = "button";
    button.onclick = () => setTriggerValue("act", { act: name, id });
    return button;
  };
  const stops = () => [...root.querySelectorAll("button")];
  const at = stops().indexOf(root.getRootNode().activeElement);
  root.replaceChildren(
    ...data.rows.map((row) => {
      const run = make("div", `run${row.shown ? " shown" : ""}${row.dim ? " dim" : ""}`);
      run.setAttribute("role", "listitem");
      const bring = act(make("button", "bring"), "show", row.id);
      bring.title = row.more;
      bring.setAttribute("aria-label", `${row.label} for ${row.about}: ${row.more}`);
      if (row.shown) bring.setAttribute("aria-current", "true");
      const picture = make("img", "");
      [picture.src, picture.alt] = [row.url, ""];
      bring.append(picture, make("span", "label", row.label), make("span", "about", row.about));
      const acts = make("div", "acts");
      const pin = act(make("button", "pin", row.pinned ? "Pinned" : "Pin"), "pin", row.id);
      pin.setAttribute("aria-pressed", String(row.pinned));
      pin.setAttribute("aria-label", `Pin ${row.label}`);
      const remove = act(make("button", "remove", "\u00d7"), "remove", row.id);
      remove.setAttribute("aria-label", `Remove ${row.label}`);
      acts.append(pin, remove);
      run.append(bring, acts);
      return run;
    }),
  );
  // what is drawn anew keeps the keyboard's place
  if (at >= 0) stops().at(Math.min(at, stops().length - 1))?.focus({ preventScroll: true });
}
