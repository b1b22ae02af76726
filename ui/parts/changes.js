// A photo changed in several ways: each a card with its two pictures and its answer, which opens as
// a run; a slider asks about another strength. Text comes from a worker: it is only ever set as text.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".changes");
  const make = (kind, name, text) => {
    const made = document.createElement(kind);
    if (name) made.className = name;
    if (text) made.textContent = text;
    return made;
  };
  const stops = () => [...root.querySelectorAll("button, input")];
  // a slider tells its step a moment after it rests, so that keys ask but once
  const slide = (card, made, caption) => {
    const { words, at, flip } = card.slider;
    const holder = make("div", "slider");
    const input = make("input");
    Object.assign(input, { type: "range", min: 0, max: words.length - 1, step: 1, value: at });
    input.setAttribute("aria-label", "Strength");
    const say = () => {
      caption.textContent = words[input.value];
      input.setAttribute("aria-valuetext", words[input.value]);
    };
    say();
    input.oninput = say;
    input.onchange = () => {
      clearTimeout(root.timer);
      root.timer = setTimeout(() => {
        made.classList.add("waits");
        setTriggerValue("slid", { id: data.id, at: card.at, step: Number(input.value) });
      }, 350);
    };
    holder.append(input);
    if (flip !== null) {
      const mark = make("i");
      mark.style.setProperty("--at", flip);
      holder.append(mark);
    }
    return holder;
  };
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
      const title = make("b", "", card.title);
      caption.append(title, make("span", "answer", card.answer), make("span", "", card.evidence));
      if (card.turns) caption.append(make("span", "turns", card.turns));
      made.append(pictures, caption);
      if (card.slider) made.append(slide(card, made, title));
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
