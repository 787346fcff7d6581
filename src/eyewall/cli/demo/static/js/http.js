// Requests to the JSON interfaces.

/** The token that shows that a request comes from a page of this site. */
export const xsrf = () => document.querySelector("meta[name=xsrf]").content;

/** What the server has refused: `status`, a message for people, and problems by field. */
export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `The server answered ${status}.`);
    this.status = status;
    this.fields = error?.fields ?? {};
  }
}

/** Asks, and returns the JSON of the answer, null where there is none. Throws Refused, and Error without a net. */
export async function ask(method, url, body) {
  const headers = { "X-XSRFToken": xsrf() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Error("The server can’t be reached.");
  }
  const isJSON = response.headers.get("Content-Type")?.startsWith("application/json");
  const answer = isJSON ? await response.json() : null;
  if (!response.ok) throw new Refused(response.status, answer?.error);
  return answer;
}
