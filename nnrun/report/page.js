"use strict";

const NOTHING = "–";
const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [360, 220, 62, 12, 12, 28]; // as in html_axes.py

/** A value in a few characters, as the page has it without this script. */
function figure(value) {
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-3 && size < 1e4)) return value.toFixed(size < 100 ? 4 : 2);
  return String(Number(value.toPrecision(3)));
}

/** The place of the epoch that is nearest in a rising list; -1 outside of it. */
function nearest(epochs, epoch) {
  if (!epochs.length || epoch < epochs[0] || epoch > epochs[epochs.length - 1]) return -1;
  let low = 0;
  let high = epochs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (epochs[middle] <= epoch) low = middle;
    else high = middle;
  }
  return epoch - epochs[low] <= epochs[high] - epoch ? low : high;
}

/** A panel that can show the values of an epoch. */
function panelOf(element, epochs) {
  const plain = JSON.parse(element.dataset.panel);
  const drawing = element.querySelector("svg");
  const values = element.querySelectorAll(".legend output");
  const marks = drawing.querySelectorAll(".mark");
  const [first, last] = plain.x;
  const [low, high, isLog] = plain.y;
  const cross = document.createElementNS(SVG, "line");
  cross.setAttribute("class", "cross");
  cross.setAttribute("visibility", "hidden");
  drawing.insertBefore(cross, drawing.querySelector(".curve"));
  const across = (epoch) => LEFT + ((epoch - first) / (last - first)) * (WIDTH - LEFT - RIGHT);
  const share = (value) => (isLog ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
  return {
    drawing,
    epochAt(pointer) {
      const box = drawing.getBoundingClientRect();
      const x = ((pointer.clientX - box.left) / box.width) * WIDTH;
      return Math.round(first + ((x - LEFT) / (WIDTH - LEFT - RIGHT)) * (last - first));
    },
    show(epoch) {
      for (const [name, value] of [["x1", across(epoch)], ["x2", across(epoch)], ["y1", TOP], ["y2", HEIGHT - BOTTOM]]) {
        cross.setAttribute(name, value);
      }
      cross.removeAttribute("visibility");
      plain.curves.forEach(([run, curve], index) => {
        const place = nearest(epochs[run], epoch);
        const value = place < 0 ? null : curve[place];
        values[index].textContent = value === null ? NOTHING : figure(value);
        marks[index].setAttribute("visibility", value === null ? "hidden" : "visible");
        if (value === null) return;
        marks[index].setAttribute("cx", across(epochs[run][place]));
        marks[index].setAttribute("cy", HEIGHT - BOTTOM - share(value) * (HEIGHT - TOP - BOTTOM));
      });
    },
  };
}

for (const curves of document.querySelectorAll(".curves")) {
  const epochs = JSON.parse(curves.dataset.epochs);
  const panels = [...curves.querySelectorAll("figure")].map((element) => panelOf(element, epochs));
  const slider = curves.querySelector("input");
  const shown = curves.querySelector(".epoch");
  const show = (epoch) => {
    slider.value = epoch; // the slider keeps it between the first and the last epoch
    shown.textContent = Number(slider.value).toLocaleString("en");
    for (const panel of panels) panel.show(Number(slider.value));
  };
  slider.addEventListener("input", () => show(Number(slider.value)));
  for (const panel of panels) {
    for (const kind of ["pointermove", "pointerdown"]) {
      panel.drawing.addEventListener(kind, (pointer) => show(panel.epochAt(pointer)));
    }
  }
  slider.parentElement.hidden = false;
}

/** What a cell is sorted by: its number, else its text. */
function keyOf(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === typeof b) return a.localeCompare(b, undefined, { numeric: true });
  return typeof a === "number" ? -1 : 1;
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falls = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falls ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => compare(keyOf(a, column), keyOf(b, column)) * (falls ? -1 : 1));
      table.tBodies[0].append(...rows);
    });
  });
}
