"use strict";
// Values under the pointer: each mark of a chart has its value as a title, which the browser would show late or not at all.
const tip = document.getElementById("tip");
for (const mark of document.querySelectorAll(".value")) {
  const title = mark.querySelector(":scope > title");
  mark.dataset.tip = title.textContent;
  mark.setAttribute("aria-label", title.textContent);
  title.remove();
}
function show(event) {
  const mark = event.target.closest?.(".value");
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.dataset.tip;
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 12, document.documentElement.clientWidth - width - 4);
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, event.clientY - height - 10)}px`;
}
document.addEventListener("pointermove", show);
document.addEventListener("pointerdown", show);

// Tables: a click on a head sorts by its column, a second one the other way round. Empty cells stay last.
function sort(head) {
  const table = head.closest("table");
  const column = head.cellIndex;
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => {
    const cell = row.cells[column];
    return cell.dataset.order === undefined ? cell.textContent.trim() : Number(cell.dataset.order);
  };
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
    return down ? -order : order;
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
}
for (const table of document.querySelectorAll("table.sortable")) {
  for (const head of table.querySelectorAll("th")) {
    head.querySelector("button").addEventListener("click", () => sort(head));
    const column = [...table.tBodies[0].rows].map((row) => row.cells[head.cellIndex]);
    head.classList.toggle("number", column.some((cell) => cell.classList.contains("number")));
    for (const cell of column) cell.dataset.label = head.textContent;
  }
}

// Gallery: filters, order, and a page at a time.
const PAGE = 12;
const gallery = document.querySelector(".gallery");
if (gallery) {
  const form = document.getElementById("filters");
  const field = form.elements;
  const cards = [...gallery.querySelectorAll(".card")];
  const start = gallery.dataset.start;
  let shown = PAGE;
  const facts = new Map(cards.map((card) => [card, {
    scores: JSON.parse(card.dataset.scores), disagreement: JSON.parse(card.dataset.disagreement), random: Math.random(),
    text: card.textContent.toLowerCase(),
  }]));
  for (const answer of gallery.querySelectorAll("li[data-score]")) {
    const score = Number(answer.dataset.score);
    answer.classList.add(score >= 0.5 ? "right" : score > 0 ? "partly" : "wrong");
  }
  document.getElementById("sample").textContent = `${cards.length} of ${gallery.dataset.images} test images. `;

  // Of the chosen method, or the mean of all methods but the start, which nobody trains.
  const score = (card) => {
    const scores = facts.get(card).scores[field.task.value] ?? {};
    if (field.method.value) return scores[field.method.value];
    const trained = Object.keys(scores).filter((name) => name !== start);
    const names = trained.length ? trained : Object.keys(scores);
    return names.length ? names.reduce((sum, name) => sum + scores[name], 0) / names.length : undefined;
  };
  const ORDERS = {
    listed: null,
    best: (a, b) => score(b) - score(a),
    worst: (a, b) => score(a) - score(b),
    disagreement: (a, b) => facts.get(b).disagreement[field.task.value] - facts.get(a).disagreement[field.task.value],
    random: (a, b) => facts.get(a).random - facts.get(b).random,
  };
  // A question stays if the chosen method's answer is right or wrong as wanted; without a method, if any trained one's is.
  const wanted = (question) => {
    const answers = [...question.querySelectorAll("li")].filter((answer) =>
      field.method.value ? answer.dataset.method === field.method.value : answer.dataset.method !== start);
    return !field.answers.value || answers.some((answer) => answer.classList.contains(field.answers.value));
  };
  const fits = (card) => {
    const value = score(card);
    const least = field.least.value === "" ? -Infinity : Number(field.least.value);
    const most = field.most.value === "" ? Infinity : Number(field.most.value);
    const asked = field.task.value !== "vqa" || card.querySelector(".asked:not([hidden])");
    return value !== undefined && value >= least && value <= most && asked
      && facts.get(card).text.includes(field.text.value.trim().toLowerCase());
  };
  const apply = () => {
    for (const part of document.querySelectorAll("#gallery [data-task]")) part.hidden = part.dataset.task !== field.task.value;
    for (const line of gallery.querySelectorAll("li[data-method]")) {
      line.hidden = field.method.value !== "" && line.dataset.method !== field.method.value;
    }
    for (const question of gallery.querySelectorAll(".asked")) question.hidden = !wanted(question);
    const kept = cards.filter(fits);
    const order = ORDERS[field.order.value];
    if (order) kept.sort(order);
    for (const card of cards) card.hidden = true;
    for (const card of kept.slice(0, shown)) card.hidden = false;
    gallery.append(...kept);
    document.getElementById("metric").textContent = field.task.selectedOptions[0].dataset.metric;
    document.getElementById("count").textContent = `${kept.length} images`;
    document.getElementById("further").hidden = kept.length <= shown;
  };
  const again = () => { shown = PAGE; apply(); };
  form.addEventListener("input", (event) => {
    if (event.target === field.order) for (const fact of facts.values()) fact.random = Math.random();
    again();
  });
  form.addEventListener("reset", () => setTimeout(again));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("further").addEventListener("click", () => { shown += PAGE; apply(); });
  apply();
}
