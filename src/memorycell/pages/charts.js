// Charts that answer to the pointer: the values below it, and a closer look at a stretch of a long series. What a chart
// can tell stands in data-readings of its figure, see pointer.py; without this script the pictures stand as they are.
// Text is only ever set as text.
"use strict";
(() => {
  const SVG = document.querySelector("svg.plot")?.namespaceURI;
  const DAY = 86400;
  const CLOSEST = 8; // points that a view holds at least
  const HINT = "Arrow keys read values; plus and minus zoom, Escape shows all.";

  /**
   * @typedef {{name: string, colour: string, digits: number, values: (number|null)[], high?: (number|null)[]}} Series
   * @typedef {{kind: "lines", x: number[], as: string, labels?: string[], series: Series[], zoom: boolean}} Lines
   * @typedef {{kind: "notes", notes: [number, number, string][]}} Notes
   * @typedef {{kind: "cells", rows: string[], columns: string[], counts: number[][], totals: number[]}} Cells
   * @typedef {{kind: "map", rows: string[], columns: string[], size: number, ends: number[], digits: number,
   *            levels: string}} Map_
   * @typedef {{tells: Lines|Notes|Cells|Map_, box: number[], x: number[], y: number[], log: boolean[], view: number[],
   *            inner: Element[]}} Panel
   */

  const svgNode = (tag, attributes) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const htmlNode = (tag, className, text = "") => {
    const node = document.createElement(tag);
    node.className = className;
    node.textContent = text;
    return node;
  };
  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

  // ------------------------------------------------------------------ values in words

  /** @param {number} value @param {number} digits */
  function written(value, digits) {
    const [whole, rest] = Math.abs(value).toFixed(digits).split(".");
    const text = whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest ? "." + rest : "");
    return (value < 0 && /[1-9]/.test(text) ? "−" : "") + text;
  }

  /** A place on the x axis: a date, a named step or a number. @param {Lines} lines @param {number} x */
  function place(lines, x) {
    if (lines.as === "day" || lines.as === "second") {
      const iso = new Date(x * 1000).toISOString();
      if (lines.as === "day") return iso.slice(0, 10);
      return iso.slice(0, 10) + " " + iso.slice(11, x % 60 ? 19 : 16);
    }
    if (lines.labels) {
      const at = lines.x.indexOf(x);
      if (at >= 0) return lines.labels[at];
    }
    return `${lines.as} ${written(x, Number.isInteger(x) ? 0 : 2)}`.trim();
  }

  /** Places are stored as the first and steps, or one step that is always the same. */
  function unpacked(packed) {
    const [first, steps, count] = packed;
    if (typeof steps === "number") return Array.from({ length: count }, (_, at) => first + at * steps);
    const found = [first];
    for (const step of steps) found.push(found[found.length - 1] + step);
    return found;
  }

  /** What a cell of a matrix of counts says. @param {Cells} tells */
  function countAt({ rows, columns, counts, totals }, row, column) {
    const count = counts[row][column], total = totals[row];
    const share = total ? ` (${Math.round((100 * count) / total)} %)` : "";
    return [`is ${rows[row]}`, [["answered " + columns[column], "", ""], ["", `${written(count, 0)} of ${written(total, 0)}${share}`, ""]]];
  }

  /** What a cell of a map says; 255 stands for a missing value. @param {Map_} tells */
  function valueAt({ rows, columns, levels, ends: [low, high], digits }, row, column) {
    const level = levels.charCodeAt(row * columns.length + column);
    const said = level === 255 ? "missing" : written(low + (level / 254) * (high - low), digits);
    return [columns[column], [[rows[row], said, ""]]];
  }

  // ------------------------------------------------------------------ one chart

  class Chart {
    /** @param {HTMLElement} figure @param {SVGSVGElement} svg @param {Panel[]} panels */
    constructor(figure, svg, panels) {
      Object.assign(this, { figure, svg, panels, at: null, pointers: new Map() });
      this.overlay = svgNode("g", { class: "pointed", "aria-hidden": "true" });
      svg.append(this.overlay);
      this.tip = figure.querySelector(".tip");
      svg.tabIndex = 0;
      svg.setAttribute("aria-description", HINT);
      svg.addEventListener("pointermove", (event) => this.moved(event));
      svg.addEventListener("pointerdown", (event) => this.pressed(event));
      for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, (event) => this.released(event));
      svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.quiet());
      svg.addEventListener("blur", () => this.quiet());
      svg.addEventListener("keydown", (event) => this.key(event));
      svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
      if (this.zoomable) svg.classList.add("zoomable");
    }

    get zoomable() {
      return this.panels.some((panel) => panel.tells.zoom);
    }

    /** Where the event is, in the picture's own units. */
    spot(event) {
      const box = this.svg.getBoundingClientRect(), view = this.svg.viewBox.baseVal;
      return [((event.clientX - box.left) / box.width) * view.width, ((event.clientY - box.top) / box.height) * view.height];
    }

    /** The panel at a spot, or the nearest around it. */
    panelAt([x, y]) {
      const aside = ({ box }) => Math.max(0, box[0] - x, x - box[2]), off = ({ box }) => Math.max(0, box[1] - y, y - box[3]);
      const near = (panel) => Math.hypot(aside(panel), off(panel));
      const found = this.panels.reduce((best, panel) => (near(panel) < near(best) ? panel : best), this.panels[0]);
      return off(found) < 40 && aside(found) < 30 ? found : null;
    }

    across(panel, x) {
      const [low, high] = panel.log[0] ? panel.view.map(Math.log) : panel.view;
      return panel.box[0] + (((panel.log[0] ? Math.log(x) : x) - low) / (high - low)) * (panel.box[2] - panel.box[0]);
    }

    back(panel, px) {
      const share = (px - panel.box[0]) / (panel.box[2] - panel.box[0]);
      const [low, high] = panel.log[0] ? panel.view.map(Math.log) : panel.view;
      const x = low + share * (high - low);
      return panel.log[0] ? Math.exp(x) : x;
    }

    up(panel, y) {
      const [low, high] = panel.log[1] ? panel.y.map(Math.log) : panel.y;
      return panel.box[3] - (((panel.log[1] ? Math.log(y) : y) - low) / (high - low)) * (panel.box[3] - panel.box[1]);
    }

    // ---------------------------------------------------------------- pointing

    point(panel, spot) {
      const { tells } = panel;
      if (tells.kind === "lines") {
        const x = clamp(this.back(panel, spot[0]), panel.view[0], panel.view[1]);
        this.show(panel, nearest(tells.x, x));
      } else if (tells.kind === "notes") {
        const far = ([x, y]) => Math.hypot(this.across(panel, x) - spot[0], 1.5 * (this.up(panel, y) - spot[1]));
        const at = tells.notes.reduce((best, note, k) => (far(note) < far(tells.notes[best]) ? k : best), 0);
        if (far(tells.notes[at]) < 60) this.show(panel, at);
        else this.quiet();
      } else {
        const column = Math.floor((this.back(panel, spot[0]) + 0.5) / (tells.size ?? 1));
        const row = Math.round(panel.y[0] + ((panel.box[3] - spot[1]) / (panel.box[3] - panel.box[1])) * (panel.y[1] - panel.y[0]));
        if (row >= 0 && column >= 0 && row < tells.rows.length && column < tells.columns.length) {
          this.show(panel, row * tells.columns.length + column);
        } else this.quiet();
      }
    }

    /** Mark a place of a panel and say what is there. */
    show(panel, at) {
      this.at = [panel, at];
      const { tells } = panel, [left, top, right, bottom] = panel.box;
      const marks = [];
      let title, rows = [], x, y = top;
      if (tells.kind === "lines") {
        x = this.across(panel, tells.x[at]);
        title = place(tells, tells.x[at]);
        if (x < left - 1 || x > right + 1) return this.quiet();
        marks.push(svgNode("path", { class: "rule", d: `M${x} ${top}V${bottom}` }));
        for (const { name, colour, digits, values, high } of tells.series) {
          if (values[at] === null) continue;
          const said = written(values[at], digits) + (high ? ` to ${written(high[at], digits)}` : "");
          rows.push([name, said, colour]);
          const up = this.up(panel, values[at]);
          if (!high && up >= top - 2 && up <= bottom + 2) {
            marks.push(svgNode("circle", { cx: x, cy: up, r: 3.5, style: `fill:var(--${colour})` }));
          }
        }
        if (!rows.length) rows.push(["", "missing", "muted"]);
      } else if (tells.kind === "notes") {
        const [a, b, text] = tells.notes[at];
        [x, y] = [this.across(panel, a), this.up(panel, b)];
        [title, ...rows] = text.split("\n");
        rows = rows.map((line) => ["", line, ""]);
        marks.push(svgNode("circle", { class: "ring", cx: x, cy: y, r: 8 }));
      } else {
        const wide = tells.columns.length, row = Math.floor(at / wide), column = at % wide, size = tells.size ?? 1;
        const [from, to] = [column, column + 1].map((edge) => clamp(this.across(panel, edge * size - 0.5), left, right));
        const high = (bottom - top) / tells.rows.length;
        [x, y] = [(from + to) / 2, top + row * high];
        [title, rows] = (tells.kind === "map" ? valueAt : countAt)(tells, row, column);
        marks.push(svgNode("rect", { class: "ring", x: from, y, width: to - from, height: high }));
      }
      this.overlay.replaceChildren(...marks);
      this.say(title, rows, x, y);
    }

    say(title, rows, x, y) {
      const { tip } = this;
      const lines = rows.map(([name, said, colour]) => {
        const line = htmlNode("div", "reading");
        if (name) {
          const named = htmlNode("span", "named", name);
          if (colour) named.style.setProperty("--of", `var(--${colour})`);
          line.append(named, " ");
        }
        if (said) line.append(htmlNode("b", "", said));
        return line;
      });
      tip.replaceChildren(htmlNode("div", "where", title), ...lines);
      tip.hidden = false;
      const scale = this.svg.getBoundingClientRect().width / this.svg.viewBox.baseVal.width;
      const room = this.figure.clientWidth, px = x * scale;
      const left = px + 14 + tip.offsetWidth < room ? px + 14 : px - 14 - tip.offsetWidth;
      tip.style.left = `${clamp(left, 0, Math.max(0, room - tip.offsetWidth))}px`;
      const offset = this.svg.getBoundingClientRect().top - this.figure.getBoundingClientRect().top;
      tip.style.top = `${Math.max(0, offset + y * scale - 6)}px`;
    }

    quiet() {
      this.at = null;
      this.overlay.replaceChildren();
      this.tip.hidden = true;
    }

    // ---------------------------------------------------------------- pointers: read, drag, pinch

    moved(event) {
      const spot = this.spot(event);
      if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, spot);
      if (this.pinched) return this.pinch();
      if (this.drag && event.pointerType === "mouse") return this.dragged(spot);
      const panel = this.panelAt(spot);
      if (panel) this.point(panel, spot);
      else this.quiet();
    }

    pressed(event) {
      const spot = this.spot(event), panel = this.panelAt(spot);
      this.pointers.set(event.pointerId, spot);
      if (!panel) return;
      if (this.pointers.size === 2 && panel.tells.zoom) {
        const [a, b] = [...this.pointers.values()].map(([x]) => this.back(panel, x));
        this.pinched = { panel, held: [a, b] };
      } else if (event.pointerType === "mouse" && event.button === 0 && panel.tells.zoom) {
        this.drag = { panel, from: spot[0], to: spot[0] };
        this.svg.setPointerCapture(event.pointerId);
      } else this.point(panel, spot);
    }

    dragged(spot) {
      const { panel, from } = this.drag;
      this.drag.to = clamp(spot[0], panel.box[0], panel.box[2]);
      const [left, right] = [from, this.drag.to].sort((a, b) => a - b);
      const [, top, , bottom] = panel.box;
      const lines = { x: left, y: top, width: right - left, height: bottom - top };
      this.overlay.replaceChildren(svgNode("rect", { class: "chosen", ...lines }));
      this.tip.hidden = true;
    }

    released(event) {
      this.pointers.delete(event.pointerId);
      this.pinched = null;
      if (!this.drag) return;
      const { panel, from, to } = this.drag;
      this.drag = null;
      this.overlay.replaceChildren();
      if (Math.abs(to - from) > 6) this.zoom(panel, [this.back(panel, from), this.back(panel, to)].sort((a, b) => a - b));
    }

    /** Two fingers hold two places of the series, wherever they move. */
    pinch() {
      const { panel, held } = this.pinched, [a, b] = [...this.pointers.values()].map(([x]) => x);
      if (b === undefined || Math.abs(a - b) < 10) return;
      const size = (held[1] - held[0]) / (b - a), [left, , right] = panel.box;
      if (size > 0) this.zoom(panel, [held[0] - (a - left) * size, held[0] + (right - a) * size]);
    }

    wheel(event) {
      const panel = this.panelAt(this.spot(event));
      // The wheel belongs to the page, unless the chart was chosen or the key of zooming is held.
      if (!panel || !panel.tells.zoom || !(event.ctrlKey || event.metaKey || document.activeElement === this.svg)) return;
      if (event.deltaY > 0 && !this.svg.classList.contains("zoomed")) return;
      event.preventDefault();
      this.scale(panel, event.deltaY < 0 ? 0.8 : 1.25, this.back(panel, this.spot(event)[0]));
    }

    // ---------------------------------------------------------------- keys

    key(event) {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const [panel, at] = this.at || [this.panels[0], null];
      const { tells } = panel, step = event.shiftKey ? 10 : 1;
      const row = tells.columns?.length ?? 0;
      const count = { lines: () => tells.x.length, notes: () => tells.notes.length, cells: () => tells.rows.length * tells.columns.length }[row ? "cells" : tells.kind]();
      const next = (other) => this.panels[(this.panels.indexOf(panel) + other + this.panels.length) % this.panels.length];
      const [first, last] = tells.kind === "lines" ? seen(tells.x, panel.view) : [0, count - 1];
      const go = (to) => this.show(panel, clamp(to, first, last));
      const other = (by) => {
        const chosen = next(by);
        const same = chosen.tells.kind === "lines" && tells.kind === "lines" && at !== null;
        const column = row && at !== null && chosen.tells.columns?.length === row ? at % row : 0;
        const place = column + (row && by < 0 && column ? count - row : 0);
        this.show(chosen, same ? nearest(chosen.tells.x, tells.x[at]) : place);
      };
      const vertical = (by) => {
        if (!row) return other(by);
        const to = at === null ? 0 : at + by * row;
        if (to >= 0 && to < count) return go(to);
        return this.panels.length > 1 ? other(by) : false; // at the edge the page may scroll
      };
      const moves = {
        ArrowLeft: () => go(at === null ? last : at - step),
        ArrowRight: () => go(at === null ? first : at + step),
        ArrowUp: () => vertical(-1),
        ArrowDown: () => vertical(1),
        Home: () => go(first),
        End: () => go(last),
        Escape: () => (this.at ? this.quiet() : this.whole()),
        "+": () => this.scale(panel, 0.5),
        "=": () => this.scale(panel, 0.5),
        "-": () => this.scale(panel, 2),
        0: () => this.whole(),
      };
      if (event.key in moves && moves[event.key]() !== false) event.preventDefault();
    }

    // ---------------------------------------------------------------- zoom

    /** Show so many times as much, around a place: what is pointed at, or the middle. */
    scale(panel, times, around) {
      if (!panel.tells.zoom) return;
      const [low, high] = panel.view;
      const middle = around ?? (this.at && this.at[0] === panel ? panel.tells.x[this.at[1]] : (low + high) / 2);
      this.zoom(panel, [middle - (middle - low) * times, middle + (high - middle) * times]);
    }

    whole() {
      for (const panel of this.panels) if (panel.tells.zoom) this.view(panel, panel.x);
      this.svg.classList.remove("zoomed");
      this.figure.classList.remove("zoomed");
      this.quiet();
    }

    /** Show a stretch of x in a panel, and in those that go over the same. */
    zoom(panel, [low, high]) {
      const { x } = panel.tells, whole = panel.x;
      const least = (CLOSEST * (x[x.length - 1] - x[0])) / Math.max(x.length - 1, CLOSEST);
      if (high - low < least) [low, high] = [(low + high - least) / 2, (low + high + least) / 2];
      if (low < whole[0]) [low, high] = [whole[0], high + whole[0] - low];
      if (high > whole[1]) [low, high] = [Math.max(whole[0], low + whole[1] - high), whole[1]];
      if (high - low > 0.999 * (whole[1] - whole[0])) return this.whole();
      for (const other of this.panels) {
        if (other.tells.zoom && other.x.every((end, k) => Math.abs(end - whole[k]) < least / 10)) this.view(other, [low, high]);
      }
      this.svg.classList.add("zoomed");
      this.figure.classList.add("zoomed");
      if (this.at) this.show(...this.at);
    }

    /** Stretch what is drawn: lines stay as thin as they are, and the ends of the axis say where they are. */
    view(panel, [low, high]) {
      panel.view = [low, high];
      const [left, top, right, bottom] = panel.box, [from, to] = panel.x;
      if (!panel.inner.length) this.wrap(panel);
      const times = (to - from) / (high - low);
      const start = left + ((low - from) / (to - from)) * (right - left);
      panel.inner[0].setAttribute("transform", `translate(${left - start * times} 0) scale(${times} 1)`);
      const ends = [low, (low + high) / 2, high].map((x, k) => {
        const node = svgNode("text", { x: [left, (left + right) / 2, right][k], y: bottom + 15, class: "end" });
        node.setAttribute("text-anchor", ["start", "middle", "end"][k]);
        node.textContent = place(panel.tells, nearestOf(panel.tells.x, x));
        return node;
      });
      panel.inner[1].replaceChildren(...(times > 1.001 ? ends : []));
    }

    /** Put what is clipped to the panel into a group that can be stretched. */
    wrap(panel) {
      const [left, top, right, bottom] = panel.box;
      const id = `${this.figure.dataset.key}-${this.panels.indexOf(panel)}-${this.svg.viewBox.baseVal.width}`;
      const clip = svgNode("clipPath", { id });
      clip.append(svgNode("rect", { x: left, y: top, width: right - left, height: bottom - top }));
      const outer = svgNode("g", { "clip-path": `url(#${id})` }), inner = svgNode("g", { class: "stretched" });
      const labels = svgNode("g", { class: "ends" });
      const root = this.svg.querySelector(`[data-axes="${this.panels.indexOf(panel)}"]`);
      const clipped = [...root.querySelectorAll("[clip-path]")];
      clipped[0].parentNode.insertBefore(outer, clipped[0]);
      outer.append(inner);
      for (const node of clipped) {
        node.removeAttribute("clip-path");
        inner.append(node);
      }
      root.append(clip, labels);
      const scale = this.svg.getBoundingClientRect().width / this.svg.viewBox.baseVal.width;
      const at = this.svg.getBoundingClientRect();
      for (const text of root.querySelectorAll("text")) {
        const box = text.getBoundingClientRect();
        const [x, y] = [(box.left - at.left) / scale, (box.top - at.top) / scale];
        if (x > left + 1 && x < right - 10 && y > top - 2 && y < bottom - 8) text.classList.add("inside");
      }
      panel.inner = [inner, labels];
    }
  }

  function nearest(places, x) {
    let low = 0, high = places.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (places[middle] < x) low = middle;
      else high = middle;
    }
    return Math.abs(places[low] - x) <= Math.abs(places[high] - x) ? low : high;
  }
  const nearestOf = (places, x) => places[nearest(places, x)];

  /** First and last of the places within a view. */
  function seen(places, [low, high]) {
    let first = nearest(places, low), last = nearest(places, high);
    if (places[first] < low && first < last) first++;
    if (places[last] > high && last > first) last--;
    return [first, last];
  }

  // ------------------------------------------------------------------ all charts

  function prepare(tells) {
    if (tells.kind === "lines") tells.x = unpacked(tells.x);
    if (tells.kind === "map") tells.levels = atob(tells.levels);
    return tells;
  }

  function tools(figure, charts) {
    const bar = htmlNode("div", "tools");
    const inSight = () => charts.find((chart) => chart.svg.getClientRects().length);
    const button = (text, name, act) => {
      const made = htmlNode("button", "", text);
      made.type = "button";
      made.title = name;
      made.setAttribute("aria-label", name);
      made.addEventListener("click", () => act(inSight()));
      bar.append(made);
    };
    const first = (chart) => chart.panels.find((panel) => panel.tells.zoom);
    button("−", "Zoom out", (chart) => chart.scale(first(chart), 2));
    button("+", "Zoom in", (chart) => chart.scale(first(chart), 0.5));
    button("All", "Show all of it", (chart) => chart.whole());
    figure.querySelector("figcaption").prepend(bar);
  }

  let number = 0;
  for (const figure of document.querySelectorAll("figure[data-readings]")) {
    const { data, ...drawn } = JSON.parse(figure.dataset.readings);
    data.forEach(prepare);
    figure.dataset.key = `chart${number++}`;
    const tip = htmlNode("div", "tip");
    tip.hidden = true;
    tip.setAttribute("role", "status");
    figure.append(tip);
    const charts = [];
    for (const [kind, panels] of Object.entries(drawn)) {
      const svg = figure.querySelector(`.${kind} svg.plot`);
      if (!svg || !panels.length) continue;
      charts.push(new Chart(figure, svg, panels.map(([which, box, x, y, log]) => (
        { tells: data[which], box, x, y, log, view: [...x], inner: [] }
      ))));
    }
    if (charts.some((chart) => chart.zoomable)) tools(figure, charts);
  }
})();
