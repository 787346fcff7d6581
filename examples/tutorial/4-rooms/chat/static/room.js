// Without this script the form works all the same: it is sent, and the page comes anew.
const list = document.querySelector("#messages");
const form = document.querySelector("form");
let socket;

function connect() {
  socket = new WebSocket(location.href.replace(/^http/, "ws").replace(/\/$/, "") + "/socket");
  socket.onmessage = (event) => {
    const item = document.createElement("li");
    // As text, whatever is in it.
    item.textContent = JSON.parse(event.data).text;
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
