// A photo changed in several ways: each a card with its two pictures and its answer, which opens as
// a run. Text comes from a worker: it is only ever set as text.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".changes");
  const make = (kind, name, text) => {
    const made = document.createElement(kind);
    if (name) made.className = name;
    if (text) made.textContent = text;
    return made;
  };
  const stops = () => [...root.querySelectorAll("button")];
  const at = stops().indexOf(root.getRootNode().activeElement);
  root.replaceChildren(
    ...data.cards.map((card) => {
      const made = make("figure", card.flips ? "flips" : "");
      made.setAttribute("role", "listitem");
      const pictures = make("div", "pictures");
      for (const { url, alternative } of card.pictures) {
        const picture = make("img");
        [picture.src, picture.alt] = [url, alternative];
        pictures.append(picture);
      }
      if (!card.pictures.length) pictures.append(make("div", "none", card.problem));
      const caption = make("figcaption");
      caption.append(make("b", "", card.title), make("span", "answer", card.answer), make("span", "", card.evidence));
      made.append(pictures, caption);
      if (card.opens) {
        const open = make("button", "", "Open as a run");
        open.type = "button";
        open.setAttribute("aria-label", `Open as a run: ${card.title}`);
        open.onclick = () => setTriggerValue("open", { id: data.id, at: card.at });
        made.append(open);
      }
      return made;
    }),
  );
  if (at >= 0) stops().at(Math.min(at, stops().length - 1))?.focus({ preventScroll: true });
  root.dataset.drawn = data.id;
}
