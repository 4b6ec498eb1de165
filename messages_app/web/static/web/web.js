// What the pages gain with JavaScript: news by themselves, ticking times, checks while typing.
"use strict";
(() => {
  const page = document.body.dataset;
  const byId = (id) => document.getElementById(id);
  const clockSkew = page.now ? Date.now() - Number(page.now) : 0;
  const now = () => Date.now() - clockSkew;

  function duration(ms) {
    const seconds = Math.max(Math.floor(ms / 1000), 0);
    if (seconds < 60) return `${seconds} s`;
    const minutes = Math.floor(seconds / 60);
    return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  function tick() {
    for (const span of document.querySelectorAll("[data-ago]"))
      span.textContent = duration(now() - Number(span.dataset.ago));
    for (const span of document.querySelectorAll("[data-until]"))
      span.textContent = Number(span.dataset.until) - now() < 1000 ? "a moment" : duration(Number(span.dataset.until) - now());
  }
  if (document.querySelector("[data-ago], [data-until], [data-live]")) setInterval(tick, 1000);

  function elements(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    return [...holder.content.children];
  }

  // --- the newest messages -------------------------------------------------------------------
  const log = byId("log");
  const PERIOD_MS = 3000, HIDDEN_PERIOD_MS = 20000;
  const arrived = byId("arrived"), follow = byId("follow");
  let unseen = 0;

  const atEnd = () => {
    const last = log.lastElementChild;
    return !last || last.getBoundingClientRect().bottom < innerHeight + 120;
  };
  const toEnd = () => {
    const last = log.lastElementChild, foot = document.querySelector(".foot"), space = 12;
    if (last) scrollBy(0, last.getBoundingClientRect().bottom + space - foot.getBoundingClientRect().top);
  };

  function tellArrived() {
    if (!arrived) return;
    arrived.hidden = unseen === 0;
    arrived.textContent = unseen ? `${unseen} new` : "";
  }

  function replace(change) {
    const old = byId(`m${change.id}`);
    if (!old || old.dataset.version === change.version) return;
    const next = elements(change.html).find((element) => element.matches(".message"));
    if (!next) return;
    next.classList.toggle("follows", old.classList.contains("follows"));
    next.classList.toggle("target", old.classList.contains("target"));
    next.classList.add("fresh-row");
    old.replaceWith(next);
  }

  function append(answer) {
    const wasAtEnd = atEnd() && document.visibilityState === "visible";
    const following = follow && follow.querySelector("input").checked;
    for (const html of answer.news) {
      for (const element of elements(html)) {
        if (element.id && byId(element.id)) continue;
        if (element.matches(".message")) element.classList.add("fresh-row");
        log.append(element);
      }
    }
    if (!answer.count) return;
    byId("empty").hidden = true;
    if (wasAtEnd && following) return toEnd();
    unseen += answer.count;
    tellArrived();
  }

  async function ask() {
    const query = new URLSearchParams(page.query);
    for (const name of ["version", "first", "last", "tail"]) query.set(name, page[name]);
    const response = await fetch(`${page.live}?${query}`, { headers: { Accept: "application/json" } });
    if (response.status === 401 || response.redirected) return location.reload();
    if (response.status !== 200) return;
    const answer = await response.json();
    if (answer.reload) return location.reload();
    page.version = answer.version;
    if (page.tail !== "0") {
      page.last = answer.last;
      if (!page.first && answer.count) page.first = answer.last;
      append(answer);
    }
    answer.changed.forEach(replace);
    for (const part of document.querySelectorAll("[data-part]")) part.innerHTML = answer[part.dataset.part];
    tick();
    if (answer.more) await ask();
  }

  function keepAsking() {
    const period = document.visibilityState === "visible" ? PERIOD_MS : HIDDEN_PERIOD_MS;
    setTimeout(() => ask().catch(() => {}).finally(keepAsking), period);
  }

  if (page.live) {
    if (follow) follow.hidden = false;
    keepAsking();
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") ask().catch(() => {});
    });
    if (arrived) {
      arrived.addEventListener("click", () => { unseen = 0; tellArrived(); toEnd(); });
      addEventListener("scroll", () => { if (unseen && atEnd()) { unseen = 0; tellArrived(); } }, { passive: true });
      if (page.tail !== "0" && !location.hash && !location.search) toEnd();
    }
  }

  // --- earlier messages above, without a jump ------------------------------------------------
  const earlier = byId("earlier");
  if (earlier) earlier.addEventListener("click", async (event) => {
    event.preventDefault();
    const response = await fetch(earlier.href);
    const other = new DOMParser().parseFromString(await response.text(), "text/html");
    const rows = [...other.querySelectorAll("#log > li")];
    const first = log.firstElementChild;
    const place = first.getBoundingClientRect().top;
    const days = rows.filter((row) => row.matches(".day"));
    const sameDay = days.length && first.matches(".day") && days.at(-1).dataset.day === first.dataset.day;
    const anchor = sameDay ? first.nextElementSibling : first;
    const anchorPlace = anchor.getBoundingClientRect().top;
    if (sameDay) first.remove();
    log.prepend(...rows);
    scrollBy(0, anchor.getBoundingClientRect().top - (sameDay ? anchorPlace : place));
    if (other.body.dataset.first) page.first = other.body.dataset.first;
    const next = other.getElementById("earlier");
    if (next) earlier.href = next.getAttribute("href");
    else earlier.closest("p").remove();
  });

  const target = log && log.dataset.target && byId(log.dataset.target);
  if (target && !location.hash) target.scrollIntoView({ block: "center" });

  // --- the viewer's own time zone ------------------------------------------------------------
  const zone = document.querySelector("[data-zone]");
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && own) {
    const option = document.createElement("option");
    option.value = own;
    zone.list.prepend(option);
  }

  // --- the schedule, checked while typing ----------------------------------------------------
  const schedule = document.querySelector("form[data-check]");
  if (schedule) {
    let waiting, asked = 0;
    const check = async () => {
      const turn = ++asked;
      const fields = new URLSearchParams(new FormData(schedule));
      fields.delete("csrfmiddlewaretoken");
      const response = await fetch(`${schedule.dataset.check}?${fields}`);
      if (response.ok && turn === asked) byId("notes").innerHTML = await response.text();
    };
    const soon = () => { clearTimeout(waiting); waiting = setTimeout(() => check().catch(() => {}), 250); };
    schedule.addEventListener("input", soon);
    soon();
  }
})();
