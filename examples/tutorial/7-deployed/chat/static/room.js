// Without this script the form works all the same: it is sent, and the page comes anew.
const list = document.querySelector("#messages");
const form = document.querySelector("#say");
let socket;

function connect() {
  socket = new WebSocket(location.href.replace(/^http/, "ws").replace(/\/$/, "") + "/socket");
  socket.onmessage = (event) => {
    const { who, text } = JSON.parse(event.data);
    const item = document.createElement("li");
    const name = document.createElement("b");
    // As text, whatever is in it.
    name.textContent = who;
    item.append(name, " " + text);
    list.append(item);
  };
  // A server that is restarted comes back.
  socket.onclose = () => setTimeout(connect, 1000);
}

form.addEventListener("submit", (event) => {
  if (socket.readyState === WebSocket.OPEN) {
    event.preventDefault();
    socket.send(form.elements.text.value);
    form.reset();
  }
});

connect();
