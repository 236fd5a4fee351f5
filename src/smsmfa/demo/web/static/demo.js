"use strict";

(() => {
  // The drawn phone looks for messages each second.
  const aside = document.querySelector("[data-demo-phone]");
  const toEnd = () => {
    const messages = aside.querySelector(".demo-messages");
    messages.scrollTop = messages.scrollHeight;
  };
  if (aside) {
    toEnd();
    let shown = aside.innerHTML;
    setInterval(async () => {
      if (document.hidden) return;
      try {
        const answer = await fetch("/phone");
        const now = await answer.text();
        if (answer.ok && now !== shown) {
          shown = now;
          aside.innerHTML = now;
          toEnd();
        }
      } catch {
        // The demo was stopped.
      }
    }, 1000);
  }

  // Segments, preview and risk while the operator types.
  const form = document.querySelector("[data-demo-settings]");
  if (form) {
    let waiting;
    const show = async () => {
      const data = new URLSearchParams(new FormData(form));
      data.delete("TWILIO_AUTH_TOKEN");
      const answer = await fetch("/settings/preview", { method: "POST", body: data });
      if (!answer.ok) return;
      const { previews, risk } = await answer.json();
      for (const [purpose, parts] of Object.entries(previews)) {
        const preview = document.querySelector(`[data-demo-preview="${purpose}"]`);
        for (const part of preview.querySelectorAll("[data-part]")) part.textContent = parts[part.dataset.part];
      }
      document.querySelector("[data-demo-risk]").textContent = risk;
    };
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(show, 250);
    });
  }
})();
