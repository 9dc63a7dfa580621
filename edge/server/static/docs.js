/** The API's documentation. It uses the token that the page has asked for in this tab, if there is one. */

const DOCUMENT = "/openapi.json";
const token = sessionStorage.getItem("tanker-edge-token");
const headers = token ? { Authorization: `Bearer ${token}` } : {};

const response = await fetch(DOCUMENT, { headers });
if (response.ok) {
  SwaggerUIBundle({
    spec: await response.json(),
    dom_id: "#docs",
    deepLinking: true,
    validatorUrl: null, // asks nobody else
    requestInterceptor: (request) => {
      Object.assign(request.headers, headers);
      return request;
    },
  });
} else {
  const link = Object.assign(document.createElement("a"), { href: "/", textContent: "the page" });
  const text = document.createElement("p");
  text.className = "told";
  if (response.status === 401) text.append("This server asks for a token. Give it on ", link, ", then come back in the same tab.");
  else text.append(`The server answered ${response.status}.`);
  document.getElementById("docs").replaceChildren(text);
}
