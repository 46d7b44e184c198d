const data = JSON.parse(document.getElementById("data").textContent);
// The colours must be known before anything is drawn, and the front draws itself when it starts.
let redrawFront = null;
startTheme(() => {
  redrawFront = redrawFront ? (redrawFront(), redrawFront) : startFront(data);
  drawPredictions(data);
  drawErrors(data);
  drawBreakdown(data);
  drawDrift(data);
  drawSearch(data);
  drawTraining(data);
});
