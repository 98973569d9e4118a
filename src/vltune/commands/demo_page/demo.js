"use strict";

const $ = (id) => document.getElementById(id);
const percent = (share) => `${Number((100 * share).toPrecision(3))} %`;
let about; // what the server says of itself: runs, limits, samples
let image; // the name of the image that is shown, as the server knows it
let streams = {}; // by section: what stops its stream

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function fail(text) {
  $("error").textContent = text;
}

/** Call the server; an error has the sentence that the server gives as its reason. */
async function call(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is vltune demo still running?");
  }
  if (response.ok) return response;
  const content = await response.json().catch(() => ({}));
  throw new Error(content.error ?? `The server answers ${response.status}.`);
}

/** Show a file: send it to the server, then have it captioned. */
async function choose(file) {
  Object.values(streams).forEach((stream) => stream.abort());
  fail("");
  const began = performance.now();
  try {
    if (file.size > about.image_bytes) {
      throw new Error(`has ${file.size.toLocaleString("en")} bytes; expected at most ${about.image_bytes.toLocaleString("en")}`);
    }
    const response = await call("/images", { method: "POST", body: file });
    const { name, width, height } = await response.json();
    image = name;
    $("image").src = `/images/${name}`;
    $("image").width = width;
    $("image").height = height;
    $("shown").hidden = false;
    show();
  } catch (error) {
    fail(`${file.name}: ${error.message}`);
    return;
  }
  $("ask").querySelector("button").disabled = false;
  document.querySelector("#answers .rows").replaceChildren();
  await stream("captions", `/images/${image}/captions`, "", began);
}

/** Put empty rows, one for each method, into a section. */
function reset(section) {
  const task = section === "captions" ? "caption" : "vqa";
  const rows = about.runs.filter((run) => run.task === task).map((run) => {
    const row = element("div", "row");
    const label = element("div");
    label.append(element("b", "", run.method), element("small", "", `${percent(run.share)} trained`));
    row.append(label, element("p", "text"), element("small", "state"));
    row.dataset.method = run.method;
    return row;
  });
  document.querySelector(`#${section} .rows`).replaceChildren(...rows);
  return new Map(rows.map((row) => [row.dataset.method, row]));
}

/** Read a stream of lines, each an event of a method, into the rows of a section. */
async function stream(section, address, body, began) {
  streams[section]?.abort();
  const control = streams[section] = new AbortController();
  const rows = reset(section);
  rows.forEach((row) => { row.querySelector(".state").textContent = "waiting ..."; });
  try {
    const response = await call(address, { method: "POST", body, signal: control.signal });
    let rest = "";
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop();
      lines.map(JSON.parse).forEach((event) => update(rows.get(event.method), event, section, began));
    }
  } catch (error) {
    if (error.name !== "AbortError") fail(error instanceof TypeError ? "The server stopped before the end." : error.message);
  }
}

function update(row, event, section, began) {
  const text = row.querySelector(".text");
  const state = row.querySelector(".state");
  if (event.loading) {
    const run = about.runs.find((each) => each.method === event.method);
    state.textContent = `loading ${Math.max(1, Math.round(run.bytes / 1e6))} MB ...`;
  } else if (event.error) {
    text.classList.add("wrong");
    text.textContent = event.error;
    state.textContent = "";
  } else if ("greedy" in event) {
    text.classList.add("greedy");
    text.textContent = event.greedy;
    state.textContent = "greedy ...";
  } else {
    const how = section === "captions" && about.beams > 1 ? `${about.beams} beams` : "greedy";
    state.textContent = `${how}, ${((performance.now() - began) / 1000).toFixed(1)} s`;
    text.classList.remove("greedy");
    text.replaceChildren(...event.tokens.flatMap((token, i) => word(token, i, event)));
    text.normalize();
    if (!event.text) text.textContent = "(empty)";
  }
}

/** A token of a text, after its space; the pointer, the keyboard or a finger on it shows its weights. */
function word(token, i, event) {
  const shown = element("span", "", token.trim());
  const on = () => {
    show(token.trim(), event.weights[i], event);
    shown.classList.add("on");
  };
  shown.tabIndex = 0;
  shown.addEventListener("pointerenter", on);
  shown.addEventListener("focus", on);
  shown.addEventListener("pointerleave", (leaving) => { if (leaving.pointerType === "mouse") show(); });
  shown.addEventListener("blur", () => show());
  return [document.createTextNode(token.startsWith(" ") ? " " : ""), shown];
}

/** Lay the weights of a token over the image; without a token, lift them. */
function show(token, weights, event) {
  document.querySelectorAll(".text .on").forEach((each) => each.classList.remove("on"));
  $("cells").classList.toggle("on", Boolean(token));
  $("tags").replaceChildren();
  $("legend").textContent = "";
  if (!token) return;
  const first = event.sink ? 1 : 0;
  const highest = (from, to) => Math.max(1e-9, ...event.weights.map((row) => Math.max(0, ...row.slice(from, to))));
  const [cell, tag] = [highest(first, event.cells), highest(event.cells)];
  const side = Math.round(Math.sqrt(event.cells));
  $("cells").style.gridTemplate = `repeat(${side}, 1fr) / repeat(${side}, 1fr)`;
  $("cells").replaceChildren(...weights.slice(0, event.cells).map((weight, i) => {
    const made = element("div", i < first ? "sink" : "");
    made.style.background = `rgba(213, 94, 0, ${0.8 * weight / cell})`;
    made.title = percent(weight);
    return made;
  }));
  $("tags").replaceChildren(...weights.slice(event.cells).map((weight, i) => {
    const bar = element("div", i < event.extras ? "extra" : "");
    bar.style.height = `${100 * weight / tag}%`;
    return bar;
  }));
  const sum = (part) => percent(part.reduce((a, b) => a + b, 0));
  const behind = event.cells + event.extras;
  const grid = sum(weights.slice(first, event.cells));
  const extra = event.extras ? `, extra ${sum(weights.slice(event.cells, behind))}` : "";
  const tags = weights.length > behind ? `, tags ${sum(weights.slice(behind))}` : "";
  $("legend").textContent = `“${token}” (${event.method}): grid ${grid}${extra}${tags}`;
}

function listen() {
  $("file").addEventListener("change", () => {
    if ($("file").files.length) choose($("file").files[0]);
    $("file").value = "";
  });
  $("ask").addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    fail("");
    stream("answers", `/images/${image}/answers`, $("question").value, performance.now());
  });
  document.addEventListener("dragover", (dragged) => { dragged.preventDefault(); document.body.classList.add("over"); });
  document.addEventListener("dragleave", (dragged) => { if (!dragged.relatedTarget) document.body.classList.remove("over"); });
  document.addEventListener("drop", (dropped) => {
    dropped.preventDefault();
    document.body.classList.remove("over");
    if (dropped.dataTransfer.files.length) choose(dropped.dataTransfer.files[0]);
    else fail("What was dropped is not a file.");
  });
}

/** Offer test images; a click sends one as if it had been chosen. */
function offer() {
  const buttons = Array.from({ length: about.samples }, (_, i) => {
    const button = element("button");
    const small = element("img");
    small.src = `/samples/${i}`;
    small.alt = `test image ${i + 1}`;
    button.append(small);
    button.addEventListener("click", async () => {
      const content = await (await call(small.src)).blob();
      choose(new File([content], small.alt));
    });
    return button;
  });
  document.querySelector("#samples div").replaceChildren(...buttons);
  $("samples").hidden = !buttons.length;
}

async function begin() {
  about = await (await call("/about")).json();
  $("question").maxLength = about.question_characters;
  $("captions").hidden = !about.runs.some((run) => run.task === "caption");
  $("answers").hidden = !about.runs.some((run) => run.task === "vqa");
  $("captions-hint").textContent = about.beams > 1
    ? `The greedy text streams in italics; the caption of a search with ${about.beams} beams replaces it.` : "";
  reset("captions");
  listen();
  offer();
}

begin().catch((error) => fail(error.message));
