/* Light and dark: as the system has it, or as was chosen on this page. */

const wish = {
  get() { try { return localStorage.getItem("polyprover-theme"); } catch { return null; } },
  set(theme) { try { localStorage.setItem("polyprover-theme", theme); } catch { /* not kept, no harm */ } },
};

function dark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function startTheme() {
  const button = document.getElementById("theme");
  const show = () => {
    button.textContent = dark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to the ${dark() ? "light" : "dark"} theme`);
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    wish.set(document.documentElement.dataset.theme);
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  show();
}

if (wish.get()) document.documentElement.dataset.theme = wish.get(); // before anything is drawn
