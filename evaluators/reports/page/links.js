// The address names what is open: #RUN/PROBLEM/REPEAT an attempt, with /RUN beside it the same of
// another run, #settings/RUN a run's settings. Each part is encoded, as names may hold slashes.
const encoded = (...parts) => parts.map((part) => encodeURIComponent(part)).join("/");

function go(hash) {
  if (location.hash === `#${hash}`) route(); else location.hash = hash;
}

// The parts of the address, or none where it is no address of ours.
function addressed() {
  try {
    return location.hash.slice(1).split("/").map(decodeURIComponent);
  } catch {
    return [];
  }
}

function route() {
  const parts = addressed();
  const runAt = (name) => DATA.runs.findIndex((run) => run.run === name);
  if (parts.length === 2 && parts[0] === "settings" && runAt(parts[1]) >= 0) { dialog.close(); openSettings(runAt(parts[1])); return; }
  const run = runAt(parts[0]);
  const problem = run < 0 ? -1 : DATA.runs[run].problem_ids.indexOf(parts[1]);
  const repeat = Number(parts[2]);
  if (problem >= 0 && DATA.runs[run].codes[problem][repeat] && DATA.runs[run].codes[problem][repeat] !== "m") {
    settingsDialog.close();
    const beside = parts.length > 3 ? runAt(parts[3]) : -1;
    openTrace(run, problem, repeat, beside < 0 ? null : beside);
    return;
  }
  dialog.close();
  settingsDialog.close();
}

// A closed window leaves no address behind that would open it again.
function forget() {
  if (location.hash && !dialog.open && !settingsDialog.open) history.replaceState(null, "", location.pathname + location.search);
}
