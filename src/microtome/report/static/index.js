// The list of units: search, sort, filter; cards are made a batch at a time as the reader scrolls.
// Every text goes into the page as text (textContent), never as markup.
(function () {
  "use strict";
  const BATCH = 48;
  const data = window.microtomeUnits;
  const at = {};
  data.fields.forEach((name, place) => {
    at[name] = place;
  });
  const find = document.getElementById("find");
  const sort = document.getElementById("sort");
  const category = document.getElementById("category");
  const status = document.getElementById("status");
  const cards = document.getElementById("cards");
  const more = document.getElementById("more");
  const tally = document.getElementById("tally");

  const SORTS = {
    heldout: ["held-out " + data.metric, (u) => u[at.heldout], -1],
    margin: [data.metric + " above chance", (u) => (u[at.heldout] === null ? null : u[at.heldout] - (u[at.chance] || 0)), -1],
    searched: [data.metric + " on the searched half", (u) => u[at.searched], -1],
    overlap: ["held-out IoU", (u) => u[at.overlap], -1],
    chance: ["chance", (u) => u[at.chance], -1],
    p: ["p, smallest first", (u) => u[at.p], 1],
    q: ["q, smallest first", (u) => u[at.q], 1],
    precision: ["precision", (u) => u[at.precision], -1],
    recall: ["recall", (u) => u[at.recall], -1],
    accuracy: ["network right when it fires", (u) => u[at.accuracy], -1],
    mistaken: ["network wrong when it fires", (u) => u[at.accuracy], 1],
    area: ["how often it fires", (u) => u[at.area], -1],
    length: ["length of the formula", (u) => u[at.length], 1],
    unit: ["unit number", (u) => u[at.unit], 1],
  };

  const OTHERWISE = { silent: "never fires", skipped: "fires too seldom to be examined" };

  // What a search looks through is put together once, in lower case.
  const text = data.units.map((unit) => {
    const others = unit[at.others].map((other) => (other[1] ? join(other[1]) : ""));
    const might = unit[at.might].map(join);
    return [join(unit[at.words]), ...others, ...might].join(" ").toLowerCase();
  });

  let shown = [];
  let made = 0;

  function join(pieces) {
    return pieces.map((piece) => piece[0]).join("");
  }

  function element(tag, name, words) {
    const made = document.createElement(tag);
    if (name) {
      made.className = name;
    }
    if (words !== undefined) {
      made.textContent = words;
    }
    return made;
  }

  function option(select, value, words) {
    const made = element("option", "", words);
    made.value = value;
    select.append(made);
  }

  function phrase(into, pieces) {
    for (const [words, kind] of pieces) {
      if (kind === 0) {
        into.append(words);
        continue;
      }
      into.append(element("b", kind === 2 ? "concept is-predicted" : "concept", words));
      if (kind === 2) {
        into.append("\u00a0", element("small", "mark", "predicted"));
      }
    }
  }

  function percent(value) {
    const part = (value - data.floor) / (data.top - data.floor);
    return (100 * Math.min(Math.max(part, 0), 1)).toFixed(2) + "%";
  }

  function score(value) {
    return value === null ? "–" : value.toFixed(data.digits);
  }

  function thumbnail(unit) {
    const box = element("span", "thumb");
    if (unit[at.thumb]) {
      const [sheet, place] = unit[at.thumb];
      const image = element("img");
      image.loading = "lazy";
      image.decoding = "async";
      const named = unit[at.status] === "named" ? join(unit[at.words]) : "not named";
      image.alt = "Top image of unit " + unit[at.unit] + " (" + named + "): " + unit[at.key];
      box.style.setProperty("--row", String(Math.floor(place / 8)));
      box.style.setProperty("--column", String(place % 8));
      image.src = "images/thumbs/" + encodeURIComponent(sheet);
      box.append(image);
    } else {
      box.classList.add("empty");
    }
    return box;
  }

  // The start of the text that the unit fires on most; sides on lines of their own.
  function excerpt(unit) {
    const box = element("span", "excerpt");
    for (const [side, pieces] of unit[at.excerpt] || []) {
      const line = element("span", "line-of-text");
      if (side) {
        line.append(element("span", "side-name", side + ": "));
      }
      for (const [words, kind] of pieces) {
        const flat = words.replace(/\s+/g, " ");
        if (kind === 0) {
          line.append(flat);
        } else {
          line.append(element(kind & 1 ? "mark" : "span", kind & 2 ? "is-active" : "", flat));
        }
      }
      box.append(line);
    }
    return box;
  }

  function bar(unit) {
    const box = element("span", unit[at.status] === "named" ? "bar" : "bar faint");
    box.setAttribute("aria-hidden", "true");
    if (unit[at.heldout] !== null) {
      const fill = element("span", "fill");
      fill.style.width = percent(unit[at.heldout]);
      box.append(fill);
    }
    if (unit[at.chance] !== null) {
      const notch = element("span", "notch");
      notch.style.left = percent(unit[at.chance]);
      box.append(notch);
    }
    return box;
  }

  function card(unit) {
    const item = element("li");
    const link = element("a", "card");
    const number = String(unit[at.unit]);
    const named = unit[at.status] === "named";
    link.href = "report/units/" + number.padStart(5, "0") + ".html";
    const body = element("span", "body");
    const head = element("span", "head");
    head.append(element("span", "number", "unit " + number));
    if (!named) {
      head.append(element("span", "badge not-named", unit[at.status]));
    }
    body.append(head);
    const name = element("span", named ? "name" : "name unsure");
    if (unit[at.range]) {
      name.append(element("small", "when", "at " + unit[at.range] + ": "));
    }
    if (named) {
      phrase(name, unit[at.words]);
    } else if (unit[at.status] === "not named") {
      name.append("no name beats chance");
    } else {
      name.append(OTHERWISE[unit[at.status]] || "could not be examined");
    }
    body.append(name);
    if (unit[at.might].length) {
      const might = element("span", "might", "might be ");
      unit[at.might].forEach((pieces, place) => {
        might.append(place === 0 ? "" : place === unit[at.might].length - 1 ? " or " : ", ");
        phrase(might, pieces);
      });
      might.append("?");
      body.append(might);
    }
    const others = unit[at.others].filter((other) => other[1]);
    if (others.length) {
      const also = element("span", "also", "also named at ");
      also.append(others.length + (others.length === 1 ? " other range" : " other ranges"));
      body.append(also);
    }
    if (unit[at.heldout] !== null) {
      body.append(bar(unit));
      const numbers = data.metric + " " + score(unit[at.heldout]) + " · chance " + score(unit[at.chance]);
      body.append(element("span", "numbers", numbers));
    }
    if (data.text) {
      link.classList.add("of-text");
      if ((unit[at.excerpt] || []).length) {
        body.append(excerpt(unit));
      }
      link.append(body);
    } else {
      link.append(thumbnail(unit), body);
    }
    item.append(link);
    return item;
  }

  function grow() {
    const batch = document.createDocumentFragment();
    for (const place of shown.slice(made, made + BATCH)) {
      batch.append(card(data.units[place]));
    }
    cards.append(batch);
    made = Math.min(made + BATCH, shown.length);
    more.textContent = made < shown.length ? "Scroll for " + (shown.length - made) + " more." : "";
  }

  function matches(place, words, number) {
    const unit = data.units[place];
    if (status.value === "named" && unit[at.status] !== "named") {
      return false;
    }
    if (status.value !== "all" && status.value !== "named" && unit[at.status] !== status.value) {
      return false;
    }
    if (category.value !== "" && !unit[at.categories].includes(data.categories[Number(category.value)])) {
      return false;
    }
    if (number !== null) {
      return unit[at.unit] === number;
    }
    return words.every((word) => text[place].includes(word));
  }

  function update() {
    const query = find.value.trim().toLowerCase();
    const asNumber = /^(?:unit\s*)?(\d+)$/.exec(query);
    const number = asNumber ? Number(asNumber[1]) : null;
    const words = query.split(/\s+/).filter(Boolean);
    const [, value, direction] = SORTS[sort.value];
    const keys = data.units.map(value);
    shown = data.units.map((_, place) => place).filter((place) => matches(place, words, number));
    // Units without the score come last, whichever way the sort goes.
    shown.sort((a, b) => {
      const left = keys[a];
      const right = keys[b];
      if (left === null || right === null) {
        return (left === null) - (right === null) || a - b;
      }
      return direction * (left - right) || a - b;
    });
    cards.replaceChildren();
    made = 0;
    grow();
    const all = data.units.length.toLocaleString("en");
    tally.textContent = shown.length.toLocaleString("en") + " of " + all + " units";
  }

  function changed() {
    update();
    remember();
  }

  // The choice is kept in the address, so that going back, and a link, lead to the same list.
  function remember() {
    const state = new URLSearchParams();
    if (find.value) {
      state.set("find", find.value);
    }
    if (sort.value !== "heldout") {
      state.set("sort", sort.value);
    }
    if (category.value !== "") {
      state.set("category", data.categories[Number(category.value)]);
    }
    if (status.value !== "all") {
      state.set("show", status.value);
    }
    const words = state.toString();
    const anchor = words ? "#units?" + words : "";
    try {
      window.history.replaceState(null, "", window.location.pathname + window.location.search + anchor);
    } catch (error) {
      more.dataset.address = "fixed"; // Some browsers forbid this for local files; the list works without.
    }
  }

  function recall() {
    const words = /^#units\?(.*)$/.exec(window.location.hash);
    if (!words) {
      return;
    }
    const state = new URLSearchParams(words[1]);
    find.value = state.get("find") || "";
    sort.value = state.get("sort") in SORTS ? state.get("sort") : "heldout";
    const place = data.categories.indexOf(state.get("category"));
    category.value = place < 0 ? "" : String(place);
    const known = Array.from(status.options, (choice) => choice.value);
    status.value = known.includes(state.get("show")) ? state.get("show") : "all";
  }

  data.categories = Array.from(new Set(data.units.flatMap((unit) => unit[at.categories]))).sort();
  // Where names were searched by IoU, the overlap is the score itself.
  if (data.metric === "IoU") {
    delete SORTS.overlap;
  }
  for (const [name, [words]] of Object.entries(SORTS)) {
    option(sort, name, words);
  }
  option(category, "", "every category");
  data.categories.forEach((name, place) => {
    option(category, String(place), data.predicted.includes(name) ? name + " (predicted)" : name);
  });
  const present = new Set(data.units.map((unit) => unit[at.status]));
  option(status, "all", "every unit");
  for (const name of ["named", "not named", "silent", "skipped", "failed"]) {
    if (present.has(name)) {
      option(status, name, name);
    }
  }

  recall();
  update();
  find.addEventListener("input", changed);
  for (const select of [sort, category, status]) {
    select.addEventListener("change", changed);
  }
  document.getElementById("tools").addEventListener("submit", (event) => event.preventDefault());
  new IntersectionObserver(
    (entries) => {
      if (entries.some((entry) => entry.isIntersecting) && made < shown.length) {
        grow();
      }
    },
    { rootMargin: "800px" },
  ).observe(more);
})();
