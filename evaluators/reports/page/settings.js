// A run's settings, and in what another run's differ.
const settingsDialog = document.getElementById("settings");

function openSettings(at) {
  const run = DATA.runs[at];
  document.getElementById("settings-title").textContent = `${run.run}: settings`;
  const others = document.getElementById("settings-other");
  others.replaceChildren(element("option", { value: "" }, "no other run"), ...DATA.runs.map((one, index) => element("option", { value: index }, one.run)).filter((_, index) => index !== at));
  others.onchange = () => drawSettings(run, DATA.runs[others.value]);
  drawSettings(run, undefined);
  if (!settingsDialog.open) settingsDialog.showModal();
}

function drawSettings(run, other) {
  const names = [...new Set([...Object.keys(run.settings), ...Object.keys(other?.settings ?? {})])];
  // What one run has not and the other has as none is no difference.
  const differ = names.filter((name) => !other || (run.settings[name] ?? "none") !== (other.settings[name] ?? "none"));
  const value = (one, name) => element("td", { class: "text" }, one.settings[name] ?? "–");
  const rows = differ.map((name) => element("tr", {}, element("th", { scope: "row", class: "text" }, name), value(run, name), other ? value(other, name) : null));
  const head = element("tr", {}, ...["setting", run.run, other?.run].filter(Boolean).map((text) => element("th", { scope: "col", class: "text" }, text)));
  document.getElementById("settings-body").replaceChildren(
    other ? element("p", { class: "note" }, differ.length ? `${differ.length} settings differ; the others are the same.` : "All settings are the same.") : "",
    differ.length ? element("table", { class: "settings" }, element("thead", {}, head), element("tbody", {}, ...rows)) : "");
}

document.getElementById("settings-close").addEventListener("click", () => settingsDialog.close());
settingsDialog.addEventListener("close", () => forget());
