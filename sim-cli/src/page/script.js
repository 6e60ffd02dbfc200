"use strict";
// Draws the timelines of a report from the numbers in it: one cursor for all panels, zoom, choice of
// series, variants and seeds, and a search in logs. Without it the page says the same with pictures.
(() => {
  // Asked of the page, so that no address stands in it.
  const SVG = document.querySelector("svg.chart").namespaceURI;
  const [WIDTH, LEFT, RIGHT, HEIGHT] = [1100, 72, 900, 120];

  const node = (name, attributes = {}, children = []) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const element = (name, attributes = {}, children = []) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  const number = (value) => Number(value.toPrecision(4)).toLocaleString("en");
  const length = (ns) => {
    for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["us", 1e3]])
      if (ns >= size) return `${Number((ns / size).toPrecision(3))} ${unit}`;
    return `${Number(ns.toPrecision(3))} ns`;
  };
  const said = (unit, value) =>
    value === null || value === undefined ? "–"
      : unit === "ns" ? length(value)
      : unit === "ms" ? length(value * 1e6)
      : unit === "share" ? `${number(100 * value)} %`
      : number(value);
  const seconds = (at) => `${Number(at.toFixed(3))} s`;

  // A chapter's panels. `shown` is all that a reader chose.
  const explore = (place, sides) => {
    const shown = { sides: new Set([0]), seed: 0, hidden: new Set(), from: 0, to: 0, at: null };
    const run = (side) => sides[side].runs[Math.min(shown.seed, sides[side].runs.length - 1)];
    const end = () => Math.max(...[...shown.sides].map((side) => run(side).end));
    const whole = () => { shown.from = 0; shown.to = end(); };

    const panels = element("div", { class: "panels" });
    const reading = element("p", { class: "reading", role: "status" });
    const tools = element("div", { class: "tools" });
    place.append(tools, reading, panels);
    place.hidden = false;

    const x = (at) => LEFT + (at - shown.from) / (shown.to - shown.from) * (RIGHT - LEFT);
    const when = (px) => shown.from + (px - LEFT) / (RIGHT - LEFT) * (shown.to - shown.from);
    const value = (line, at) => {
      const window = Math.floor(at / line.width);
      return window < 0 ? null : line.most[Math.min(window, line.most.length - 1)];
    };

    const scale = (panel, lines) => {
      let most = 0, least = Infinity;
      for (const line of lines) for (const list of [line.most, line.least || []]) for (const v of list) {
        if (v === null) continue;
        most = Math.max(most, v);
        if (v > 0) least = Math.min(least, v);
      }
      const log = (panel.unit === "ns" || panel.unit === "ms") && most / least > 30;
      if (!log) return { y: (v) => HEIGHT - 8 - v / (most || 1) * (HEIGHT - 30), most, least: 0 };
      const [a, b] = [Math.log(least), Math.log(most)];
      const y = (v) => HEIGHT - 8 - (Math.log(Math.max(v, least)) - a) / (b - a) * (HEIGHT - 30);
      return { y, most, least };
    };

    const path = (line, y) => {
      let d = "", open = false;
      line.most.forEach((most, n) => {
        const [from, to] = [n * line.width, Math.min((n + 1) * line.width, shown.to)];
        if (to <= shown.from || from >= shown.to) return;
        if (most === null) { open = false; return; }
        const [left, right] = [x(Math.max(from, shown.from)), x(to)];
        const least = line.least ? line.least[n] : most;
        d += `${open ? "L" : "M"}${left.toFixed(1)} ${y(least).toFixed(1)}`;
        d += `V${y(most).toFixed(1)}H${right.toFixed(1)}`;
        open = true;
      });
      return d;
    };

    const ground = (svg, spans, height) => {
      for (const span of spans) {
        if (span.to < shown.from || span.from > shown.to) continue;
        const [a, b] = [x(Math.max(span.from, shown.from)), x(Math.min(span.to, shown.to))];
        const title = node("title", {}, [`${span.label}: ${seconds(span.from)} to ${seconds(span.to)}`]);
        if (span.kind === "fault")
          svg.append(node("rect", { class: "shade", x: a, y: 16, width: Math.max(b - a, 1), height: height - 24 }, [title]));
        if (span.kind === "broken")
          svg.append(node("path", { class: "brokenline", d: `M${a} 16V${height - 8}` }, [title]));
      }
    };

    const frame = (title, height) => node("svg", {
      class: "chart", viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: "img", "aria-label": title,
    }, [node("text", { class: "text", x: 20, y: 11, "font-size": 12, "font-weight": 600 }, [title])]);

    const cursors = [];
    const point = (svg, height) => {
      const cursor = node("path", { class: "whisker cursor", d: `M0 14V${height - 6}`, visibility: "hidden" });
      svg.append(cursor);
      cursors.push(cursor);
    };

    const lines = (side, panel) => {
      const own = panel.lines.filter((line) => !shown.hidden.has(line.name));
      const title = shown.sides.size > 1 ? `${sides[side].name}: ${panel.title}` : panel.title;
      const svg = frame(title, HEIGHT);
      const { y, most, least } = scale(panel, panel.lines);
      ground(svg, run(side).spans, HEIGHT);
      for (const mark of [least, most]) {
        svg.append(node("path", { class: "grid", d: `M${LEFT} ${y(mark).toFixed(1)}H${RIGHT}` }));
        svg.append(node("text", { class: "muted", x: LEFT - 8, y: y(mark) + 4, "font-size": 11, "text-anchor": "end" }, [said(panel.unit, mark)]));
      }
      own.forEach((line) => {
        svg.append(node("path", { class: line.ink, d: path(line, y), "data-line": line.name }));
      });
      own.forEach((line, n) => {
        const at = 26 + n * 15;
        svg.append(node("path", { class: line.ink, d: `M${RIGHT + 8} ${at}H${RIGHT + 34}` }));
        svg.append(node("text", { class: "text readout", x: RIGHT + 40, y: at + 4, "font-size": 11.5, "data-name": line.name }, [line.name]));
      });
      point(svg, HEIGHT);
      svg.reading = { own, unit: panel.unit };
      return svg;
    };

    const strip = (side) => {
      const spans = run(side).spans.filter((span) => span.kind === "open" || span.kind === "halfopen");
      if (spans.length === 0) return null;
      const names = [...new Set(spans.map((span) => span.label.replace(/: [^:]*$/, "")))].slice(0, 8);
      const height = 24 + names.length * 18;
      const svg = frame(`${shown.sides.size > 1 ? sides[side].name + ": " : ""}Breakers that are not closed`, height);
      for (const span of spans) {
        const row = names.indexOf(span.label.replace(/: [^:]*$/, ""));
        if (row < 0 || span.to < shown.from || span.from > shown.to) continue;
        const [a, b] = [x(Math.max(span.from, shown.from)), x(Math.min(span.to, shown.to))];
        svg.append(node("rect", { class: span.kind, x: a, y: 18 + row * 18, width: Math.max(b - a, 2), height: 14 },
          [node("title", {}, [`${span.label}: ${seconds(span.from)} to ${seconds(span.to)}`])]));
      }
      names.forEach((name, row) =>
        svg.append(node("text", { class: "text", x: RIGHT + 8, y: 29 + row * 18, "font-size": 11.5 }, [name])));
      point(svg, height);
      return svg;
    };

    const axis = () => {
      const svg = node("svg", { class: "chart", viewBox: `0 0 ${WIDTH} 24`, width: WIDTH, height: 24, "aria-hidden": "true" });
      for (let n = 0; n <= 8; n += 1) {
        const at = shown.from + (shown.to - shown.from) * n / 8;
        svg.append(node("text", { class: "muted", x: x(at), y: 14, "font-size": 11, "text-anchor": "middle" }, [seconds(at)]));
      }
      return svg;
    };

    const draw = () => {
      cursors.length = 0;
      panels.replaceChildren();
      const titles = [...new Set([...shown.sides].flatMap((side) => run(side).panels.map((panel) => panel.title)))];
      for (const title of titles) for (const side of shown.sides) {
        const panel = run(side).panels.find((own) => own.title === title);
        if (panel && panel.lines.some((line) => !shown.hidden.has(line.name))) panels.append(lines(side, panel));
      }
      for (const side of shown.sides) { const own = strip(side); if (own) panels.append(own); }
      panels.append(axis());
      show(shown.at);
    };

    // The cursor of all panels, and what stands under it.
    const show = (at) => {
      shown.at = at;
      const is = at !== null && at >= shown.from && at <= shown.to;
      for (const cursor of cursors) {
        cursor.setAttribute("visibility", is ? "visible" : "hidden");
        if (is) cursor.setAttribute("transform", `translate(${x(at).toFixed(1)} 0)`);
      }
      for (const svg of panels.children) {
        if (!svg.reading) continue;
        const texts = svg.querySelectorAll(".readout");
        svg.reading.own.forEach((line, n) => {
          texts[n].textContent = is ? `${line.name} ${said(svg.reading.unit, value(line, at))}` : line.name;
        });
      }
      const [side] = shown.sides;
      const meanwhile = is && side !== undefined
        ? run(side).spans.filter((span) => span.from <= at && at <= span.to).map((span) => span.label) : [];
      const where = is ? [`at ${seconds(at)}`, ...meanwhile].join(" · ") : "Point at a panel to read it; drag to zoom.";
      const found = side === undefined ? "" : `Seed ${run(side).seed}, ${run(side).verdict.replace("_", " ")}: ${run(side).headline}. `;
      reading.textContent = found + where;
    };

    const zoom = (from, to) => {
      const least = end() / 2000;
      shown.from = Math.max(0, Math.min(from, end() - least));
      shown.to = Math.min(end(), Math.max(to, shown.from + least));
      draw();
    };

    const choice = (label, is, change) => {
      const box = element("input", { type: "checkbox" });
      box.checked = is;
      box.addEventListener("change", () => change(box.checked));
      return element("label", {}, [box, " ", label]);
    };
    const button = (label, act) => {
      const made = element("button", { type: "button" }, [label]);
      made.addEventListener("click", act);
      return made;
    };
    const group = (label, children) => element("span", { class: "group", role: "group", "aria-label": label }, children);
    const toggle = (set, key, is) => { if (is) set.add(key); else set.delete(key); draw(); };

    if (sides.length > 1) {
      tools.append(group("variants", sides.map((side, n) => choice(side.name, n === 0, (is) => {
        toggle(shown.sides, n, is);
        shown.sides = new Set([...shown.sides].sort((a, b) => a - b));
        if (shown.sides.size > 0) draw();
      }))));
    }
    if (sides[0].runs.length > 1) {
      const seeds = element("select", { "aria-label": "seed" }, sides[0].runs.map((own, n) =>
        element("option", { value: n }, [`seed ${own.seed}: ${own.verdict.replace("_", " ")}`])));
      seeds.addEventListener("change", () => { shown.seed = Number(seeds.value); whole(); draw(); });
      tools.append(group("seeds", [seeds]));
    }
    const names = [...new Set(sides.flatMap((side) => side.runs[0].panels.flatMap((panel) => panel.lines.map((line) => line.name))))];
    const series = group("series", names.map((name) => choice(name, true, (is) => toggle(shown.hidden, name, !is))));
    tools.append(element("details", {}, [element("summary", {}, ["series"]), series]));
    const middle = () => (shown.from + shown.to) / 2;
    const span = () => shown.to - shown.from;
    tools.append(group("zoom", [
      button("+", () => zoom((shown.at ?? middle()) - span() / 4, (shown.at ?? middle()) + span() / 4)),
      button("−", () => zoom(shown.from - span() / 2, shown.to + span() / 2)),
      button("whole", () => { whole(); draw(); }),
    ]));

    const time = (event) => {
      const svg = event.target.closest("svg");
      if (!svg) return null;
      const box = svg.getBoundingClientRect();
      return when((event.clientX - box.left) / box.width * WIDTH);
    };
    let pressed = null;
    panels.addEventListener("pointerdown", (event) => { pressed = time(event); });
    panels.addEventListener("pointermove", (event) => { const at = time(event); if (at !== null) show(at); });
    panels.addEventListener("pointerleave", () => { pressed = null; show(null); });
    panels.addEventListener("pointerup", (event) => {
      const at = time(event);
      if (pressed !== null && at !== null && Math.abs(at - pressed) > span() / 60) zoom(Math.min(at, pressed), Math.max(at, pressed));
      pressed = null;
    });
    panels.addEventListener("dblclick", () => { whole(); draw(); });
    panels.tabIndex = 0;
    panels.setAttribute("aria-label", "timelines; arrow keys move the cursor, + and - zoom");
    panels.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) show(Math.min(shown.to, Math.max(shown.from, (shown.at ?? middle()) + step * span() / 100)));
      else if (event.key === "+") zoom(middle() - span() / 4, middle() + span() / 4);
      else if (event.key === "-") zoom(shown.from - span() / 2, shown.to + span() / 2);
      else if (event.key === "Escape") { whole(); draw(); }
      else return;
      event.preventDefault();
    });
    whole();
    draw();
  };

  // A field that leaves only the lines of a log that have a text.
  const search = (log) => {
    const field = element("input", { type: "search", placeholder: "search", "aria-label": "search the log" });
    const count = element("span", { class: "quiet" });
    const rows = [...log.querySelectorAll("tr")];
    field.addEventListener("input", () => {
      const wanted = field.value.toLowerCase();
      let found = 0;
      for (const row of rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        if (!row.hidden) found += 1;
      }
      count.textContent = wanted ? ` ${found} of ${rows.length} lines` : "";
    });
    log.querySelector("summary").after(element("p", { class: "tools" }, [field, count]));
  };

  const chapters = JSON.parse(document.getElementById("numbers").textContent);
  for (const place of document.querySelectorAll(".explorer")) explore(place, chapters[place.dataset.chapter]);
  for (const log of document.querySelectorAll("details.log")) search(log);
  addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("details:not(.log)")) folded.open = true;
  });
})();
