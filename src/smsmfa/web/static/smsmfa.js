// Nothing here is needed: every page works without it.
"use strict";

(() => {
  const all = (selector) => document.querySelectorAll(selector);

  // A button that was pressed cannot be pressed again while the answer is on its way. Somebody may stop the browser, and
  // Back may bring the page as it was, so that does not last.
  const patience = 10000; // milliseconds
  for (const form of all("[data-smsmfa-once]")) {
    let sent = false;
    const buttons = form.querySelectorAll("button");
    const release = () => {
      sent = false;
      for (const button of buttons) button.removeAttribute("aria-disabled");
    };
    form.addEventListener("submit", (event) => {
      if (sent) {
        event.preventDefault();
        return;
      }
      sent = true;
      for (const button of buttons) button.setAttribute("aria-disabled", "true");
      setTimeout(release, patience);
    });
    addEventListener("pageshow", release);
  }

  // Send a code as soon as it is complete, but each one only once.
  for (const form of all("[data-smsmfa-code]")) {
    const field = form.elements.namedItem("code");
    const length = Number(form.dataset.smsmfaCode);
    let tried = "";
    const submit = () => {
      const digits = field.value.replace(/[\s-]/g, "");
      if (digits.length === length && /^\d+$/u.test(digits) && digits !== tried) {
        tried = digits;
        form.requestSubmit();
      }
    };
    field.addEventListener("input", submit);
    receive(field, submit);
  }

  // WebOTP: the browser offers the code from the message.
  function receive(field, submit) {
    if (!("OTPCredential" in window) || !navigator.credentials) return;
    const controller = new AbortController();
    field.form.addEventListener("submit", () => controller.abort());
    navigator.credentials.get({ otp: { transport: ["sms"] }, signal: controller.signal }).then(
      (received) => {
        if (received && received.code) {
          field.value = received.code;
          submit();
        }
      },
      () => {},
    );
  }

  // Count down until the code can be sent again. A time in minutes stays as it is.
  for (const text of all("[data-smsmfa-wait]")) {
    const seconds = text.dataset.smsmfaWait;
    const ends = Date.now() + 1000 * Number(seconds);
    const [before, after] = text.textContent.split(seconds);
    const buttons = document.querySelectorAll("[data-smsmfa-resend] button:not([name])");
    const tick = () => {
      const left = Math.ceil((ends - Date.now()) / 1000);
      // The sentence is that of several seconds.
      if (left > 0 && after !== undefined) text.textContent = before + Math.max(left, 2) + after;
      if (left <= 0) {
        text.hidden = true;
        clearInterval(timer);
      }
      for (const button of buttons) button.disabled = left > 0;
    };
    const timer = setInterval(tick, 1000);
    tick();
  }

  // The example of the chosen country.
  const country = document.getElementById("region");
  const example = document.querySelector("[data-smsmfa-example]");
  if (country && example) {
    country.addEventListener("change", () => {
      const chosen = country.selectedOptions[0];
      if (chosen && chosen.dataset.example) example.textContent = chosen.dataset.example;
    });
  }

  const codes = () => [...all("[data-smsmfa-codes] code")].map((code) => code.textContent).join("\n");
  for (const button of all("[data-smsmfa-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", () => {
      navigator.clipboard.writeText(codes()).then(() => {
        button.textContent = button.dataset.done;
      });
    });
  }
  for (const button of all("[data-smsmfa-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
})();
