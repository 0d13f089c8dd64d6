// What the scripts say, in the language of the page. The page carries the words, `_` finds them.

const words = JSON.parse(document.getElementById("words").textContent);

/** The message in the language of the page; `%(name)s` is replaced by values.name. */
export function _(message, values = {}) {
  return (words[message] ?? message).replace(/%\((\w+)\)s/g, (all, name) => String(values[name] ?? ""));
}
