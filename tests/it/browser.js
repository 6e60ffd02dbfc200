// Uses a report as a reader does, and writes what came of it into the title: that of the page, and
// that of the page which has it in a frame.
(async () => {
  const faults = [];
  const check = (is, what) => { if (!is) faults.push(what); };
  const all = (what) => [...document.querySelectorAll(what)];
  document.addEventListener("securitypolicyviolation", () => faults.push("something was to be loaded"));

  const panels = document.querySelector(".panels");
  check(panels && panels.querySelectorAll("svg.plot").length > 3, "the panels are drawn");
  check(panels.querySelector("path.e-ok[data-line]"), "layers that lie on each other are drawn");
  check(panels.querySelector("g[data-line] rect.broken"), "bars are drawn");
  check(all("details.timeline").every((still) => !still.open), "what is drawn twice is folded");
  const plot = panels.querySelector("svg.plot");
  const box0 = plot.getBoundingClientRect();
  check(Math.abs(box0.width / plot.viewBox.baseVal.width - 1) < 0.05, "words have their own size");
  const middle = () => ({ clientX: box0.left + box0.width * 0.4, clientY: box0.top + 40, bubbles: true });
  plot.dispatchEvent(new PointerEvent("pointermove", middle()));
  const cursors = all(".cursor").filter((cursor) => cursor.getAttribute("visibility") === "visible");
  check(cursors.length > 2, "one cursor stands in all panels");
  check(new Set(cursors.map((cursor) => cursor.getAttribute("transform"))).size === 1, "at one instant");
  check(all(".readout").some((text) => /offered \d/.test(text.textContent)), "a value is read out");
  check(all(".readout .value").every((value) => value.textContent !== ""), "each panel is read out");
  check(document.querySelector(".reading").textContent.includes("at "), "the instant is told");

  const lines = () => all(".panels [data-line]").length;
  const before = lines();
  const box = (group, n) => all(`[aria-label="${group}"] input`)[n];
  box("series", 0).click();
  check(lines() < before, "a series goes");
  box("series", 0).click();
  check(lines() === before, "and comes again");
  box("variants", 1).click();
  check(lines() > before, "a variant comes");
  box("variants", 1).click();
  box("variants", 0).click();
  check(lines() === 0, "without any there is nothing");
  box("variants", 0).click();
  check(lines() === before, "the first comes again");

  const path = () => document.querySelector(".panels [data-line]").getAttribute("d");
  const whole = path();
  all('[aria-label="zoom"] button')[0].click();
  check(path() !== whole, "it zooms");
  all('[aria-label="zoom"] button')[2].click();
  check(path() === whole, "and shows all again");

  const seeds = document.querySelector('[aria-label="seed"]');
  check(seeds.options.length === 3, "there are seeds to choose from");
  seeds.value = "1";
  seeds.dispatchEvent(new Event("change"));
  check(document.querySelector(".reading").textContent.startsWith("Seed 2"), "another seed is shown");
  check(path() !== whole, "with its own numbers");

  const log = document.querySelector("details.log");
  log.open = true;
  const field = log.querySelector("input");
  field.value = "no line has this";
  field.dispatchEvent(new Event("input"));
  check([...log.querySelectorAll("tr")].every((row) => row.hidden), "a search finds nothing");
  field.value = "";
  field.dispatchEvent(new Event("input"));
  check([...log.querySelectorAll("tr")].every((row) => !row.hidden), "and then all");

  check(performance.getEntriesByType("resource").length === 0, "no request leaves the page");
  const body = document.documentElement;
  check(body.scrollWidth <= innerWidth, `the page is ${body.scrollWidth} px wide in ${innerWidth}`);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const paper = getComputedStyle(document.body).backgroundColor;
  check(paper === (dark ? "rgb(20, 23, 28)" : "rgb(255, 255, 255)"), `the paper is ${paper}`);
  document.title = faults.length ? faults.join("; ") : `all is well, dark ${dark}, ${innerWidth} px`;
})().catch((error) => { document.title = `a script failed: ${error}`; })
  .finally(() => { if (parent !== window) parent.postMessage(document.title, "*"); });
