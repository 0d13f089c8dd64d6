// The cases of a rule's draft: a new empty row, and a new empty case, as soon as the last one is written in.

const cases = document.getElementById("cases");

/** An empty copy of a row or of a case; `part` is where its number stands in the names of its fields: cases.CASE.feed.ROW.what. */
function empty(old, part) {
  const fresh = old.cloneNode(true);
  for (const rows of fresh.querySelectorAll("tbody")) rows.replaceChildren(rows.firstElementChild);
  for (const field of fresh.querySelectorAll("[name]")) {
    const path = field.name.split(".");
    path[part] = Number(path[part]) + 1;
    if (part === 1 && path.length > 3) path[3] = 0;
    field.name = path.join(".");
    if (field.matches("select")) field.selectedIndex = path.at(-1) === "of" ? field.selectedIndex : 0;
    else if (path.at(-1) !== "zone") field.value = "";
  }
  const number = fresh.querySelector("legend span");
  if (number) number.textContent = Number(number.textContent) + 1;
  return fresh;
}

cases?.addEventListener("input", ({ target }) => {
  const row = target.closest("tbody tr");
  if (row && !row.nextElementSibling) row.after(empty(row, 3));
  const whole = target.closest(".case");
  if (whole && !whole.nextElementSibling) whole.after(empty(whole, 1));
});
