// Large type, kept by the browser. Loaded before the page is drawn, so that nothing jumps.

{
  const KEPT = "jiahu-type";
  const apply = () => document.documentElement.classList.toggle("large", localStorage.getItem(KEPT) === "large");
  const show = () => document.getElementById("type")?.setAttribute("aria-pressed", String(localStorage.getItem(KEPT) === "large"));
  apply();
  addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("type")?.addEventListener("click", () => {
      localStorage.setItem(KEPT, localStorage.getItem(KEPT) === "large" ? "usual" : "large");
      apply();
      show();
      dispatchEvent(new Event("resize"));
    });
  });
}
