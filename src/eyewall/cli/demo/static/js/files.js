import { byId, make, size } from "./dom.js";
import { ask, xsrf } from "./http.js";

const form = byId("drop");
const most = Number(form.dataset.most);

// -- the shelf ------------------------------------------------------------------------------------------------

async function refresh() {
  try {
    show(await ask("GET", "/api/files"));
  } catch (error) {
    byId("problem").textContent = error.message;
  }
}

function show({ files, used, room }) {
  byId("count").textContent = files.length;
  byId("empty").hidden = files.length > 0;
  byId("used").value = used;
  byId("used-text").textContent = `${size(used)} of ${size(room)}`;
  byId("items").replaceChildren(...files.map(item));
}

function item(file) {
  const remove = make("button", { type: "button", className: "quiet small", ariaLabel: `Remove ${file.name}` }, "Remove");
  remove.addEventListener("click", async () => {
    try {
      await ask("DELETE", `/api/files/${file.id}`);
      byId("news").textContent = `${file.name} is removed.`;
    } catch (error) {
      byId("problem").textContent = error.message;
    }
    await refresh();
  });
  const when = new Date(file.created);
  return make(
    "li",
    {},
    make("a", { href: file.url, download: file.name }, file.name),
    make("span", { className: "about" }, `${size(file.size)} · ${file.owner} · `, make("time", { dateTime: when.toISOString() }, when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }))),
    remove,
  );
}

// -- uploads --------------------------------------------------------------------------------------------------

function upload(file) {
  const bar = make("progress", { max: 1, value: 0, ariaLabel: file.name });
  const text = make("span", { className: "about" }, "0 %");
  const cancel = make("button", { type: "button", className: "quiet small", ariaLabel: `Cancel ${file.name}` }, "Cancel");
  const row = make("li", {}, make("b", {}, file.name), bar, text, cancel);
  byId("uploads").append(row);

  const fail = (reason) => {
    row.classList.add("failed");
    text.textContent = reason;
    cancel.textContent = "Close";
    cancel.onclick = () => row.remove();
  };
  if (file.size > most) {
    fail(`larger than ${size(most)}`);
    return;
  }

  // fetch can't tell how much of a request is sent; this can.
  const request = new XMLHttpRequest();
  request.open("POST", "/api/files/upload");
  request.setRequestHeader("X-XSRFToken", xsrf());
  request.responseType = "json";
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    bar.value = loaded / total;
    text.textContent = `${Math.floor((100 * loaded) / total)} % of ${size(total)}`;
  });
  request.addEventListener("load", async () => {
    if (request.status !== 201) {
      fail(request.response?.error?.message ?? `the server answered ${request.status}`);
      return;
    }
    await refresh();
    byId("news").textContent = `${file.name} is on the shelf.`;
    row.remove();
  });
  request.addEventListener("error", () => fail("the connection was lost"));
  request.addEventListener("abort", () => row.remove());
  cancel.onclick = () => request.abort();
  const body = new FormData();
  body.append("file", file);
  request.send(body);
}

function uploadAll(files) {
  byId("problem").textContent = "";
  for (const file of files) upload(file);
}

byId("pick").addEventListener("change", (event) => {
  uploadAll(event.target.files);
  event.target.value = "";
});

for (const name of ["dragenter", "dragover"]) {
  form.addEventListener(name, (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
}
form.addEventListener("dragleave", () => form.classList.remove("over"));
form.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("over");
  uploadAll(event.dataTransfer.files);
});

refresh();
