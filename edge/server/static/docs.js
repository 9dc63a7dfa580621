/** The API's documentation. It uses the token that the page has asked for in this tab, if there is one. */

const token = sessionStorage.getItem("tanker-edge-token");

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null, // asks nobody else
  requestInterceptor: (request) => {
    if (token) request.headers.Authorization = `Bearer ${token}`;
    return request;
  },
});
