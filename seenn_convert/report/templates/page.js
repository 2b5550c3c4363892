// Reads values off the plots by pointer and keyboard, and shows or hides their curves. Without it, every value is in a
// <title> or a table.
"use strict";
for (const chart of document.querySelectorAll(".chart")) {
  const plot = chart.querySelector(".plot"), readout = chart.querySelector(".readout"), hint = readout.textContent;
  const points = [...plot.querySelectorAll(".point")].map((element) => {
    const box = element.getBBox(), title = element.querySelector("title"), words = title.textContent;
    title.remove(); // the readout says it
    const bar = element.tagName === "rect";
    return { words, x: box.x + box.width / 2, y: bar ? box.y : box.y + box.height / 2, series: element.parentNode.dataset.series };
  });
  const hidden = new Set();
  const cursor = plot.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "circle"));
  cursor.setAttribute("class", "cursor");
  cursor.setAttribute("r", 7);
  let current = null;

  const shown = () => points.filter((point) => !hidden.has(point.series));
  const nearest = (list, distance) => list.reduce((best, p) => (best && distance(best) <= distance(p) ? best : p), null);
  const show = (point) => {
    current = point;
    plot.classList.toggle("asked", Boolean(point));
    readout.textContent = point ? point.words : hint;
    for (const part of plot.querySelectorAll(".series")) {
      part.classList.toggle("current", Boolean(point) && part.dataset.series === point.series);
    }
    if (point) {
      cursor.setAttribute("cx", point.x);
      cursor.setAttribute("cy", point.y);
    }
  };

  // Along a curve with left and right, from curve to curve with up and down.
  const next = (key) => {
    const list = shown();
    if (!current) return list[0];
    const own = list.filter((point) => point.series === current.series), at = own.indexOf(current);
    if (key === "Home") return own[0];
    if (key === "End") return own.at(-1);
    if (key === "ArrowRight") return own[Math.min(at + 1, own.length - 1)];
    if (key === "ArrowLeft") return own[Math.max(at - 1, 0)];
    const series = [...new Set(list.map((point) => point.series))], step = key === "ArrowDown" ? 1 : series.length - 1;
    const other = series[(series.indexOf(current.series) + step) % series.length];
    return nearest(list.filter((point) => point.series === other), (point) => Math.abs(point.x - current.x));
  };
  plot.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return show(null);
    if (!/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(event.key) || !shown().length) return undefined;
    event.preventDefault();
    return show(next(event.key));
  });
  plot.addEventListener("focus", () => plot.matches(":focus-visible") && !current && show(shown()[0] || null));
  plot.addEventListener("blur", () => show(null));
  const point = (event) => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(plot.getScreenCTM().inverse());
    const distance = (p) => Math.hypot(p.x - place.x, p.y - place.y);
    const found = nearest(shown(), distance);
    show(found && (distance(found) < 40 || plot.querySelector("rect.bar")) ? found : null);
  };
  plot.addEventListener("pointermove", point);
  plot.addEventListener("pointerdown", point);
  plot.addEventListener("pointerleave", () => plot === document.activeElement || show(null));
  plot.setAttribute("tabindex", 0);
  plot.setAttribute("role", "application");
  plot.setAttribute("aria-roledescription", "plot");
  plot.setAttribute("aria-describedby", readout.id);
  readout.hidden = false;

  for (const button of chart.querySelectorAll(".legend button")) {
    button.disabled = false;
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true", series = button.dataset.series;
      button.setAttribute("aria-pressed", on);
      on ? hidden.delete(series) : hidden.add(series);
      for (const part of plot.querySelectorAll(`[data-series="${series}"]`)) part.classList.toggle("off", !on);
      show(null);
    });
  }
}
// A table that is wider than its box says so.
const measure = () => {
  for (const box of document.querySelectorAll(".scroll")) {
    box.classList.toggle("wide", box.scrollWidth > box.clientWidth + 1);
  }
};
measure();
addEventListener("resize", measure);
for (const part of document.querySelectorAll("details")) part.addEventListener("toggle", measure);
