// Tables are sorted by the column whose heading is pressed; without this script they stay in the order of the runs.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const number = row => value(row) === "" ? Infinity : Number(value(row));
      const text = heading.classList.contains("text");
      const rows = [...body.rows].sort((a, b) => text ? value(a).localeCompare(value(b)) : number(a) - number(b));
      body.append(...(down ? rows.reverse() : rows));
    });
  });
}
