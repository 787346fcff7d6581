// Which view is shown: `#/findings?pid=4711&open=…`. The address says it, so that a view can be linked, and kept.

/** Parts of an address: the view's id, and parameters by name. */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  return { id: path, parameters: Object.fromEntries(new URLSearchParams(query)) };
}

/** The address of a view. */
export function address(id, parameters = {}) {
  const query = new URLSearchParams(
    Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== ""),
  ).toString();
  return `#/${id}${query ? `?${query}` : ""}`;
}

export class Router {
  /** `ids` of views, the first is shown where the address names none. `show(id, parameters)` is called at each change. */
  constructor(ids, show) {
    this.ids = ids;
    this.show = show;
    this.id = null;
    this.parameters = {};
  }

  start() {
    addEventListener("hashchange", () => this.#go());
    this.#go();
  }

  #go() {
    // The link that skips to the content is no view.
    if (location.hash === "#main") return;
    const { id, parameters } = parse(location.hash);
    this.id = this.ids.includes(id) ? id : this.ids[0];
    this.parameters = parameters;
    this.show(this.id, parameters);
  }

  /** Goes to a view; the selected process stays, unless it is given. */
  open(id, parameters = {}) {
    const wanted = address(id, { process: this.parameters.process, ...parameters });
    if (location.hash === wanted) this.#go();
    else location.hash = wanted;
  }

  /** Changes parameters of the address, without a new entry in the history and without showing anything anew. */
  note(parameters) {
    this.parameters = { ...this.parameters, ...parameters };
    history.replaceState(null, "", address(this.id, this.parameters));
  }
}
