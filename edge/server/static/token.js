/** The form that asks for a token when the server wants one. */

import { Problem } from "./api.js";
import { $ } from "./dom.js";

/** Ask the user; `refused` where a token was given that the server does not know. */
export function askToken(refused) {
  const [dialog, form, field] = [$("token-dialog"), $("token-form"), $("token")];
  $("token-why").textContent = refused
    ? "That is not the server's token. Its operator has it."
    : "Its operator has it. It is kept until this tab is closed, and nowhere else.";
  field.value = "";
  dialog.showModal();
  return new Promise((resolve, reject) => {
    const stop = new AbortController();
    const { signal } = stop;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const given = field.value.trim();
      if (!given) return;
      stop.abort();
      dialog.close();
      resolve(given);
    }, { signal });
    const leave = () => {
      stop.abort();
      if (dialog.open) dialog.close();
      const detail = "without it this server answers nothing";
      const mend = "get it from the server's operator, then load this page again";
      reject(new Problem({ title: "A token is needed", status: 401, detail, mend }));
    };
    $("token-cancel").addEventListener("click", leave, { signal });
    dialog.addEventListener("cancel", leave, { signal });
  });
}
