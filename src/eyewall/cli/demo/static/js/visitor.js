// On every page: the visitor's name, and what the server has to know to write dates.
import { byId } from "./dom.js";
import { ask } from "./http.js";

document.cookie = `timezone=${new Date().getTimezoneOffset()}; path=/; max-age=31536000; samesite=lax`;

const dialog = byId("naming");
const field = byId("new-name");

byId("who").addEventListener("click", () => {
  byId("naming-problem").textContent = "";
  dialog.showModal();
  field.select();
});
byId("naming-cancel").addEventListener("click", () => dialog.close());

byId("naming-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const { name } = await ask("PUT", "/api/name", { name: field.value });
    byId("my-name").textContent = name;
    byId("who").setAttribute("aria-label", `Change your name, ${name}`);
    field.value = name;
    dialog.close();
    dispatchEvent(new Event("renamed"));
  } catch (error) {
    byId("naming-problem").textContent = error.message;
    field.focus();
  }
});
