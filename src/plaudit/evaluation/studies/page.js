"use strict";
// One person's sheet of a study. Everything shown comes from the page's own data; everything said stays in this browser
// (localStorage) until it is saved as a file. Texts are set as text, never as markup.

const WORDS = {
  en: {
    other: "中文",
    count: (done, all) => `${done} of ${all} answered`,
    place: (n, all) => `${n} / ${all}`,
    guide:
      "Read the conversation and both answers. Say which answer is better as a whole, then rate each of them. Keys: " +
      "A, B, T (tie), X (both bad), C (cannot say); digits rate what is marked; Backspace takes the last rating back; " +
      "Enter goes on, P goes back. Your answers stay in this browser: save them as a file at the end.",
    conversation: "Conversation",
    roles: { system: "system", user: "person", assistant: "assistant", tool: "tool" },
    verdict: "Which answer is better?",
    verdicts: { a: "A is better", tie: "as good", b: "B is better", both_bad: "both bad", incomparable: "cannot say" },
    ratings: (side, low, high) => `Rate answer ${side} (${low} worst, ${high} best)`,
    axes: {},
    comment: "Comment (need not be)",
    back: "Back",
    next: "Next",
    json: "Save as JSON",
    csv: "Save as CSV",
    missing: "Not answered yet: ",
    aVerdict: "which is better",
    done: "All answered. Save your answers as a file and send it back.",
    left: (n) => `${n} still to answer.`,
    empty: "(empty answer)",
    unsaved: "This browser keeps nothing: save your answers as a file before you close the page.",
  },
  zh: {
    other: "English",
    count: (done, all) => `已完成 ${done} / ${all}`,
    place: (n, all) => `${n} / ${all}`,
    guide:
      "请阅读对话和两个回答，先选出整体上更好的一个，再分别打分。按键：A、B、T（一样好）、X（都不好）、C（无法判断）；" +
      "数字键给标出的一项打分；退格键撤销上一个分数；回车到下一题，P 返回上一题。您的答案保存在本浏览器中，完成后请存为文件。",
    conversation: "对话",
    roles: { system: "系统", user: "用户", assistant: "助手", tool: "工具" },
    verdict: "哪个回答更好？",
    verdicts: { a: "A 更好", tie: "一样好", b: "B 更好", both_bad: "都不好", incomparable: "无法判断" },
    ratings: (side, low, high) => `给回答 ${side} 打分（${low} 最差，${high} 最好）`,
    axes: { helpful: "有用", truthful: "真实", harmless: "无害" },
    comment: "备注（可不填）",
    back: "上一题",
    next: "下一题",
    json: "存为 JSON",
    csv: "存为 CSV",
    missing: "还未填写：",
    aVerdict: "哪个更好",
    done: "已全部完成。请把答案存为文件并发回。",
    left: (n) => `还有 ${n} 题未完成。`,
    empty: "（空回答）",
    unsaved: "此浏览器无法保存进度：关闭页面前请先把答案存为文件。",
  },
};
const VERDICTS = ["a", "tie", "b", "both_bad", "incomparable"];
const KEYS = { a: "a", t: "tie", b: "b", x: "both_bad", c: "incomparable" };

const data = JSON.parse(document.getElementById("data").textContent);
const storeKey = `plaudit-study:${data.study}:${data.person}`;
const ratingNames = ["a", "b"].flatMap((side) => data.axes.map((axis) => `${axis}_${side}`));
const byId = (id) => document.getElementById(id);

let state = { place: 0, language: navigator.language.startsWith("zh") ? "zh" : "en", answers: {} };
let keeps = true;
try {
  const kept = JSON.parse(localStorage.getItem(storeKey));
  if (kept && kept.answers) state = { ...state, ...kept };
} catch {
  keeps = false;
}
let since = performance.now();

const words = () => WORDS[state.language];
const row = () => data.rows[state.place];
const answer = () => (state.answers[row().id] ??= { ratings: {}, comment: "", seconds: 0 });
const axisName = (name) => words().axes[name] ?? name;

function missingOf(id) {
  const given = state.answers[id];
  if (!given || !given.verdict) return ["verdict"];
  if (given.verdict === "incomparable") return [];
  return ratingNames.filter((name) => given.ratings[name] === undefined);
}

function keep() {
  const now = performance.now();
  if (data.rows.length && !document.hidden) answer().seconds += Math.min((now - since) / 1000, 300);
  since = now;
  try {
    localStorage.setItem(storeKey, JSON.stringify(state));
  } catch {
    keeps = false;
  }
}

function element(tag, settings = {}, ...children) {
  const made = Object.assign(document.createElement(tag), settings);
  made.append(...children);
  return made;
}

function choice(name, value, text, key, checked, act) {
  const input = element("input", { type: "radio", name, value, checked });
  input.addEventListener("change", act);
  const label = element("label", { className: "choice" }, input, text);
  if (key) label.append(element("kbd", { textContent: key, ariaHidden: "true" }));
  return label;
}

function showText(target, text) {
  target.replaceChildren(text.trim() ? text : element("span", { className: "quiet", textContent: words().empty }));
  target.scrollTop = 0;
}

function showVerdicts() {
  const keyOf = Object.fromEntries(Object.entries(KEYS).map(([key, verdict]) => [verdict, key.toUpperCase()]));
  byId("verdicts").replaceChildren(
    ...VERDICTS.map((verdict) =>
      choice("verdict", verdict, words().verdicts[verdict], keyOf[verdict], answer().verdict === verdict, () =>
        say({ verdict })
      )
    )
  );
}

function showRatings() {
  const next = ratingNames.find((name) => answer().ratings[name] === undefined);
  const scale = Array.from({ length: data.maximum - data.minimum + 1 }, (_, i) => data.minimum + i);
  byId("ratings").replaceChildren(
    ...(data.axes.length ? ["a", "b"] : []).map((side) =>
      element(
        "div",
        { className: "card" },
        element("h2", { textContent: words().ratings(side.toUpperCase(), data.minimum, data.maximum) }),
        ...data.axes.map((axis) => {
          const name = `${axis}_${side}`;
          const choices = scale.map((value) =>
            choice(name, String(value), String(value), "", answer().ratings[name] === value, () => rate(name, value))
          );
          return element(
            "fieldset",
            { className: name === next ? "rating next" : "rating", ariaLabel: `${axisName(axis)} ${side.toUpperCase()}` },
            element("span", { className: "name", textContent: axisName(axis) }),
            element("div", { className: "choices" }, ...choices)
          );
        })
      )
    )
  );
}

function showProgress() {
  const done = data.rows.filter(({ id }) => !missingOf(id).length).length;
  byId("count").textContent =
    `${words().place(state.place + 1, data.rows.length)} · ${words().count(done, data.rows.length)}`;
  byId("progress").max = data.rows.length;
  byId("progress").value = done;
}

function show() {
  document.documentElement.lang = state.language;
  const texts = {
    language: words().other, guide: words().guide, "conversation-title": words().conversation,
    "verdict-title": words().verdict, "comment-title": words().comment, back: words().back, next: words().next,
    "save-json": words().json, "save-csv": words().csv, said: keeps ? "" : words().unsaved,
  };
  for (const [id, text] of Object.entries(texts)) byId(id).textContent = text;
  byId("conversation").replaceChildren(
    ...row().prompt.map(([role, text]) =>
      element(
        "div",
        { className: "turn" },
        element("div", { className: "quiet", textContent: words().roles[role] ?? role }),
        element("div", { className: "text", dir: "auto", textContent: text })
      )
    )
  );
  showText(byId("answer-a"), row().a);
  showText(byId("answer-b"), row().b);
  byId("comment").value = answer().comment;
  byId("back").disabled = state.place === 0;
  showVerdicts();
  showRatings();
  showProgress();
}

function refreshed(draw) {
  // Drawing anew must not take the place of who moves by keyboard.
  const active = document.activeElement;
  const [name, value] = [active?.name, active?.value];
  keep();
  draw();
  if (name) document.querySelector(`input[name="${CSS.escape(name)}"][value="${CSS.escape(value)}"]`)?.focus();
  showProgress();
  byId("said").textContent = keeps ? "" : words().unsaved;
}

function say(change) {
  Object.assign(answer(), change);
  refreshed(showVerdicts);
}

function rate(name, value) {
  answer().ratings[name] = value;
  refreshed(showRatings);
}

function go(step) {
  const missing = missingOf(row().id);
  keep();
  if (step > 0 && missing.length) {
    const names = missing.map((name) =>
      name === "verdict" ? words().aVerdict : `${axisName(name.slice(0, -2))} ${name.slice(-1).toUpperCase()}`
    );
    byId("said").textContent = words().missing + names.join(", ");
    return;
  }
  if (step > 0 && state.place === data.rows.length - 1) {
    const left = data.rows.filter(({ id }) => missingOf(id).length).length;
    byId("said").textContent = left ? words().left(left) : words().done;
    return;
  }
  state.place = Math.min(data.rows.length - 1, Math.max(0, state.place + step));
  document.activeElement?.blur();
  show();
  keep();
  scrollTo(0, 0);
}

function rowsToSave() {
  return data.rows
    .filter(({ id }) => !missingOf(id).length)
    .map(({ id }) => {
      const given = state.answers[id];
      return {
        study: data.study, row: id, verdict: given.verdict, ...given.ratings, comment: given.comment,
        seconds: Math.round(given.seconds * 10) / 10,
      };
    });
}

function saved(name, type, text) {
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function saveJson() {
  keep();
  const lines = rowsToSave().map((line) => JSON.stringify(line));
  saved(`${data.person}-answers.json`, "application/json", `[\n${lines.join(",\n")}\n]\n`);
}

function saveCsv() {
  keep();
  const columns = ["study", "row", "verdict", ...ratingNames, "comment", "seconds"];
  const cell = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const lines = [columns, ...rowsToSave().map((line) => columns.map((name) => String(line[name] ?? "")))];
  saved(`${data.person}-answers.csv`, "text/csv", "\ufeff" + lines.map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n");
}

document.addEventListener("keydown", (event) => {
  // Letters inside a text field are text, and the Enter that ends a Chinese word is no Enter.
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const inField = event.target.tagName === "TEXTAREA";
  if (event.key === "Escape") return document.activeElement?.blur();
  if (inField || (event.target.tagName === "BUTTON" && event.key === "Enter")) return;
  const key = event.key.toLowerCase();
  const digit = /^[0-9]$/.test(key) ? Number(key) : NaN;
  if (KEYS[key]) say({ verdict: KEYS[key] });
  else if (digit >= data.minimum && digit <= data.maximum) {
    const name = ratingNames.find((one) => answer().ratings[one] === undefined);
    if (name) rate(name, digit);
  } else if (key === "backspace") {
    const last = ratingNames.findLast((one) => answer().ratings[one] !== undefined);
    if (last) delete answer().ratings[last];
    refreshed(showRatings);
  } else if (key === "enter") go(1);
  else if (key === "p") go(-1);
  else return;
  event.preventDefault();
});
byId("comment").addEventListener("input", (event) => {
  answer().comment = event.target.value;
  keep();
});
byId("form").addEventListener("submit", (event) => event.preventDefault());
byId("back").addEventListener("click", () => go(-1));
byId("next").addEventListener("click", () => go(1));
byId("save-json").addEventListener("click", saveJson);
byId("save-csv").addEventListener("click", saveCsv);
byId("language").addEventListener("click", () => {
  state.language = state.language === "en" ? "zh" : "en";
  keep();
  show();
});
document.addEventListener("visibilitychange", () => (document.hidden ? keep() : (since = performance.now())));
addEventListener("pagehide", keep);
show();
