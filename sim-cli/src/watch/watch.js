"use strict";
// The controls of a scenario. What is chosen stands in the address; each change asks the server for a
// run of it, and the newest answer is shown.
(() => {
  const at = (id) => document.getElementById(id);
  const [controls, report, problem] = [at("controls"), at("report"), at("problem")];
  // Tells this page from others, so that its newer question calls off its older one.
  const page = crypto.getRandomValues(new Uint32Array(2)).join("");
  // How long a run may keep a newer question waiting before it is called off, in milliseconds.
  const PATIENCE = 150;
  const LOOK = 500;

  const element = (name, attributes = {}, children = []) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const button = (label, title, act) => {
    const made = element("button", { type: "button", title }, [label]);
    made.addEventListener("click", act);
    return made;
  };
  const say = (text) => { at("status").textContent = text; };

  // All that decides what is shown. The server reads and writes it alike.
  const choice = () => ({ variant: "", seed: "", set: [] });
  const read = (query) => {
    const state = { own: choice(), pinned: null, rest: [] };
    for (const [name, value] of new URLSearchParams(query)) {
      const key = name.replace(/^b\./, "");
      if (key !== name) state.pinned ??= choice();
      const own = key === name ? state.own : state.pinned;
      const cut = value.indexOf("=");
      if (key === "variant" || key === "seed") own[key] = value;
      else if (key === "set" && cut > 0) own.set.push([value.slice(0, cut), value.slice(cut + 1)]);
      else state.rest.push([name, value]);
    }
    return state;
  };
  const write = (state) => {
    const query = new URLSearchParams();
    const add = (own, before) => {
      const is_bare = before !== "" && own.seed === "" && own.set.length === 0;
      if (own.variant !== "" || is_bare) query.append(`${before}variant`, own.variant);
      if (own.seed !== "") query.append(`${before}seed`, own.seed);
      for (const [path, value] of own.set) query.append(`${before}set`, `${path}=${value}`);
    };
    add(state.own, "");
    if (state.pinned) add(state.pinned, "b.");
    // What is no part of a state is told by the server.
    for (const [name, value] of state.rest) query.append(name, value);
    return query.toString();
  };

  const state = read(location.search);
  const opened = [];
  let last = null, stamp = null, kept = [{ hidden: [] }];

  // A question at a time. A newer one waits for the answer that is under way, though not for long.
  let asked = 0, running = 0, is_wanted = false, timer = null;
  const ask = async () => {
    clearTimeout(timer);
    [timer, is_wanted] = [null, false];
    const number = asked += 1;
    running += 1;
    say("running …");
    const began = performance.now();
    try {
      const response = await fetch(`run/${page}?${write(state)}`);
      if (!response.ok) throw new Error(`the server says ${response.status}: ${await response.text()}`);
      const answer = await response.json();
      if (number === asked && !answer.called_off) show(answer, Math.round(performance.now() - began));
    } catch (error) {
      if (number === asked) lost(error);
    }
    running -= 1;
    if (is_wanted && running === 0) ask();
  };
  const change = () => {
    history.replaceState(null, "", `?${write(state)}`);
    update();
    if (running === 0) return void ask();
    is_wanted = true;
    timer ??= setTimeout(ask, PATIENCE);
  };

  const lost = (error) => {
    stamp = null;
    report.classList.add("stale");
    say(`No answer (${error.message}). Start sim watch again; this page goes on by itself.`);
  };
  const show = (answer, lasted) => {
    stamp = answer.stamp;
    problem.hidden = answer.problem === undefined;
    problem.textContent = answer.problem ?? "";
    report.classList.toggle("stale", answer.problem !== undefined);
    if (answer.problem !== undefined) {
      say(last ? "What is below is the last run that there was." : "There is nothing to run yet.");
      build();
      return;
    }
    last = answer;
    state.own.seed = answer.sides[0].seed;
    if (state.pinned) state.pinned.seed = answer.sides[1].seed;
    history.replaceState(null, "", `?${write(state)}`);
    document.title = `${answer.sides[0].verdict.replace("_", " ")}: ${answer.name}`;
    at("name").textContent = answer.name;
    const open = new Map([...report.querySelectorAll("details")].map((own, n) => [`${n} ${own.firstElementChild.textContent}`, own.open]));
    report.innerHTML = answer.html;
    report.querySelectorAll("details").forEach((own, n) => {
      own.open = open.get(`${n} ${own.firstElementChild.textContent}`) ?? own.open;
    });
    report.classList.toggle("pair", state.pinned !== null);
    kept = tell(report, answer.series, kept);
    decorate();
    build();
    say(`Seed ${state.own.seed} answered in ${lasted} ms.`);
  };

  // What a control turns: the file's value, what it takes, and where it stands.
  const known = (path) => {
    const has = (list) => list.find((own) => own.path === path);
    return last ? has(last.knobs) ?? has(last.numbers) ?? null : null;
  };
  const value = (path) => {
    const own = state.own.set.findLast(([name]) => name === path);
    return own ? own[1] : known(path)?.value ?? "";
  };
  const turn = (path, wanted) => {
    const own = state.own.set.findLast(([name]) => name === path);
    const is_file = wanted === "" || wanted === known(path)?.value;
    if (is_file) state.own.set = state.own.set.filter(([name]) => name !== path);
    else if (own) own[1] = wanted;
    else state.own.set.push([path, wanted]);
    change();
  };
  const paths = () => {
    const all = [...(last?.knobs ?? []).map((own) => own.path), ...opened, ...state.own.set.map(([path]) => path)];
    return [...new Set(all)];
  };

  // How large a value is, so that one that is not among the stops stands between its neighbours.
  const UNITS = { ns: 1e-9, us: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600, d: 86400 };
  const size = (text) => {
    const [amount, unit] = text.split("/");
    if (unit !== undefined) return Number(amount) / (UNITS[unit] ?? NaN);
    const parts = [...text.matchAll(/([0-9.]+)([a-z]+)/g)];
    if (parts.map((own) => own[0]).join("") !== text || text === "") return Number(text);
    return parts.reduce((sum, own) => sum + Number(own[1]) * (UNITS[own[2]] ?? NaN), 0);
  };
  const stops = (path) => {
    const list = [...(known(path)?.stops ?? [])];
    const own = value(path);
    if (list.length > 0 && !list.includes(own)) {
      const next = list.findIndex((stop) => size(stop) > size(own));
      list.splice(next < 0 ? list.length : next, 0, own);
    }
    return list;
  };

  const knob = (path) => {
    const slider = element("input", { type: "range", min: 0, step: 1, "aria-label": path, "data-path": path });
    const field = element("input", { type: "text", "aria-label": `value of ${path}`, "data-path": path, spellcheck: "false" });
    slider.addEventListener("input", () => turn(path, stops(path)[Number(slider.value)]));
    field.addEventListener("change", () => turn(path, field.value.trim()));
    const away = button("×", "back to the file's value", () => {
      const place = opened.indexOf(path);
      if (place >= 0) opened.splice(place, 1);
      turn(path, "");
      build();
    });
    return element("div", { class: "knob", "data-knob": path }, [element("code", {}, [path]), slider, field, away]);
  };
  const seed = () => {
    const step = (by) => {
      const next = BigInt(state.own.seed || "1") + by;
      state.own.seed = (next < 0n ? 0n : next).toString();
      change();
    };
    const slider = element("input", { type: "range", min: 1, max: 100, "aria-label": "seed", id: "seeds" });
    const field = element("input", { type: "text", inputmode: "numeric", "aria-label": "the seed's number", id: "seed" });
    const choose = (own) => { state.own.seed = own; change(); };
    slider.addEventListener("input", () => choose(slider.value));
    field.addEventListener("change", () => choose(field.value.trim()));
    return element("div", { class: "knob" }, [
      element("code", {}, ["seed"]), slider, field,
      element("span", {}, [button("◀", "the seed before", () => step(-1n)), button("▶", "the next seed", () => step(1n))]),
    ]);
  };
  const variants = () => {
    const names = ["", ...(last?.variants ?? [])];
    if (!names.includes(state.own.variant)) names.push(state.own.variant);
    const list = element("select", { id: "variant", "aria-label": "variant" },
      names.map((name) => element("option", { value: name }, [name === "" ? "the file as it stands" : name])));
    list.addEventListener("change", () => { state.own.variant = list.value; change(); });
    return element("label", {}, ["variant ", list]);
  };
  const pins = () => {
    const copy = (own) => ({ ...own, set: own.set.map((pair) => [...pair]) });
    const act = (does) => () => { does(); change(); build(); };
    const pin = button("pin", "keep what is shown beside what comes", act(() => { state.pinned = copy(state.own); }));
    const swap = button("swap", "change what is pinned instead", act(() => {
      [state.own, state.pinned] = [state.pinned, state.own];
    }));
    const unpin = button("unpin", "show one run", act(() => { state.pinned = null; }));
    return element("span", { class: "group" }, state.pinned ? [pin, swap, unpin] : [pin]);
  };

  // The controls are made anew when there are others; until then only their values change, so that a
  // slider that is held stays.
  let built = "";
  const build = () => {
    const made = JSON.stringify([paths(), last?.variants, state.pinned !== null, paths().map((path) => known(path) !== null)]);
    if (made !== built) {
      const head = element("div", { class: "head" }, [variants(), pins()]);
      const hint = element("p", { class: "quiet" }, ["Click a number in the scenario's text: it becomes a control."]);
      controls.replaceChildren(head, seed(), ...paths().map(knob), hint);
      built = made;
    }
    update();
  };
  const put = (field, text) => { if (field && document.activeElement !== field) field.value = text; };
  const update = () => {
    put(at("seed"), state.own.seed);
    const slider = at("seeds");
    if (slider) [slider.max, slider.value] = [Math.max(100, Number(state.own.seed) || 0), state.own.seed];
    if (at("variant")) at("variant").value = state.own.variant;
    for (const row of controls.querySelectorAll("[data-knob]")) {
      const path = row.dataset.knob;
      const [range, field] = row.querySelectorAll("input");
      const list = stops(path);
      range.max = Math.max(0, list.length - 1);
      range.value = list.indexOf(value(path));
      range.disabled = list.length < 2;
      range.setAttribute("aria-valuetext", value(path));
      put(field, value(path));
      row.classList.toggle("set", state.own.set.some(([name]) => name === path));
    }
  };

  // Every number of the text is a button that opens its control.
  const decorate = () => {
    const lines = new Map();
    for (const own of last.numbers) if (own.place) {
      const [line, from, to] = own.place;
      lines.set(line, [...(lines.get(line) ?? []), { from, to, path: own.path }]);
    }
    for (const [line, numbers] of lines) {
      const code = report.querySelector(`#c0-L${line} code`);
      if (!code) continue;
      const text = code.textContent;
      const parts = [];
      let end = 0;
      for (const { from, to, path } of numbers.sort((a, b) => a.from - b.from)) {
        const own = state.own.set.findLast(([name]) => name === path);
        const made = button(text.slice(from, to), `${path}: click for a control`, () => open(path));
        made.className = own ? "quantity set" : "quantity";
        made.dataset.path = path;
        if (own) made.append(element("ins", {}, [` ${own[1]}`]));
        parts.push(text.slice(end, from), made);
        end = to;
      }
      code.replaceChildren(...parts, text.slice(end));
    }
  };
  const open = (path) => {
    if (!paths().includes(path)) opened.push(path);
    build();
    const row = [...controls.querySelectorAll("[data-knob]")].find((own) => own.dataset.knob === path);
    row.querySelector("input").focus();
  };

  // Whether the file was saved.
  const look = async () => {
    if (!document.hidden && running === 0) {
      try {
        const response = await fetch("stamp");
        const own = await response.json();
        if (own !== stamp && running === 0) await ask();
      } catch (error) {
        lost(error);
      }
    }
    setTimeout(look, LOOK);
  };

  controls.addEventListener("submit", (event) => event.preventDefault());
  build();
  ask().then(look);
})();
