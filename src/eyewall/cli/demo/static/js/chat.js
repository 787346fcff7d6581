import { byId, make, showState } from "./dom.js";

const GOING_AWAY = 1001;
const TYPING_SHOWN = 3000;
const TYPING_SAID = 2000;
const SHOWN_MESSAGES = 200;
const COLOURS = 8;

const log = byId("log");
let socket = null;
let me = "";
const shown = new Set();
let delay = 500;

// -- the connection -------------------------------------------------------------------------------------------

function connect() {
  const address = new URL("/chat/socket", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  socket = new WebSocket(address);
  socket.addEventListener("open", () => {
    delay = 500;
    showState(byId("state"), "open", "Connected");
  });
  socket.addEventListener("message", (event) => receive(JSON.parse(event.data)));
  socket.addEventListener("close", (event) => {
    const why = event.reason || (event.code === GOING_AWAY ? "The server goes away" : "Connection lost");
    showState(byId("state"), "lost", `${why}. Trying again…`);
    showPeople([]);
    setTimeout(connect, delay);
    delay = Math.min(delay * 2, 10_000);
  });
}

function receive(message) {
  switch (message.type) {
    case "welcome":
      me = message.you;
      for (const each of message.history) showMessage(each);
      showPeople(message.people);
      break;
    case "said":
      stopTyping(message.person);
      showMessage(message);
      break;
    case "entered":
      showNotice(`${message.person.name} is here`);
      showPeople(message.people);
      break;
    case "left":
      stopTyping(message.person);
      showNotice(`${message.person.name} has left`);
      showPeople(message.people);
      break;
    case "typing":
      showTyping(message.person);
      break;
    case "refused":
      byId("refused").textContent = message.reason;
      break;
  }
}

const send = (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));

// -- messages -------------------------------------------------------------------------------------------------

/** Returns one of a few colours for somebody, the same on every screen. */
const colour = (person) => `colour-${Number.parseInt(person.id.slice(0, 6), 16) % COLOURS}`;

const face = (person) => {
  const letter = [...person.name][0]?.toUpperCase() ?? "?";
  return make("span", { className: `face ${colour(person)}`, ariaHidden: "true" }, letter);
};

function append(item) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  log.append(item);
  while (log.children.length > SHOWN_MESSAGES) log.firstElementChild.remove();
  // Who reads what was said before is not torn away from it.
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function showMessage({ id, person, text, time }) {
  // After a reconnection the history comes again.
  if (shown.has(id)) return;
  shown.add(id);
  const when = new Date(time);
  const clock = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  append(
    make(
      "li",
      { className: person.id === me ? "message mine" : "message" },
      face(person),
      make(
        "div",
        { className: "bubble" },
        make("p", { className: "from" }, make("b", {}, person.name), " ", make("time", { dateTime: when.toISOString() }, clock)),
        make("p", { className: "text" }, text),
      ),
    ),
  );
}

const showNotice = (text) => append(make("li", { className: "notice" }, text));

byId("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId("text");
  byId("refused").textContent = "";
  if (!field.value.trim()) return;
  if (send({ type: "say", text: field.value }) === false) byId("refused").textContent = "Not connected yet.";
  else field.value = "";
  field.focus();
});

// -- people ---------------------------------------------------------------------------------------------------

function showPeople(people) {
  byId("count").textContent = people.length;
  byId("people").replaceChildren(
    ...people.map((person) => make("li", {}, face(person), make("span", {}, person.name + (person.id === me ? " (you)" : "")))),
  );
}

const typing = new Map();

function showTyping(person) {
  clearTimeout(typing.get(person.name));
  typing.set(person.name, setTimeout(() => stopTyping(person), TYPING_SHOWN));
  describeTyping();
}

function stopTyping(person) {
  clearTimeout(typing.get(person.name));
  if (typing.delete(person.name)) describeTyping();
}

function describeTyping() {
  const names = [...typing.keys()];
  const who = names.length > 2 ? `${names.length} people are` : names.length > 1 ? `${names.join(" and ")} are` : `${names[0]} is`;
  byId("typing").textContent = names.length ? `${who} typing…` : "";
}

let said = 0;
byId("text").addEventListener("input", () => {
  if (Date.now() - said < TYPING_SAID) return;
  said = Date.now();
  send({ type: "typing" });
});

// A new name is the next connection's.
addEventListener("renamed", () => socket.close(1000));

connect();
