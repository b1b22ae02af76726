// The built-in photos: each a button with its picture. Text is only ever set as text.
export default function ({ data, parentElement, setTriggerValue }) {
  parentElement.querySelector(".samples").replaceChildren(
    ...data.rows.map((row) => {
      const button = document.createElement("button");
      button.type = "button";
      button.onclick = () => setTriggerValue("chosen", row.name);
      const picture = document.createElement("img");
      [picture.src, picture.alt] = [row.url, ""]; // the title beside it says what it is
      const title = document.createElement("span");
      title.textContent = row.title;
      button.append(picture, title);
      return button;
    }),
  );
}
