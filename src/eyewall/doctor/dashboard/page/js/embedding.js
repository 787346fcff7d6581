// In a frame of another page: that page is told of the findings as they come. Only pages that are allowed as ancestors
// can have this one in a frame, so that nobody else is told.

/** Tells the page around this one, where there is one, what `model` knows of the findings. */
export function tellAncestor(model) {
  if (parent !== window && model.findingsKnown) {
    parent.postMessage({ eyewall: "findings", findings: model.findings }, "*");
  }
}
