"use strict";
// Draws the charts that the page holds as data; lays everything open for printing.
(function () {
  const options = JSON.parse(document.getElementById("chart-options").textContent);
  const charts = [];
  for (const place of document.querySelectorAll("[data-chart]")) {
    const chart = echarts.init(place, null, { renderer: "svg" });
    chart.setOption(options[place.dataset.chart]);
    charts.push(chart);
  }
  new ResizeObserver(() => charts.forEach((chart) => chart.resize())).observe(document.body);

  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details.verbatims")) details.open = true;
    // The paper's width isn't known yet: let the drawings scale with it.
    for (const svg of document.querySelectorAll(".chart svg")) {
      svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`);
    }
  });
  addEventListener("afterprint", () => {
    for (const svg of document.querySelectorAll(".chart svg")) svg.removeAttribute("viewBox");
  });
})();
