const data = JSON.parse(document.getElementById("data").textContent);
// The colours must be known before anything is drawn, and the front draws itself when it starts.
let front = null;
startTheme(() => {
  if (front) front.draw();
  else front = startFront(data);
  drawPredictions(data);
  drawErrors(data);
  drawBreakdown(data);
  drawDrift(data);
  drawSearch(data);
  drawSurrogate(data);
  drawTraining(data);
});
startParallel(data, front.choose);
startNumbers(data);
