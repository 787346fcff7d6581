import { byId, make } from "./dom.js";
import { ask } from "./http.js";

const SHOWN_CALLS = 12;
let page = 1;
let done = "";

// -- what is said ---------------------------------------------------------------------------------------------

/** Asks as `ask` does, and shows both sides of it. */
async function said(method, url, body) {
  const began = performance.now();
  const about = (status, answer) => {
    const took = `${(performance.now() - began).toFixed(1)} ms`;
    const item = make("li", {}, make("p", {}, make("b", { className: `verb verb-${method.toLowerCase()}` }, method), " ", url));
    if (body !== undefined) item.append(make("pre", {}, JSON.stringify(body)));
    item.append(make("p", { className: status < 400 ? "good" : "bad" }, `${status} · ${took}`));
    if (answer) item.append(make("pre", {}, JSON.stringify(answer)));
    byId("wire").prepend(item);
    while (byId("wire").children.length > SHOWN_CALLS) byId("wire").lastElementChild.remove();
  };
  try {
    const answer = await ask(method, url, body);
    about(method === "POST" ? 201 : answer ? 200 : 204, answer);
    return answer;
  } catch (error) {
    if (error.status) about(error.status, { message: error.message, ...(Object.keys(error.fields).length && { fields: error.fields }) });
    throw error;
  }
}

/** Does what may be refused, and says why; then shows the list as it is now. */
async function attempt(action) {
  byId("problem").textContent = "";
  try {
    await action();
  } catch (error) {
    byId("problem").textContent = error.message;
  }
  await refresh();
}

// -- the list -------------------------------------------------------------------------------------------------

async function refresh() {
  let found;
  try {
    found = await said("GET", `/api/tasks?page=${page}${done && `&done=${done}`}`);
  } catch (error) {
    byId("problem").textContent = error.message;
    return;
  }
  if (page > found.pages) {
    page = found.pages;
    await refresh();
    return;
  }
  byId("tasks").replaceChildren(...found.tasks.map(item));
  byId("empty").hidden = found.total > 0;
  byId("pager").hidden = found.pages < 2;
  byId("where").textContent = `Page ${found.page} of ${found.pages}`;
  byId("newer").disabled = found.page <= 1;
  byId("older").disabled = found.page >= found.pages;
}

function item(task) {
  const box = make("input", { type: "checkbox", checked: task.done });
  box.addEventListener("change", () => attempt(() => said("PATCH", `/api/tasks/${task.id}`, { done: box.checked })));
  const remove = make("button", { type: "button", className: "quiet small", ariaLabel: `Remove ${task.title}` }, "Remove");
  remove.addEventListener("click", async () => {
    await attempt(() => said("DELETE", `/api/tasks/${task.id}`));
    byId("title").focus();
  });
  return make("li", { className: task.done ? "done" : "" }, make("label", {}, box, make("span", {}, task.title)), remove);
}

byId("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId("title");
  attempt(async () => {
    await said("POST", "/api/tasks", { title: field.value });
    field.value = "";
    page = 1;
  });
});

byId("filter").addEventListener("change", (event) => {
  done = event.target.value;
  page = 1;
  refresh();
});

byId("newer").addEventListener("click", () => {
  page -= 1;
  refresh();
});
byId("older").addEventListener("click", () => {
  page += 1;
  refresh();
});

refresh();
