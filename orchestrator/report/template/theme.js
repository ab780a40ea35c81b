// Plots take their colours from the page: light, dark, or paper.
(function () {
  const plots = () => document.querySelectorAll(".js-plotly-plot");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function colours(paper) {
    if (paper) return { ink: "#000", grid: "#ddd" };
    const style = getComputedStyle(document.documentElement);
    return { ink: style.getPropertyValue("--ink").trim(), grid: style.getPropertyValue("--grid").trim() };
  }

  function paint(paper) {
    const { ink, grid } = colours(paper);
    for (const plot of plots()) {
      const change = { "font.color": ink, "legend.bgcolor": "rgba(0,0,0,0)" };
      for (const name of Object.keys(plot.layout).filter((key) => /^[xy]axis/.test(key))) {
        change[`${name}.gridcolor`] = grid;
        change[`${name}.linecolor`] = grid;
        change[`${name}.tickcolor`] = grid;
      }
      Plotly.relayout(plot, change);
    }
  }

  const raw = document.getElementById("raw").textContent;
  document.getElementById("download").href = URL.createObjectURL(new Blob([raw], { type: "application/json" }));
  dark.addEventListener("change", () => paint(false));
  window.addEventListener("beforeprint", () => paint(true));
  window.addEventListener("afterprint", () => paint(false));
  paint(false);
  document.documentElement.dataset.ready = "yes";
})();
