"use strict";
// Draws the report. Everything that comes from the document is put in as text, never as markup.
(async () => {
  if (!("DecompressionStream" in window)) {
    document.body.append("This browser is too old to unpack the report: it has no DecompressionStream. All of it is in report.json and report.md too.");
    return;
  }
  const packed = Uint8Array.from(atob(document.getElementById("data").textContent), (character) => character.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const { document: run, streams, areas, marks } = await new Response(unpacked).json();

  // -- Elements and words ----------------------------------------------------------------------

  const h = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return element;
  };
  const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const worries = ["broken", "accused", "warning", "not asked", "suite error", "inconclusive", "over budget", "excused"];
  const words = [...worries, "kept", "not applicable"];
  const long = { warning: "broken, of level should", excused: "broken, but excused", accused: "kept, but waived" };
  const wordOf = (finding) => {
    if (finding.accused || finding.excused) return finding.accused ? "accused" : "excused";
    return finding.word === "broken" && finding.level !== "must" ? "warning" : finding.word;
  };
  const slug = (word) => word.replace(/ /g, "-");
  const tally = (findings) => {
    const counts = Object.fromEntries(words.map((word) => [word, 0]));
    for (const finding of findings) counts[wordOf(finding)] += 1;
    return counts;
  };
  const nouns = { warning: "warning", accused: "stale waiver" };
  const told = (word, number) => (nouns[word] ? count(number, nouns[word]) : `${number.toLocaleString("en")} ${word}`);
  const duration = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(2)} s`);
  const plain = (value) => {
    if (value === true) return "yes";
    if (value === false) return "no";
    if (Array.isArray(value)) return value.map(plain).join(", ");
    return typeof value === "number" ? value.toLocaleString("en", { maximumFractionDigits: 6 }) : String(value);
  };
  const titles = Object.fromEntries(run.targets.map((target) => [target.name, target.title]));
  const mark = (word) => h("span", { class: `mark ${slug(word)}`, title: word }, marks[word]);
  const source = (said) => {
    const link = /^https?:\/\//.test(said.url || "");
    return [link ? h("a", { href: said.url, rel: "noreferrer" }, said.text) : said.text, " ", h("span", { class: "sure" }, said.sure)];
  };

  run.findings.forEach((finding) => {
    finding.shown = wordOf(finding);
    finding.key = `${finding.target} ${finding.contract}:${finding.rule}`;
  });
  const attention = (finding) => !["kept", "not applicable", "excused"].includes(finding.shown);

  // -- The address: what is shown stands behind the # ------------------------------------------

  const keys = ["provider", "api", "area", "level", "word", "q", "rule"];
  const read = () => {
    const said = new URLSearchParams(location.hash.slice(1));
    return Object.fromEntries(keys.map((key) => [key, said.get(key) || ""]));
  };
  const address = (state) => {
    const said = new URLSearchParams();
    for (const key of keys) if (state[key]) said.set(key, state[key]);
    return `#${said}`;
  };

  // -- Head ------------------------------------------------------------------------------------

  const counts = tally(run.findings);
  const when = (stamp) => stamp.replace("T", " ").replace("Z", " UTC");
  const began = when(run.started);
  const asked = [...new Set(run.targets.map((target) => target.endpoint))];
  const tone = { 0: "kept", 1: "broken", 3: "suite-error" }[run.exit_code] || "inconclusive";
  const head = h("header", { class: `head ${tone}` },
    h("p", { class: "over" }, "Provider conformance"),
    h("h1", {}, run.verdict[0].toUpperCase() + run.verdict.slice(1)),
    h("p", { class: "counts" }, words.filter((word) => counts[word]).map((word) =>
      h("a", { href: address({ word }), "data-go": "rules" }, mark(word), " ", told(word, counts[word])))),
    h("p", { class: "soft" }, `${began} · ${count(run.requests, "request")} in ${duration(run.seconds)} · conformance ${run.version} · exit code ${run.exit_code}`),
    asked.length === 1 ? h("p", { class: "soft" }, "asked at ", h("span", { class: "mono" }, asked[0])) : null,
    run.problems.map((text) => h("p", { class: "problem" }, text)),
    run.baseline ? h("p", { class: "soft" }, `compared with the run of ${when(run.baseline.started)}`) : null);

  const targets = h("div", { class: "scroll" }, h("table", { class: "plain" },
    h("thead", {}, h("tr", {}, ["Provider", "Model asked", "Endpoint", "Region", "Credentials", "Reality"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, run.targets.map((target) => h("tr", {},
      h("th", { scope: "row" }, target.title),
      h("td", {}, h("div", { class: "mono whole" }, target.model || "–"), h("div", { class: "soft small" }, target.card ? `card ${target.card.name}, ${target.card.seller}` : "no card")),
      h("td", { class: "mono" }, target.endpoint),
      h("td", { class: "mono whole" }, target.region || "–"),
      h("td", {}, target.auth || "–"),
      h("td", {}, target.reality))))));

  // -- Matrix ----------------------------------------------------------------------------------

  const cell = (findings, state, label) => {
    if (!findings.length) return h("td", { class: "empty" });
    const got = tally(findings);
    const worst = words.find((word) => got[word] && word !== "kept" && word !== "not applicable") || (got.kept ? "kept" : "not applicable");
    const shown = [got.kept ? h("b", {}, String(got.kept)) : null];
    for (const word of worries) if (got[word]) shown.push(h("span", { class: `few ${slug(word)}` }, `${marks[word]}${got[word]}`));
    if (!got.kept && worst === "not applicable") shown.push(h("span", { class: "few not-applicable" }, marks["not applicable"]));
    const strip = h("i", { class: "strip", "aria-hidden": "true" });
    for (const word of ["kept", ...worries]) {
      if (!got[word] || worst === "kept") continue;
      const part = h("i", { class: slug(word) });
      part.style.flexGrow = got[word];
      strip.append(part);
    }
    const spoken = `${label}: ${words.filter((word) => got[word]).map((word) => told(word, got[word])).join(", ")}`;
    // One click shows evidence: the first rule of the list that the cell opens stands open.
    const first = findings.reduce((one, other) => (words.indexOf(other.shown) < words.indexOf(one.shown) ? other : one));
    return h("td", {}, h("a", { class: `cell ${slug(worst)}`, href: address({ ...state, word: "all", rule: first.key }), "data-go": "rules", "data-state": address({ ...state, word: "" }), "aria-label": spoken, title: spoken }, h("span", {}, shown), strip));
  };

  const rows = run.targets.flatMap((target) => {
    const ours = run.findings.filter((finding) => finding.target === target.name);
    const apis = [...new Set(ours.map((finding) => finding.api))];
    if (!apis.length) return [];
    return [
      h("tr", { class: "group" }, h("th", { colspan: String(areas.length + 2), scope: "rowgroup" }, target.title, " ", h("span", { class: "soft mono" }, target.model || ""))),
      ...apis.map((api) => {
        const own = ours.filter((finding) => finding.api === api);
        const state = { provider: target.name, api };
        return h("tr", {},
          h("th", { scope: "row" }, api),
          areas.map((area) => cell(own.filter((finding) => finding.area === area), { ...state, area }, `${api}, ${area}`)),
          cell(own, state, `${api}, all areas`));
      }),
    ];
  });
  const matrix = h("table", { class: "matrix" },
    h("thead", {}, h("tr", {}, h("td"), areas.map((area) => h("th", { scope: "col" }, area)), h("th", { scope: "col" }, "all"))),
    h("tbody", {}, rows),
    h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, "All"),
      areas.map((area) => cell(run.findings.filter((finding) => finding.area === area), { area }, `All, ${area}`)),
      cell(run.findings, {}, "All"))));
  matrix.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const from = event.target.closest("td");
    if (!step || !from) return;
    let row = from.parentElement.rowIndex;
    let column = from.cellIndex;
    for (;;) {
      row += step[0];
      column += step[1];
      const to = matrix.rows[row];
      if (!to || column < 1 || (step[1] && !to.cells[column])) return;
      const link = to.cells[column] && to.cells[column].querySelector("a");
      if (link) {
        event.preventDefault();
        link.focus();
        return;
      }
    }
  });
  const legend = h("p", { class: "legend" },
    h("span", {}, h("b", {}, "12"), " rules kept"),
    worries.filter((word) => counts[word]).map((word) => h("span", {}, mark(word), " ", long[word] || word)),
    h("span", {}, mark("not applicable"), " nothing applicable"),
    h("span", {}, "blank: no rule"));

  // -- JSON, as it was written on the wire -----------------------------------------------------

  // Numbers and strings keep their own spelling: parsing would turn 1.0 into 1.
  const LITERAL = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
  const STRING = /"(?:[^"\\]|\\.)*"/y;
  const LONG = 600;

  const string = (text) => {
    if (text.length <= LONG) return h("span", { class: "s" }, text);
    const more = h("button", { class: "more", type: "button" }, `${(text.length - LONG / 2).toLocaleString("en")} more characters`);
    const shown = h("span", { class: "s" }, text.slice(0, LONG / 2), more);
    more.addEventListener("click", () => shown.replaceChildren(text));
    return shown;
  };

  const json = (text, root, wrong) => {
    const places = new Map();
    let at = 0;
    const space = () => {
      while (at < text.length && " \t\r\n".includes(text[at])) at += 1;
    };
    const take = (pattern) => {
      pattern.lastIndex = at;
      const found = pattern.exec(text);
      if (!found) throw new SyntaxError(`at ${at}`);
      at = pattern.lastIndex;
      return found[0];
    };
    const value = (pointer, indent) => {
      space();
      const start = text[at];
      let element;
      if (start === "{" || start === "[") {
        const end = start === "{" ? "}" : "]";
        const inner = [];
        at += 1;
        for (let index = 0; ; index += 1) {
          space();
          if (text[at] === end) break;
          if (index) {
            if (text[at] !== ",") throw new SyntaxError(`at ${at}`);
            at += 1;
            inner.push(",");
          }
          inner.push(`\n${"  ".repeat(indent + 1)}`);
          let name = String(index);
          space();
          if (start === "{") {
            const key = take(STRING);
            space();
            if (text[at] !== ":") throw new SyntaxError(`at ${at}`);
            at += 1;
            inner.push(h("span", { class: "k" }, key), ": ");
            name = JSON.parse(key);
          }
          inner.push(value(`${pointer}/${name.replace(/~/g, "~0").replace(/\//g, "~1")}`, indent + 1));
        }
        at += 1;
        element = h("span", {}, h("span", {}, start), inner, inner.length ? `\n${"  ".repeat(indent)}` : "", end);
      } else if (start === '"') {
        element = h("span", {}, string(take(STRING)));
      } else {
        element = h("span", {}, h("span", { class: "n" }, take(LITERAL)));
      }
      places.set(pointer, element);
      return element;
    };
    let whole;
    try {
      whole = value(root, 0);
      space();
      if (at < text.length) return null;
    } catch (error) {
      return null;
    }
    for (const mismatch of wrong) {
      let pointer = mismatch.place;
      while (!places.has(pointer)) pointer = pointer.slice(0, pointer.lastIndexOf("/"));
      const element = places.get(pointer);
      const missing = mismatch.place.slice(pointer.length);
      element.classList.add(missing ? "lacks" : "wrong");
      element.firstChild.after(h("span", { class: "note" }, `${missing ? `${missing} ` : ""}expected ${mismatch.expected}`));
    }
    return whole;
  };
  const under = (mismatches, root) => mismatches.filter(({ place }) => place === root || place.startsWith(`${root}/`));

  const code = (text, root, wrong) => {
    const drawn = text ? json(text, root, wrong) : null;
    return h("pre", { class: "code" }, drawn || text || h("span", { class: "soft" }, "empty"));
  };

  // -- Bytes -----------------------------------------------------------------------------------

  const bytes = (part) => ("text" in part ? new TextEncoder().encode(part.text) : Uint8Array.from(atob(part.base64), (letter) => letter.charCodeAt(0)));
  const joined = (parts) => {
    const all = parts.map(bytes);
    const whole = new Uint8Array(all.reduce((sum, each) => sum + each.length, 0));
    let at = 0;
    for (const each of all) {
      whole.set(each, at);
      at += each.length;
    }
    return whole;
  };
  const decoded = (data) => {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    } catch (error) {
      return null;
    }
  };
  const MOST = 64 * 1024;
  const dump = (data) => {
    const lines = [];
    for (let at = 0; at < Math.min(data.length, MOST); at += 16) {
      const row = [...data.slice(at, at + 16)];
      const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
      const text = row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
      lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.slice(0, 23).padEnd(23)}  ${hex.slice(24).padEnd(23)}  ${text}`);
    }
    if (data.length > MOST) lines.push(`... ${(data.length - MOST).toLocaleString("en")} more bytes in report.json`);
    return lines.join("\n");
  };
  const raw = (part) => h("pre", { class: "code" }, "text" in part ? part.text : dump(bytes(part)));

  // -- Evidence --------------------------------------------------------------------------------

  const fold = (label, attributes, ...children) => h("details", attributes, h("summary", {}, label), children);

  const headers = (list, wrong) => {
    const missing = wrong.filter(({ place }) => place.startsWith("/headers/") && !list.some(([name]) => place === `/headers/${name.toLowerCase()}`));
    const table = h("table", { class: "headers" }, list.map(([name, value]) => {
      const here = wrong.filter(({ place }) => place === `/headers/${name.toLowerCase()}`);
      return h("tr", { class: here.length ? "wrong" : null }, h("th", { scope: "row" }, name), h("td", {}, value, here.map(({ expected }) => h("span", { class: "note" }, `expected ${expected}`))));
    }), missing.map(({ place, expected }) => h("tr", { class: "wrong" }, h("th", { scope: "row" }, place.slice(9)), h("td", {}, h("span", { class: "note" }, `expected ${expected}, got nothing`)))));
    return fold(count(list.length, "header"), { open: under(wrong, "/headers").length > 0 }, table);
  };

  const FIRST = 200;
  const event = (each, index, before, wrong) => {
    const here = under(wrong, `/events/${index}`);
    const own = Object.entries(each.headers || {});
    const body = () => [
      own.length ? h("table", { class: "headers" }, own.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value)))) : null,
      each.opened && each.opened.length ? h("p", { class: "soft small" }, `${each.opened.join(", ")}: base64 on the wire, shown as the JSON in it`) : null,
      code(each.text, `/events/${index}`, here),
    ];
    const row = h("details", { class: here.length ? "event wrong" : "event", open: here.length > 0 },
      h("summary", {},
        h("span", { class: "number" }, String(index)),
        h("span", { class: "time", title: before === null || each.at === null ? null : `${duration(each.at - before)} after the one before` }, each.at === null ? "" : duration(each.at)),
        h("span", { class: "name" }, each.name || ""),
        h("span", { class: "line" }, each.text.slice(0, 300))));
    const fill = () => row.open && row.children.length === 1 && row.append(...body().filter(Boolean));
    row.addEventListener("toggle", fill);
    fill();
    return row;
  };
  const events = (stream, wrong) => {
    const all = stream.events.map((each, index) => [each, index, index ? stream.events[index - 1].at : null]);
    const list = h("div", { class: "events" }, all.slice(0, FIRST).map(([each, index, before]) => event(each, index, before, wrong)));
    if (all.length > FIRST) {
      const more = h("button", { type: "button" }, `Show the other ${(all.length - FIRST).toLocaleString("en")} events`);
      more.addEventListener("click", () => more.replaceWith(...all.slice(FIRST).map(([each, index, before]) => event(each, index, before, wrong))));
      list.append(more);
    }
    if (!all.length) list.append(h("p", { class: "soft" }, "no events"));
    if (stream.problem) list.append(h("p", { class: "problem" }, stream.problem));
    return list;
  };

  const views = (drawn, wire) => {
    const box = h("div", { class: "view" }, drawn());
    const button = (label, make, on) => {
      const made = h("button", { type: "button", "aria-pressed": String(on) }, label);
      made.addEventListener("click", () => {
        for (const other of made.parentElement.children) other.setAttribute("aria-pressed", String(other === made));
        box.replaceChildren(...[make()].flat());
      });
      return made;
    };
    return { box, switch: h("span", { class: "switch" }, button("Read", drawn, true), button("Raw", wire, false)) };
  };

  const place = (mismatch, stream) => {
    const [, first, name, ...rest] = mismatch.at.split("/");
    if (first !== "events" || name === undefined || !stream) return { ...mismatch, place: mismatch.at };
    const named = /^-?\d+$/.test(name) ? Number(name) : stream.events.findIndex((each) => each.name === name);
    const index = named < 0 && name === "-1" ? stream.events.length - 1 : named;
    return { ...mismatch, place: ["", "events", index < 0 ? name : index, ...rest].join("/") };
  };

  const exchange = (where, said, mismatches) => {
    const stream = streams[where];
    const wrong = mismatches.map((mismatch) => place(mismatch, stream));
    const { request, response } = said;
    const asked = views(() => code(decoded(bytes(request.body)) ?? dump(bytes(request.body)), "", []), () => raw(request.body));
    const out = h("section", { class: "side", "aria-label": "request" },
      h("p", { class: "first" }, h("b", { class: "mono" }, `${request.method} ${request.target}`), asked.switch),
      headers(request.headers, []), asked.box);
    if (!response) {
      const silent = h("section", { class: "side", "aria-label": "response" }, h("p", { class: "problem" }, `No response: ${said.failure || "nothing came"}`));
      return [out, silent];
    }
    const times = response.chunks.map((chunk) => chunk.at).filter((at) => at !== null);
    const ending = response.ending === "complete" ? "" : ` · ${response.ending}`;
    const timing = times.length ? ` · first byte ${duration(times[0])}, last ${duration(times[times.length - 1])}` : "";
    const body = () => {
      if (stream) return events(stream, wrong);
      const data = joined(response.chunks);
      const text = decoded(data);
      return text === null ? h("pre", { class: "code" }, dump(data)) : code(text, "/body", under(wrong, "/body"));
    };
    const chunks = () => response.chunks.map((chunk) => h("div", { class: "chunk" },
      h("p", { class: "soft small" }, `${chunk.at === null ? "chunk" : duration(chunk.at)} · ${count(bytes(chunk).length, "byte")}`), raw(chunk)));
    const came = views(body, chunks);
    const status = under(wrong, "/status");
    const back = h("section", { class: "side", "aria-label": "response" },
      h("p", { class: "first" }, h("b", { class: status.length ? "mono wrong" : "mono" }, String(response.status)),
        status.map(({ expected }) => h("span", { class: "note" }, `expected ${expected}`)),
        h("span", { class: "soft" }, `${timing}${ending}`), came.switch),
      headers(response.headers, under(wrong, "/headers")), came.box);
    return [out, back];
  };

  const evidence = (finding) => {
    if (!finding.evidence.length) return h("p", { class: "soft" }, "Nothing was asked for this rule.");
    return finding.evidence.map((where) => {
      const cut = where.lastIndexOf("#");
      const [file, name] = [where.slice(0, cut), where.slice(cut + 1)];
      const said = (run.exchanges[file] || []).find((step) => step.step === name);
      return h("div", { class: "exchange" },
        h("h4", {}, finding.evidence.length > 1 ? `Exchange ${name}` : "Exchange", " ", h("span", { class: "soft mono" }, where)),
        said ? h("div", { class: "sides" }, exchange(where, said, name === finding.step ? finding.mismatches : [])) : h("p", { class: "problem" }, "This exchange is not in the report."));
    });
  };

  // -- Rules -----------------------------------------------------------------------------------

  const copy = async (text, button) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch (error) {
      const area = h("textarea", { class: "away" }, text);
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };

  const short = (value) => {
    const text = JSON.stringify(value);
    return text.length > 300 ? `${text.slice(0, 300)} …` : text;
  };
  const details = (finding) => {
    const button = h("button", { type: "button", class: "copy" }, "Copy");
    button.addEventListener("click", () => copy(finding.again, button));
    return h("div", { class: "details" },
      finding.reason ? h("p", { class: "reason" }, finding.reason) : null,
      finding.accused || finding.excused ? h("p", { class: "reason" }, h("span", { class: `mark ${finding.shown}` }, marks[finding.shown]), " ", finding.accused || finding.excused) : null,
      finding.mismatches.length ? h("table", { class: "mismatches" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "at"), h("th", { scope: "col" }, "expected"), h("th", { scope: "col" }, "got"))),
        h("tbody", {}, finding.mismatches.map((each) => h("tr", {}, h("td", {}, each.at || "/"), h("td", {}, each.expected), h("td", {}, "got" in each ? short(each.got) : "nothing"))))) : null,
      h("dl", {},
        h("dt", {}, "says"), h("dd", {}, source(finding.source)),
        h("dt", {}, "contract"), h("dd", { class: "mono" }, finding.contract, finding.implied ? " (implied by every contract)" : ""),
        finding.again ? [h("dt", {}, "again"), h("dd", { class: "again" }, h("pre", { class: "code", tabindex: "0" }, finding.again), button)] : null),
      evidence(finding));
  };

  const row = (finding) => {
    const item = h("details", { class: "rule", id: finding.key },
      h("summary", {},
        mark(finding.shown),
        h("span", { class: "what" },
          h("span", { class: "id" }, finding.rule), finding.level === "must" ? null : h("span", { class: "level" }, finding.level),
          h("span", { class: "sentence" }, finding.text)),
        h("span", { class: "where" }, h("span", {}, finding.api), h("span", { class: "soft" }, finding.area))));
    const fill = () => {
      if (!item.open || item.children.length > 1) return;
      item.append(details(finding));
      for (const view of item.querySelectorAll(".view")) {
        const note = view.querySelector(".note");
        if (note) view.scrollTop = note.getBoundingClientRect().top - view.getBoundingClientRect().top - view.clientHeight / 3;
      }
    };
    item.addEventListener("toggle", () => {
      fill();
      const now = read();
      if (item.open && now.rule !== finding.key) history.replaceState(null, "", address({ ...now, rule: finding.key }));
      else if (!item.open && now.rule === finding.key) history.replaceState(null, "", address({ ...now, rule: "" }));
    });
    item.unfold = () => {
      item.open = true;
      fill();
    };
    return item;
  };

  const needle = (finding) => (finding.needle ??= [finding.rule, finding.contract, finding.api, finding.text, finding.reason, finding.source.text, finding.source.sure, JSON.stringify(finding.mismatches)].join("\n").toLowerCase());
  const fits = (finding, state) =>
    (!state.provider || finding.target === state.provider) && (!state.api || finding.api === state.api) &&
    (!state.area || finding.area === state.area) && (!state.level || finding.level === state.level) &&
    (!state.q || state.q.toLowerCase().split(/\s+/).every((word) => needle(finding).includes(word)));
  const speaks = (finding, word) => word === "all" || (word ? finding.shown === word : attention(finding));

  const go = (state) => {
    history.replaceState(null, "", address(state));
    show(false);
  };
  const choice = (key, label, options) => {
    const made = h("select", { name: key, "aria-label": label }, h("option", { value: "" }, label), options.map(([value, text]) => h("option", { value }, text)));
    made.addEventListener("change", () => go({ ...read(), [key]: made.value, rule: "" }));
    return made;
  };
  const unique = (key) => [...new Set(run.findings.map((finding) => finding[key]))];
  const search = h("input", { type: "search", name: "q", placeholder: "Find in rules, reasons, values", "aria-label": "Find", autocomplete: "off", spellcheck: "false" });
  search.addEventListener("input", () => go({ ...read(), q: search.value.trim(), word: read().word || "all", rule: "" }));
  const choices = [
    choice("provider", "Every provider", unique("target").map((name) => [name, titles[name]])),
    choice("api", "Every API", unique("api").map((name) => [name, name])),
    choice("area", "Every area", areas.map((name) => [name, name])),
    choice("level", "Every level", unique("level").map((name) => [name, name])),
  ];
  const chips = ["", "all", ...words.filter((word) => counts[word])].map((word) => {
    const number = h("span", { class: "number" });
    const chip = h("button", { type: "button", "data-word": word }, word && word !== "all" ? [mark(word), " ", word] : word ? "all" : "needs attention", " ", number);
    chip.number = number;
    chip.addEventListener("click", () => go({ ...read(), word, rule: "" }));
    return chip;
  });
  const clear = h("a", { href: "#", class: "clear" }, "Clear");
  clear.addEventListener("click", (event) => {
    event.preventDefault();
    go({});
  });
  const shown = h("p", { class: "shown soft", role: "status" });
  const list = h("div", { class: "rules" });
  const bar = h("div", { class: "bar" },
    h("h2", { tabindex: "-1" }, "Rules"),
    h("div", { class: "filters" }, search, choices, clear),
    h("div", { class: "chips", role: "group", "aria-label": "Result" }, chips),
    shown);
  const rules = h("section", { id: "rules" }, bar, list);

  const show = (scroll) => {
    let state = read();
    const wanted = state.rule && run.findings.find((finding) => finding.key === state.rule);
    if (wanted && !(fits(wanted, state) && speaks(wanted, state.word))) {
      state = { provider: wanted.target, api: wanted.api, area: wanted.area, level: "", q: "", word: "all", rule: state.rule };
    }
    const near = run.findings.filter((finding) => fits(finding, state));
    const found = near.filter((finding) => speaks(finding, state.word));
    found.sort((one, other) => words.indexOf(one.shown) - words.indexOf(other.shown));
    for (const made of choices) made.value = state[made.name];
    if (document.activeElement !== search) search.value = state.q;
    for (const chip of chips) {
      const word = chip.dataset.word;
      chip.setAttribute("aria-pressed", String(word === state.word));
      chip.number.textContent = near.filter((finding) => speaks(finding, word)).length.toLocaleString("en");
    }
    clear.classList.toggle("hidden", !keys.some((key) => key !== "rule" && state[key]));
    shown.textContent = found.length || state.word || near.length < run.findings.length
      ? `${found.length.toLocaleString("en")} of ${count(run.findings.length, "rule")}`
      : "Nothing needs attention. Choose a cell of the matrix, or “all”.";
    list.replaceChildren(...found.map(row));
    const open = address({ provider: state.provider, api: state.api, area: state.area });
    for (const link of matrix.querySelectorAll("a")) link.toggleAttribute("aria-current", Boolean(state.word) && !state.level && link.dataset.state === open);
    list.style.setProperty("--bar", getComputedStyle(bar).position === "sticky" ? `${bar.offsetHeight}px` : "0px");
    const item = wanted && list.children.namedItem(wanted.key);
    if (item) {
      item.unfold();
      if (scroll) item.scrollIntoView({ block: "start" });
    } else if (scroll && location.hash.length > 1) {
      rules.scrollIntoView({ block: "start" });
    }
  };
  // A link to what is shown already changes no address, so it is followed here.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-go]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.hash !== location.hash) history.pushState(null, "", link.hash);
    show(true);
    rules.querySelector("h2").focus({ preventScroll: true });
  });

  // -- Declared and observed -------------------------------------------------------------------

  const table = (names, body) => h("div", { class: "scroll" }, h("table", { class: "plain" }, h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, body)));
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const against = (claim) => claim.verdict === "broken" || (claim.observed && !same(claim.observed.value, claim.read_as)) || claim.disputed_by.length > 0;
  const wordless = { null: "says nothing", unreadable: "unreadable" };
  const quoted = (stated) => (Object.hasOwn(wordless, String(stated)) ? h("span", { class: "soft" }, wordless[stated]) : `“${stated}”`);
  const valued = (claim) => [h("b", {}, plain(claim.read_as)), claim.unit ? ` ${claim.unit}` : ""];
  const seen = (said) => [h("b", {}, plain(said.value)), said.text ? `: ${said.text}` : "", h("div", { class: "soft small" }, source(said.source))];
  const judged = (claim) => {
    if (claim.verdict === "not looked at") return h("span", { class: "soft" }, "not looked at");
    const names = new Map();
    for (const rule of claim.rules) {
      const id = rule.slice(rule.lastIndexOf(":") + 1);
      names.set(id, (names.get(id) || 0) + 1);
    }
    const ids = [...names].map(([id, times]) => h("div", { class: "small" }, h("a", { href: address({ q: id, word: "all" }), "data-go": "rules" }, id), times > 1 ? ` × ${times}` : ""));
    return [mark(claim.verdict), ` ${claim.verdict} by`, ids];
  };
  const cards = [...new Set(run.claims.map((claim) => `${claim.model} ${claim.seller}`))].map((card) => {
    const own = run.claims.filter((claim) => `${claim.model} ${claim.seller}` === card);
    return [h("h3", {}, own[0].model, " at ", own[0].seller),
      table(["Claim", "Stated", "Read as", "Observed elsewhere, disputed", "This run"], own.map((claim) => h("tr", { class: against(claim) ? "against" : null },
        h("th", { scope: "row", class: "mono" }, claim.claim),
        h("td", {}, quoted(claim.stated)),
        h("td", {}, valued(claim), h("div", { class: "soft small" }, source(claim.source)), claim.note ? h("div", { class: "soft small" }, claim.note) : null),
        h("td", {}, claim.observed ? seen(claim.observed) : null, claim.disputed_by.map((each) => h("div", {}, "disputed: ", seen(each)))),
        h("td", {}, judged(claim)))))];
  });
  const severalModels = new Set(run.between_sellers.map((each) => each.model)).size > 1;
  const sellers = [...new Set(run.between_sellers.flatMap((each) => Object.keys(each.sellers)))];
  const between = run.between_sellers.length ? [h("h3", {}, "Between sellers"),
    h("p", { class: "soft" }, "The same model, claimed differently. Nothing is averaged."),
    table(["Claim", ...sellers], run.between_sellers.map((each) => h("tr", {},
      h("th", { scope: "row", class: "mono" }, severalModels ? `${each.model} ` : "", each.claim),
      sellers.map((seller) => h("td", {}, each.sellers[seller] ? [valued(each.sellers[seller]), h("div", { class: "small" }, quoted(each.sellers[seller].stated)), h("div", { class: "soft small" }, source(each.sellers[seller].source))] : null)))))] : [];
  const declared = run.claims.length ? h("section", { id: "declared" }, h("h2", {}, "Declared and observed"),
    h("p", { class: "soft" }, "What each page states, what it is read as, what was seen on the wire before, and what this run saw. A red edge: something speaks against the claim."),
    between, cards) : null;

  // -- What this run measured, paid, and was held to -----------------------------------------------

  const money = (value, currency) => (value === null ? h("span", { class: "soft" }, "no price") : `${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 6 })}${currency ? ` ${currency}` : ""}`);
  const valueOf = (value) => (value === null || value === undefined ? h("span", { class: "soft" }, "–") : plain(typeof value === "object" && !Array.isArray(value) ? JSON.stringify(value) : value));
  const origin = (said) => (said && typeof said === "object" ? h("div", { class: "soft small" }, source(said)) : said ? h("div", { class: "soft small" }, said) : null);
  const currency = run.receipt ? run.receipt.currency : "";
  // What was not tried stands in the tables of the cards.
  const tried = (run.declared || []).filter((row) => row.verdict !== "not looked at");
  const measured = tried.length ? h("section", { id: "measured" }, h("h2", {}, "Declared, and measured by this run"),
    h("p", { class: "soft" }, "Each claim that this run tried, with what the answers showed and what it took to find out."),
    table(["Claim", "Stated", "Read as", "Observed", "Verdict", "Requests", "Cost"], tried.map((row) => h("tr", { class: ["differs", "truncated", "not enforced", "broken"].includes(row.verdict) ? "against" : null },
      h("th", { scope: "row" }, h("span", { class: "mono" }, row.claim), h("div", { class: "soft small" }, row.model, " at ", row.seller)),
      h("td", {}, quoted(row.stated)),
      h("td", {}, h("b", {}, valueOf(row.read_as)), origin(row.source)),
      h("td", {}, h("b", {}, valueOf(row.observed))),
      h("td", { class: "whole" }, row.verdict),
      h("td", { class: "amount" }, row.requests.toLocaleString("en")),
      h("td", { class: "amount" }, money(row.cost, currency)))))) : null;

  const receipt = run.receipt ? h("section", { id: "receipt" }, h("h2", {}, "Receipt"),
    h("p", { class: "soft" }, `What was asked and what it costs in ${run.receipt.currency} at the prices that the cards state; retries are paid too.`),
    h("div", { class: "scroll" }, h("table", { class: "plain" },
      h("thead", {}, h("tr", {}, ["API", "Requests", "Retries", "Tokens in", "Tokens out", `Cost, ${run.receipt.currency}`].map((name, index) => h("th", { scope: "col", class: index ? "amount" : null }, name)))),
      h("tbody", {}, run.receipt.lines.map((line) => h("tr", {},
        h("th", { scope: "row" }, line.api, h("div", { class: "soft small mono" }, line.model || "")),
        [line.requests, line.retries, line.input_tokens, line.output_tokens].map((number) => h("td", { class: "amount" }, number.toLocaleString("en"))),
        h("td", { class: "amount" }, money(line.cost))))),
      h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, "Total"),
        ["requests", "retries", "input_tokens", "output_tokens"].map((name) => h("td", { class: "amount" }, run.receipt.lines.reduce((sum, line) => sum + line[name], 0).toLocaleString("en"))),
        h("td", { class: "amount" }, h("b", {}, money(run.receipt.total)))))))) : null;

  const waived = (run.waivers || []).length ? h("section", { id: "waivers" }, h("h2", {}, "Waivers"),
    h("p", { class: "soft" }, "Defects that are known, each with an owner and a last day. One whose rule holds, or whose day is over, fails the run."),
    table(["Rule", "Reason", "Owner", "Until", "State"], run.waivers.map((each) => h("tr", { class: each.state === "stale" || each.state === "expired" ? "against" : null },
      h("th", { scope: "row" }, h("span", { class: "mono" }, each.rule), Object.entries(each.when || {}).map(([name, glob]) => h("div", { class: "soft small" }, `${name}: ${glob}`))),
      h("td", {}, each.reason, " ", /^https?:/.test(each.link || "") ? h("a", { href: each.link, rel: "noreferrer" }, "link") : null),
      h("td", {}, each.owner),
      h("td", { class: "whole" }, each.expires),
      h("td", {}, each.state, h("div", { class: "soft small mono" }, each.at || "")))))) : null;

  const left = run.ruleset ? h("section", { id: "ruleset" }, h("h2", {}, `Rules frozen as ${run.ruleset.name}`),
    h("p", { class: "soft" }, run.ruleset.dropped.length ? `${count(run.ruleset.dropped.length, "rule")} of today not judged, so that the set keeps its verdicts.` : "Every rule of today is in the set and demands what it demanded then."),
    run.ruleset.dropped.length ? h("details", {}, h("summary", {}, "Which, and why"), table(["Rule", "Why"], run.ruleset.dropped.map((each) => h("tr", {}, h("th", { scope: "row", class: "mono" }, each.rule), h("td", {}, each.why))))) : null) : null;

  // -- Not checked -----------------------------------------------------------------------------

  // Contracts inherit statements: what is said of several APIs in the same words is said once.
  const statements = new Map();
  for (const each of run.not_checked) {
    const key = JSON.stringify([each.rule, each.text, each.why, each.source]);
    statements.set(key, [...(statements.get(key) || []), each]);
  }
  const silent = run.not_checked.length ? h("section", { id: "not-checked" }, h("h2", {}, "Not checked"),
    h("p", { class: "soft" }, `${count(run.not_checked.length, "statement")} that no rule looks at, each with its reason. None of them counts as kept.`),
    table(["Statement", "Why it is not checked", "APIs"], [...statements.values()].map((group) => h("tr", {},
      h("td", {}, h("div", { class: "id" }, group[0].rule), group[0].text, h("div", { class: "soft small" }, source(group[0].source))),
      h("td", {}, group[0].why),
      h("td", { class: "small" }, [...new Set(group.map((each) => each.api))].join(", "), h("div", { class: "soft" }, group[0].area)))))) : null;

  document.body.append(h("main", {}, head,
    h("section", { id: "matrix" }, h("h2", {}, "Matrix"), h("div", { class: "scroll" }, matrix), legend),
    rules, measured, declared, receipt, waived, left,
    h("section", { id: "asked" }, h("h2", {}, "Who was asked"), targets), silent));
  // A pasted address is scrolled to; after back and forward the browser restores where the reader was.
  addEventListener("popstate", () => show(true));
  show(true);
})();
