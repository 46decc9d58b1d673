// What is nicer with a script; nothing needs it.
"use strict";

const fetched = async (address, options) => {
  const answer = await fetch(address, { credentials: "same-origin", ...options });
  if (!answer.ok) throw new Error(answer.status);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
};

// What goes on is looked at again whenever the run tells something, and now and then.
const watch = () => {
  const live = document.getElementById("live");
  if (!live || !(live.dataset.events || live.dataset.poll)) return;
  let events = null;
  let timer = null;
  let busy = false;
  const stop = () => {
    if (events) events.close();
    clearInterval(timer);
  };
  const look = async () => {
    if (busy) return;
    busy = true;
    try {
      const now = (await fetched(location.href)).getElementById("live");
      if (!now || !(now.dataset.events || now.dataset.poll)) {
        stop();
        location.reload();
        return;
      }
      const same = now.dataset.events === live.dataset.events;
      live.replaceChildren(...now.childNodes);
      if (!same) {
        live.dataset.events = now.dataset.events || "";
        stop();
        watch();
      }
    } catch {
      stop();
    } finally {
      busy = false;
    }
  };
  if (live.dataset.events) {
    events = new EventSource(live.dataset.events);
    events.addEventListener("progress", look);
  }
  timer = setInterval(look, 1500);
};

// An address is shown in its place; that somebody looked is on record all the same.
const reveal = async (event) => {
  event.preventDefault();
  const form = event.target;
  try {
    const body = new URLSearchParams(new FormData(form));
    const shown = (await fetched(form.action, { method: "POST", body })).querySelector("[data-address]");
    const place = document.querySelector("[data-address]");
    place.textContent = shown.textContent;
    place.tabIndex = -1;
    place.focus();
    form.remove();
  } catch {
    form.submit();
  }
};

for (const form of document.querySelectorAll("[data-show] form")) form.addEventListener("submit", reveal);
watch();
