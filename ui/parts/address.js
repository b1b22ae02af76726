// The browser's address follows what is set, in its present entry of the history.
export default function ({ data }) {
  const at = new URL(location.href);
  const next = new URLSearchParams(data.query);
  for (const [name, value] of at.searchParams) {
    if (/^embed(_options)?$/i.test(name)) next.append(name, value);
  }
  at.search = next.toString();
  if (at.href !== location.href) history.replaceState(history.state, "", at);
}
