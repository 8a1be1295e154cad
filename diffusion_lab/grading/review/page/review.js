// Shows one item at a time. What students wrote only ever becomes text, never HTML.
const find = (id) => document.getElementById(id);
let items = [];
let shown = [];
let place = 0;

const taskName = (item) => `${item.exercise} · ${item.task}`;
const isOpen = (item) => item.mark.points === null;

function fillList(id, texts) {
  find(id).replaceChildren(
    ...(texts.length ? texts : ["nothing"]).map((text) => {
      const line = document.createElement("li");
      line.textContent = text;
      return line;
    }),
  );
}

function choose() {
  const task = find("task").value;
  const chosen = items.filter(
    (item) => (!task || taskName(item) === task) && (!find("open").checked || isOpen(item)),
  );
  shown = [...chosen.filter(isOpen), ...chosen.filter((item) => !isOpen(item))];
  place = 0;
  show();
}

function show() {
  const item = shown[place];
  find("item").hidden = !item;
  const left = shown.filter(isOpen).length;
  find("place").textContent = item
    ? `${place + 1} of ${shown.length}, ${left} without points`
    : "There is nothing to look at.";
  if (!item) return;
  find("title").textContent = `${item.task} ${item.title}`;
  find("student").textContent = `Student: ${item.student}, exercise ${item.exercise}`;
  find("reasons").textContent = `Shown because: ${item.reasons.join("; ")}`;
  find("answer").textContent = item.answer || "No answer can be shown.";
  fillList("result", item.result);
  fillList(
    "attempts",
    item.attempts.map(
      (past) =>
        `${past.time || "time unknown"}, ${past.points ?? "no"} points, file ${past.hash}${past.counts ? " (counts)" : ""}`,
    ),
  );
  find("points").value = item.mark.points ?? "";
  find("comment").value = item.mark.comment;
  find("worth").textContent = item.max ? `of ${item.max}` : "on top of the total";
  find("points").focus();
}

function move(step) {
  place = Math.min(Math.max(place + step, 0), shown.length - 1);
  find("message").textContent = "";
  show();
}

async function save() {
  const item = shown[place];
  const text = find("points").value.trim().replace(",", ".");
  const points = text === "" ? null : Number(text);
  if (points !== null && !(Number.isFinite(points) && points >= 0)) {
    find("message").textContent = `Points must be a number of at least 0, not "${text}".`;
    return;
  }
  const mark = { points, max: item.mark.max, comment: find("comment").value };
  const { student, exercise, task } = item;
  try {
    const answer = await fetch("/mark", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ student, exercise, task, mark, before: item.mark }),
    });
    const content = await answer.json();
    if (content.mark) item.mark = content.mark;
    if (!answer.ok) {
      show();
      find("message").textContent = `Not saved: ${content.error}`;
      return;
    }
  } catch {
    find("message").textContent = "Not saved: diffusion-lab review does not answer. Is it still running?";
    return;
  }
  move(1);
}

let saving = false;
find("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (saving) return;
  saving = true;
  await save();
  saving = false;
});
find("previous").addEventListener("click", () => move(-1));
find("next").addEventListener("click", () => move(1));
find("task").addEventListener("change", choose);
find("open").addEventListener("change", choose);
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && event.altKey && shown.length) {
    event.preventDefault();
    move(step);
  }
});

const answer = await fetch("/items");
const content = await answer.json();
if (answer.ok) {
  items = content;
  const names = [...new Set(items.map(taskName))];
  find("task").replaceChildren(
    new Option("all", ""),
    ...names.map((name) => new Option(name, name)),
  );
  choose();
} else {
  find("message").textContent = content.error;
}
