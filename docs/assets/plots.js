// Draws every <div class="plot" data-figure="NAME"></div> from assets/plots/NAME.json.
const here = document.currentScript.src.replace(/plots\.js.*$/, "plots/");
document$.subscribe(() => {
  for (const box of document.querySelectorAll("div.plot[data-figure]")) {
    fetch(here + box.dataset.figure + ".json")
      .then((answer) => answer.json())
      .then((figure) => Plotly.newPlot(box, figure.data, figure.layout, { responsive: true, displaylogo: false }));
  }
});
