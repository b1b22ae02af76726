// The first stop of the keyboard: a link from the top of the page to its question. It stands before
// all that Streamlit draws, so that nothing of the navigation comes first.
const PLACES = [".st-key-question input", ".st-key-rail button", '[data-testid="stMain"]'];

function lead(event) {
  event.preventDefault();
  PLACES.map((name) => document.querySelector(name))
    .find(Boolean)
    .focus();
}

export default function ({ data }) {
  const link = document.querySelector("body > .v-skip") ?? document.createElement("a");
  link.className = "v-skip";
  link.href = "#question";
  link.textContent = data.words;
  link.onclick = lead;
  if (!link.isConnected) document.body.prepend(link);
  return () => link.remove();
}
