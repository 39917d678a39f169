// Lists that sort by a column, show more on demand, and can be searched. Without it all rows stand open.
(function () {
  "use strict";
  const said = document.getElementById("said");

  function valueOf(row, column) {
    const text = row.cells[column].dataset.value;
    if (text === "") {
      return null;
    }
    const number = Number(text);
    return Number.isNaN(number) ? text.toLowerCase() : number;
  }

  function compare(a, b) {
    if (typeof a === typeof b) {
      return typeof a === "string" ? a.localeCompare(b) : a - b;
    }
    return typeof a === "number" ? -1 : 1;
  }

  function prepare(table) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    const most = Number(table.dataset.most);
    const find = document.querySelector('input[data-find="' + table.id + '"]');
    const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    let order = rows;
    let open = rows.length <= most;
    let button = null;

    function show() {
      const wanted = find ? find.value.trim().toLowerCase() : "";
      const found = order.filter((row) => texts.get(row).includes(wanted));
      const shown = new Set(open || wanted ? found : found.slice(0, most));
      for (const row of order) {
        row.hidden = !shown.has(row);
        body.append(row);
      }
      if (button) {
        button.hidden = Boolean(wanted);
        button.textContent = open ? "Show " + most + " alone" : "Show all " + rows.length.toLocaleString("en");
        button.setAttribute("aria-expanded", String(open));
      }
      return found.length;
    }

    function sortBy(column, heading) {
      const up = heading.getAttribute("aria-sort") === "descending";
      for (const other of table.tHead.rows[0].cells) {
        other.removeAttribute("aria-sort");
      }
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const values = new Map(rows.map((row) => [row, valueOf(row, column)]));
      const empty = order.filter((row) => values.get(row) === null);
      const full = order.filter((row) => values.get(row) !== null);
      full.sort((a, b) => (up ? 1 : -1) * compare(values.get(a), values.get(b)));
      order = full.concat(empty);
      show();
      said.textContent = "Sorted by " + heading.textContent + ", " + (up ? "lowest" : "highest") + " first.";
    }

    if (rows.length > 1) {
      Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
        const sort = document.createElement("button");
        sort.type = "button";
        sort.className = "sort";
        sort.append(...heading.childNodes);
        sort.addEventListener("click", () => sortBy(column, heading));
        heading.append(sort);
      });
    }
    if (!open) {
      button = document.createElement("button");
      button.type = "button";
      button.className = "more";
      button.setAttribute("aria-controls", table.id);
      button.addEventListener("click", () => {
        open = !open;
        show();
      });
      table.parentElement.after(button);
    }
    if (find) {
      find.parentElement.hidden = false;
      find.addEventListener("input", () => {
        const found = show();
        said.textContent = found.toLocaleString("en") + (found === 1 ? " row" : " rows");
      });
      if (find.value) {
        show();
      }
    }
    show();
  }

  document.querySelectorAll("table.sheet").forEach(prepare);
})();
