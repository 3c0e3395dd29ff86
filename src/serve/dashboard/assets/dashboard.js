// Brings the page up to date while it is open, and lets commands be copied. Without it everything can be read.
"use strict";
(() => {
  const live = document.querySelector("[data-live]");
  let pulse = document.body.dataset.pulse;
  let waiting = false, loading = false, again = false;

  const say = (state, text) => {
    live.dataset.state = state;
    if (live.textContent !== text) live.textContent = text;
  };
  // Connected is not up to date: the service may have nothing newer to show itself.
  const well = () => {
    if (document.querySelector("[data-part=stale], [data-part=problem]")) say("late", "not up to date");
    else say("live", "live");
  };

  // The same words as the server's.
  const rough = (seconds) => {
    const s = Math.max(0, Math.round(seconds));
    if (s < 100) return `${s} s`;
    if (s < 6000) return `${Math.floor(s / 60)} min`;
    if (s < 172800) return `${Math.floor(s / 3600)} h`;
    return `${Math.floor(s / 86400)} d`;
  };
  const tick = () => {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const age = rough((Date.now() - Date.parse(time.dateTime)) / 1000);
      const text = time.dataset.ago === "ago" ? `${age} ago` : age;
      if (time.textContent !== text) time.textContent = text;
    }
  };

  const arm = () => {
    for (const button of document.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      const code = button.parentElement.querySelector("code");
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });

  // A browser brings what is drawn into sight by its height alone.
  document.addEventListener("focusin", (event) => {
    if (event.target.matches(".node:focus-visible")) event.target.scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  // Parts that changed take the place of those that were; what is open, focused or scrolled stays so.
  const replace = (old, now) => {
    const open = new Set([...old.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const way = focused && (focused.getAttribute("href") || focused.dataset.copy || focused.textContent);
    const scrolled = [...old.querySelectorAll(".drawing")].map((one) => [one.scrollLeft, one.scrollTop]);
    old.replaceWith(now);
    for (const summary of now.querySelectorAll("details > summary")) {
      if (open.has(summary.textContent)) summary.parentElement.open = true;
    }
    now.querySelectorAll(".drawing").forEach((one, nth) => { [one.scrollLeft, one.scrollTop] = scrolled[nth] || [0, 0]; });
    if (way) {
      for (const one of now.querySelectorAll("a, button, summary, [tabindex]")) {
        if ((one.getAttribute("href") || one.dataset.copy || one.textContent) === way) { one.focus({ preventScroll: true }); break; }
      }
    }
  };
  const html = (part) => part.outerHTML.replace(/ (hidden|open)(="")?/g, "").replace(/(<time [^>]*data-ago[^>]*>)[^<]*/g, "$1");

  const load = async () => {
    if (document.hidden) { waiting = true; return; }
    if (loading) { again = true; return; }
    loading = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok) throw new Error(String(answer.status));
      pulse = page.body.dataset.pulse;
      const now = new Map([...page.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
      const old = [...document.querySelectorAll("[data-part]")];
      if (old.length !== now.size || old.some((part) => !now.has(part.dataset.part))) {
        replace(document.querySelector("main"), page.querySelector("main"));
      } else {
        for (const part of old) {
          const other = now.get(part.dataset.part);
          if (html(part) !== html(other)) replace(part, document.adoptNode(other));
        }
      }
      arm();
      tick();
      well();
    } catch {
      say("late", "not up to date");
    } finally {
      loading = false;
      if (again) { again = false; load(); }
    }
  };

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && waiting) { waiting = false; load(); }
  });

  arm();
  tick();
  setInterval(tick, 1000);
  if (!pulse && !document.querySelector("[data-part=problem]")) return;
  const events = new EventSource("/events");
  let open = false;
  events.addEventListener("open", () => { well(); if (open) load(); open = true; });
  events.addEventListener("pulse", (event) => { if (event.data !== pulse) { pulse = event.data; load(); } });
  events.addEventListener("error", () => say("late", "not connected"));
  // What changes by time alone.
  setInterval(() => { if (!document.hidden) load(); }, 60000);
})();
