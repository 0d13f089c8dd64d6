// The list of elders by keys: / goes to the search, the arrows move through what was found, Enter opens (the links do that themselves).

const search = document.getElementById("search");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("[popover]:popover-open")) return;
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    move(event.key === "ArrowDown" ? 1 : -1) && event.preventDefault();
  }
});

function move(step) {
  const rows = [...document.querySelectorAll("#found a.open")];
  const here = rows.indexOf(document.activeElement);
  if (here < 0 && document.activeElement !== search) return false;
  (rows[here + step] ?? (here + step < 0 ? search : null))?.focus();
  return true;
}

search.form.addEventListener("submit", (event) => {
  const rows = document.querySelectorAll("#found a.open");
  if (rows.length !== 1) return; // Enter with one answer opens it
  event.preventDefault();
  rows[0].click();
});
