// Steps through a recurrent cell. What each attribute means is said in explain_bound.py; the numbers come from
// explain_player.py. Text is only ever set as text.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("numbers").textContent);
  const byId = (id) => document.getElementById(id);
  const [slider, movie, happens, ribbon] = ["step", "movie", "happens", "ribbon"].map(byId);
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));

  function floats(text) {
    const raw = atob(text);
    const bytes = Uint8Array.from({ length: raw.length }, (_, at) => raw.charCodeAt(at));
    return new Float32Array(bytes.buffer);
  }

  // ------------------------------------------------------------------ numbers

  // The arrays of a unit by name, unpacked when it is first looked at.
  function parts(run, unit) {
    if (!unit.parts) {
      const all = floats(unit.data);
      unit.parts = {};
      run.names.forEach((name, at) => { unit.parts[name] = all.subarray(at * run.steps, (at + 1) * run.steps); });
      unit.data = null;
    }
    return unit.parts;
  }

  const finish = {
    LSTM(k, run) {
      for (const a of "ifg") if (a + "x" in k) k[a + "a"] = k[a + "x"] + k[a + "h"] + k[a + "b"];
      for (const a of "if") {
        if (a + "p" in k) {
          k[a + "w"] = k[a + "p"] * k.cp;
          k[a + "a"] += k[a + "w"];
        }
      }
      k.i = sigmoid(k.ia);
      k.g = Math.tanh(k.ga);
      k.f = run.coupled ? 1 - k.i : sigmoid(k.fa);
      k.fc = k.f * k.cp;
      k.ig = k.i * k.g;
      k.cn = k.fc + k.ig;
      k.oa = k.ox + k.oh + k.ob;
      if ("op" in k) {
        k.ow = k.op * k.cn;
        k.oa += k.ow;
      }
      k.o = sigmoid(k.oa);
      k.tc = Math.tanh("cl" in k ? k.cl : k.cn);
      k.m = k.o * k.tc;
    },
    GRU(k, run) {
      for (const a of "rz") {
        k[a + "a"] = k[a + "x"] + k[a + "h"] + k[a + "b"];
        k[a] = sigmoid(k[a + "a"]);
      }
      k.nr = run.resetAfter ? k.r * (k.nh + k.nm) : k.nh + k.nm;
      k.na = k.nx + k.nr + k.nb;
      k.n = Math.tanh(k.na);
      k.u = 1 - k.z;
      k.kh = k.z * k.hp;
      k.un = k.u * k.n;
      k.m = k.kh + k.un;
    },
    RNN(k, run) {
      k.na = k.nx + k.nh + k.nb;
      k.n = k.m = run.mode === "RNN_TANH" ? Math.tanh(k.na) : Math.max(0, k.na);
    },
  };

  // Every number of a unit at a step.
  function frame(run, unit, step) {
    const values = parts(run, unit);
    const k = Object.assign({}, unit.constants);
    for (const name of run.names) k[name] = values[name][step];
    const before = step + (run.backwards ? 1 : -1);
    for (const state of ["c", "h"]) {
      if (state in values) {
        k[state + "p"] = before >= 0 && before < run.steps ? values[state][before] : unit.constants[state + "0"];
      }
    }
    finish[run.mode.split("_")[0]](k, run);
    return k;
  }

  function written(value, digits) {
    if (!Number.isFinite(value)) return "–";
    const [whole, rest] = Math.abs(value).toFixed(digits).split(".");
    const text = whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest ? "." + rest : "");
    return (value < 0 && /[1-9]/.test(text) ? "−" : "") + text;
  }

  // ------------------------------------------------------------------ what is shown

  let run, unit, step, bindings, scheduled = false;
  const stages = [...document.querySelectorAll(".stage")];

  function bindingsOf(kindOfCell) {
    const found = [];
    const inSight = stages.filter((stage) => +stage.dataset.kind === kindOfCell);
    for (const kind of ["n", "p", "pc", "word", "flow", "sign", "gate", "ring", "bar"]) {
      for (const root of [...inSight, happens]) {
        for (const node of root.querySelectorAll(`[data-${kind}]`)) found.push([kind, node, node.dataset[kind]]);
      }
    }
    return found;
  }

  function say(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  const show = {
    n: (node, value) => say(node, written(value, unit.digits)),
    p(node, value) {
      const text = written(value, unit.digits);
      say(node, text[0] === "−" ? `(${text})` : text);
    },
    pc: (node, value) => say(node, Math.round(100 * value) + "\u00a0%"),
    word: (node, value, key) => say(node, data.words[key].find(([limit]) => value < limit)[1]),
    flow(node, value) {
      const share = Math.min(1, Math.abs(value) / unit.scales[node.dataset.by]);
      node.style.strokeWidth = (data.flow[0] + data.flow[1] * share).toFixed(2);
      node.classList.toggle("neg", value < 0);
    },
    sign: (node, value) => node.classList.toggle("neg", value < 0),
    gate(node, value) {
      node.style.strokeWidth = (data.gate[0] + data.gate[1] * value).toFixed(2);
    },
    ring(node, value) {
      const half = "half" in node.dataset;
      const length = Math.min(100, Math.abs(value) * (half ? 50 : 100));
      node.style.strokeDasharray = `${length.toFixed(1)} ${(100 - length).toFixed(1)}`;
      node.style.strokeDashoffset = value < 0 ? length.toFixed(1) : 0;
      if (half) node.classList.toggle("neg", value < 0);
    },
    bar(node, value) {
      const middle = +node.dataset.middle;
      const length = node.dataset.reach * Math.min(1, Math.abs(value) / unit.scales.a);
      node.setAttribute("x", (value < 0 ? middle - length : middle).toFixed(1));
      node.setAttribute("width", length.toFixed(1));
    },
  };

  const labels = () => data.labels[run.labels];
  function where() {
    const [at, name] = [run.first + step, labels()[step]];
    const named = name === `step ${at}` ? "" : ", " + name;
    return `Step ${(at + 1).toLocaleString("en")} of ${run.whole.toLocaleString("en")}${named}`;
  }

  function draw() {
    scheduled = false;
    const numbers = frame(run, unit, step);
    for (const [kind, node, key] of bindings) show[kind](node, numbers[key], key);
    const said = where();
    say(byId("where"), said + ".");
    slider.value = step;
    slider.setAttribute("aria-valuetext", said);
    movie.style.setProperty("--at", ((step + 0.5) / run.steps).toFixed(5));
    drawRibbon();
  }

  function go(to) {
    step = Math.max(0, Math.min(run.steps - 1, to));
    // However often the slider moves, the picture is drawn once a frame.
    if (!scheduled) requestAnimationFrame(draw);
    scheduled = true;
  }

  function piece(text, classes, at) {
    const node = document.createElement("span");
    node.textContent = text;
    if (classes) node.className = classes;
    if (at !== undefined) node.dataset.step = at;
    return node;
  }

  function drawRibbon() {
    const names = labels();
    if (data.tokens) {
      const levels = data.levels && data.levels.length === names.length ? data.levels : null;
      const made = [];
      for (let at = Math.max(0, step - data.around); at < Math.min(names.length, step + data.around + 1); at++) {
        const level = levels ? levels[at] : 0;
        const classes = ["token"];
        if (level) classes.push((level > 0 ? "for" : "against") + Math.abs(level));
        if (at === step) classes.push("here");
        made.push(piece(names[at], classes.join(" "), at));
      }
      ribbon.replaceChildren(...made);
      return;
    }
    const made = [piece(names[step], "when")];
    for (const channel of data.channels) {
      channel.values = channel.values || floats(channel.data);
      if (channel.values.length === names.length) {
        made.push(piece(`${channel.name} ${written(channel.values[step], channel.digits)}`));
      }
    }
    ribbon.replaceChildren(...made);
  }

  // ------------------------------------------------------------------ pictures over all steps

  const width = 1000, height = 60;

  // Least and greatest of each stretch, where there are more steps than points.
  function thinned(values) {
    const size = Math.ceil(values.length / (data.points / 2));
    if (size < 3) return Array.from(values, (value, at) => [at, value]);
    const kept = [];
    for (let start = 0; start < values.length; start += size) {
      let low = start, high = start;
      for (let at = start; at < Math.min(start + size, values.length); at++) {
        if (values[at] < values[low]) low = at;
        if (values[at] > values[high]) high = at;
      }
      for (const at of low < high ? [low, high] : [high, low]) kept.push([at, values[at]]);
    }
    return kept;
  }

  function drawTraces() {
    const frames = Array.from({ length: run.steps }, (_, at) => frame(run, unit, at));
    for (const row of movie.querySelectorAll(".row")) {
      const key = row.dataset.row;
      if (key === "read" || key === "adds") {
        row.hidden = run.steps !== data.labels[data.runs[data.first].labels].length;
        continue;
      }
      const values = Float64Array.from(frames, (numbers) => numbers[key]);
      const area = row.classList.contains("area");
      const most = values.reduce((best, value) => Math.max(best, Math.abs(value)), 0) || 1;
      const y = area ? (v) => height - v * (height - 2) : (v) => height / 2 - (v / most) * (height / 2 - 3);
      const line = thinned(values)
        .map(([at, value]) => `${(((at + 0.5) / run.steps) * width).toFixed(1)} ${y(value).toFixed(1)}`)
        .join("L");
      const half = ((0.5 / run.steps) * width).toFixed(1);
      row.querySelector(".trace").setAttribute("d", area ? `M${half} ${height}L${line}V${height}Z` : "M" + line);
    }
    say(byId("from"), labels()[0]);
    say(byId("to"), labels()[run.steps - 1]);
  }

  // ------------------------------------------------------------------ choices

  function options(select, names) {
    select.replaceChildren(...names.map((name, at) => new Option(name, at)));
  }

  function chooseUnit(number, drawn) {
    unit = run.units[number];
    if (!drawn) drawTraces();
    go(step);
  }

  function chooseRun(number) {
    const before = run;
    run = data.runs[number];
    // The same place in the sequence where both layers have the same steps.
    step = before && before.labels === run.labels && before.first === run.first ? Math.min(step, run.steps - 1) : run.at;
    stages.forEach((stage) => { stage.hidden = +stage.dataset.kind !== run.kind; });
    bindings = bindingsOf(run.kind);
    slider.max = run.steps - 1;
    options(byId("unit"), run.units.map((each) => String(each.unit)));
    say(byId("of"), `of ${run.total.toLocaleString("en")}, those that matter most first`);
    chooseUnit(0, !before); // the page comes with the pictures of its first unit
  }

  let timer = 0;
  const playButton = byId("play");
  const icons = { play: "M7 5l12 7-12 7z", pause: "M7 5h4v14H7zM14 5h4v14h-4z" };

  function play(wanted) {
    clearInterval(timer);
    timer = 0;
    if (wanted) {
      const stride = Math.max(1, Math.round(run.steps / 600));
      if (step >= run.steps - 1) go(0);
      timer = setInterval(() => {
        if (step >= run.steps - 1) play(false);
        else go(step + stride);
      }, Math.max(70, Math.min(700, 30000 / run.steps)));
    }
    // Nobody wants every step of a film read aloud.
    happens.setAttribute("aria-live", wanted ? "off" : "polite");
    playButton.setAttribute("aria-label", wanted ? "Pause" : "Play");
    playButton.title = wanted ? "Pause" : "Play";
    playButton.querySelector("path").setAttribute("d", wanted ? icons.pause : icons.play);
  }

  const moves = {
    ArrowLeft: () => go(step - 1),
    ArrowRight: () => go(step + 1),
    PageUp: () => go(step + Math.ceil(run.steps / 10)),
    PageDown: () => go(step - Math.ceil(run.steps / 10)),
    Home: () => go(0),
    End: () => go(run.steps - 1),
  };

  function bySelf(action) {
    return () => {
      play(false);
      action();
    };
  }

  byId("cell").addEventListener("keydown", (event) => {
    if (event.target.tagName === "SELECT" || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === " " && event.target.tagName !== "BUTTON") play(!timer);
    else if (event.key in moves) bySelf(moves[event.key])();
    else return;
    event.preventDefault();
  });
  slider.addEventListener("input", bySelf(() => go(+slider.value)));
  byId("start").addEventListener("click", bySelf(moves.Home));
  byId("back").addEventListener("click", bySelf(moves.ArrowLeft));
  byId("on").addEventListener("click", bySelf(moves.ArrowRight));
  byId("end").addEventListener("click", bySelf(moves.End));
  playButton.addEventListener("click", () => play(!timer));
  byId("unit").addEventListener("change", (event) => chooseUnit(+event.target.value));
  byId("run").addEventListener("change", bySelf(() => chooseRun(+byId("run").value)));
  ribbon.addEventListener("click", (event) => {
    const at = event.target.dataset.step;
    if (at !== undefined) bySelf(() => go(+at))();
  });

  const pointed = (event) => {
    const box = movie.getBoundingClientRect();
    bySelf(() => go(Math.floor(((event.clientX - box.left) / box.width) * run.steps)))();
  };
  movie.addEventListener("pointerdown", (event) => {
    if (!event.target.closest("svg")) return;
    movie.setPointerCapture(event.pointerId);
    pointed(event);
  });
  movie.addEventListener("pointermove", (event) => {
    if (movie.hasPointerCapture(event.pointerId)) pointed(event);
  });

  options(byId("run"), data.runs.map((each) => each.name));
  byId("run").value = data.first;
  byId("of-run").hidden = data.runs.length < 2;
  for (const part of document.querySelectorAll(".pickers, .transport")) part.hidden = false;
  movie.tabIndex = 0;
  movie.classList.add("alive");
  chooseRun(data.first);
})();
