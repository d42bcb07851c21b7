// What the tables of runs and of comparisons show.
const GIGA = 1e9;
const NARROW = window.matchMedia("(max-width: 640px)").matches;
const points = (share) => `${share >= 0 ? "+" : "−"}${Math.abs(100 * share).toFixed(1)}`;
const pValue = (p) => (p < 0.0001 ? "<0.0001" : p.toFixed(4));
const range = (low, high) => (low === null ? "–" : `${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)}`);
const labelOf = (run) => `avg@${run.repeats} (${run.problems}×${run.repeats})`;

const several = DATA.runs.some((run) => run.repeats > 1);
const drafted = DATA.runs.some((run) => run.draft_tokens > 0);
// One token a forward is how every model writes by itself.
const windowed = DATA.runs.some((run) => ["target", "draft"].some((role) => (run[`${role}_tokens_a_forward`] ?? 1) !== 1));
const judged = DATA.runs.some((run) => run.acceptance !== null);
const roles = [...new Set(DATA.runs.flatMap((run) => run.roles))].filter((role) => role !== "target" && role !== "draft");
const datasets = [...new Set(DATA.runs.map((run) => run.dataset))];
const labels = [...new Set(DATA.runs.map(labelOf))];

// A run's name that opens its settings; short where the screen is, as all its parts are shared.
function runName(run) {
  const short = element("span", { class: "short" }, run.short), whole = element("span", { class: "whole" }, run.run);
  const button = element("button", { type: "button", class: "link", title: `${run.run}: settings`, "data-plain": run.run }, whole, short);
  button.addEventListener("click", () => go(`settings/${run.run}`));
  return button;
}

const number = (head, value, digits, worth, about) => ({ head, value, show: (r) => fixed(value(r), digits), worth, about });
const share = (head, value, worth, about) => ({ head, value, show: (r) => percent(value(r)), worth, about });
const giga = (flops) => (flops === null ? null : flops / GIGA);
// A share that is zero for every run is one word in a line and no column, until it is chosen.
const trouble = (head, name, about) => share(head, (r) => r[name], DATA.runs.some((run) => run[name]) ? 4 : 90, about);

const RUN_COLUMNS = [
  { head: "run", value: (r) => r.run, show: runName, text: true, worth: 0 },
  { head: "accuracy", value: (r) => r.accuracy, show: (r) => r.seen ? element("span", { title: r.seen, "data-plain": `${percent(r.accuracy)} †` }, percent(r.accuracy), " †") : percent(r.accuracy), main: true, worth: 0, about: "Mean over problems of each problem's share of right attempts; errors and missing attempts count as not correct." },
  { head: "95 % interval", value: (r) => r.population_low, show: (r) => range(r.population_low, r.population_high), worth: 0, about: "For the accuracy on the population of problems of this kind, in percent." },
  { head: "0 to 100 %", value: null, show: (r) => whisker(r.population_low, r.accuracy, r.population_high), picture: true, worth: 6 },
  (labels.length > 1) && { head: "attempts", value: (r) => r.repeats, show: labelOf, text: true, worth: 3, about: "avg@k (n×k): n problems with k repeats each." },
  { head: "reasoner", value: (r) => r.reasoner, show: (r) => r.reasoner, text: true, worth: 7 },
  { head: "model", value: (r) => r.model, show: (r) => r.model, text: true, worth: 8 },
  datasets.length > 1 && { head: "dataset", value: (r) => r.dataset, show: (r) => r.dataset, text: true, worth: 2 },
  number("target tokens", (r) => r.target_tokens, 0, 2, "Generated per attempt."), drafted && number("draft tokens", (r) => r.draft_tokens, 0, 3, "Generated per attempt."),
  ...roles.map((role) => number(`${role} tokens`, (r) => r[`${role}_tokens`] ?? null, 0, 3, "Generated per attempt.")),
  windowed && number("tokens a forward", (r) => r.target_tokens_a_forward, 2, 4, "Tokens of text that one pass of the target gave; its guesses that were refused are none."), windowed && drafted && number("draft tokens a forward", (r) => r.draft_tokens_a_forward, 2, 20, "Tokens of text that one pass of the draft gave."),
  number("× total", (r) => r.relative_flops_total, 2, 1, `GFLOPs total, divided by ${DATA.baseline}'s.`),
  number("GFLOPs total", (r) => giga(r.flops_total), 2, 9, "Floating-point operations per attempt, with those of prompt tokens that were computed."),
  number("× decode", (r) => r.relative_flops_decode, 2, 5, `GFLOPs decode, divided by ${DATA.baseline}'s.`),
  number("GFLOPs decode", (r) => giga(r.flops_decode), 2, 10, "Floating-point operations per attempt, generated tokens alone."),
  DATA.runs.some((run) => run.dollars !== null) && number("US$", (r) => r.dollars, 4, 6, "Per attempt, by the prices of the models’ cards."),
  number("s of the machine", (r) => r.machine_seconds, 2, 30, "Time in which an attempt was in flight, divided by the attempts: those in flight together share it."),
  number("s p50", (r) => r.seconds_p50, 2, 9, "Seconds of an attempt, median; they depend on the concurrency."), number("s p95", (r) => r.seconds_p95, 2, 20, "Seconds of an attempt, 95th percentile."),
  number("s mean", (r) => r.seconds_mean, 2, 30), number("s least", (r) => r.seconds_least, 2, 30), number("s longest", (r) => r.seconds_longest, 2, 30),
  ...["mean", "p50", "least", "longest"].map((name) => number(`answered: s ${name}`, (r) => r[`answered_seconds_${name}`], 2, 40, "Over attempts that have an answer.")),
  number("tokens of the chosen track", (r) => r.chosen_tokens, 0, 30, "Accepted steps of the track that became the response."),
  judged && share("drafts kept", (r) => r.acceptance, 8, "Judged drafts that were kept, of all judged."), judged && share("steps rewritten", (r) => r.rewrites, 20, "Accepted steps that the target wrote after a rejection."), drafted && share("draft tokens kept", (r) => r.draft_kept, 20, "Tokens of kept drafts, of all that the draft generated for steps."),
  several && { head: "pass@k", value: (r) => r.pass_at_k, show: (r) => `${percent(r.pass_at_k)} ± ${percent(r.pass_at_k_error)} (k=${r.k})`, worth: 7, about: "The chance that one of k attempts is right; ±: standard error over problems." },
  several && { head: "maj@k", value: (r) => r.maj_at_k, show: (r) => (r.maj_at_k === null ? `– (k=${r.k})` : `${percent(r.maj_at_k)} ± ${percent(r.maj_at_k_error)} (k=${r.k})`), worth: 8, about: "The chance that a vote of k attempts is right. A dash where k times the attempts is above 65,536: too much work to be exact." },
  several && share("any", (r) => r.any_correct, 12, "Problems that any attempt got right."),
  trouble("no answer", "no_answer", "Attempts in whose output no answer was found."), trouble("ungradable", "ungradable", "Attempts whose answer could not be compared with the gold one; never counted as right."), trouble("truncated", "truncated", "Attempts that ended by the token budget or a full context; they may still be right."), trouble("errors", "error", "Failed attempts."), trouble("missing", "missing", "Attempts that were asked for and are not there."),
  share("SE problems", (r) => r.population_error, 25, "Standard error over the population of problems."), several && share("SE samples", (r) => r.samples_error, 25, "Standard error over new samples of the same problems."),
].filter(Boolean);

function pairColumns() {
  const times = (cost) => (cost === null ? "–" : `${fixed(cost.ratio)} [${fixed(cost.interval[0])}, ${fixed(cost.interval[1])}]`);
  const asked = DATA.comparisons.find((one) => one.not_worse);
  const holm = DATA.comparisons.length > 1;
  const cost = (head, name, worth) => ({ head, value: (one) => one.costs?.[name]?.ratio ?? null, show: (one) => times(one.costs[name]), worth, about: `An attempt's, relative to ${DATA.baseline}'s at the same problems, with its 95 % interval.` });
  return [
    { head: "run", value: (one) => one.second, show: (one) => runName(DATA.runs.find((run) => run.run === one.second)), text: true, worth: 0 },
    { head: "points", value: (one) => one.difference ?? null, show: (one) => points(one.difference), main: true, worth: 0, about: `Accuracy minus ${DATA.baseline}'s, in percent points, on the problems that both have.` },
    { head: "95 % interval", value: (one) => one.interval?.[0] ?? null, show: (one) => `${points(one.interval[0])} to ${points(one.interval[1])}`, worth: 0, about: "For the difference on the population of problems, in percent points." },
    { head: "p", value: (one) => one.p ?? null, show: (one) => pValue(one.p), worth: holm ? 5 : 1, about: "Sign-flip test: how often coin tosses for the problems' signs give a difference as large. Its null hypothesis is differences symmetric about 0." },
    holm && { head: "Holm p", value: (one) => one.adjusted_p ?? null, show: (one) => pValue(one.adjusted_p), worth: 1, about: "p adjusted for the number of runs compared here; report this one." },
    asked && { head: `not worse by more than ${+(100 * asked.not_worse.margin).toFixed(4)} points`, value: (one) => one.not_worse?.adjusted_p ?? null, show: (one) => `${one.not_worse.holds ? "yes" : "not shown"} (p ${pValue(one.not_worse.adjusted_p)})`, worth: 2, about: "One-sided at 2.5 %, Holm's p over all runs compared." },
    { head: "won / tied / lost", value: (one) => one.wins ?? null, show: (one) => `${one.wins} / ${one.ties} / ${one.losses}`, worth: 3, about: "Problems at which the run is better than, as good as, and worse than the baseline." },
    { head: "detectable", value: (one) => one.detectable ?? null, show: (one) => (one.detectable === null ? "–" : `${(100 * one.detectable).toFixed(1)} points`), worth: 4, about: "The true difference that 80 % of studies like this one would find. A smaller one may be there unseen." },
    cost("tokens ×", "tokens", 6), cost("GFLOPs total ×", "flops_total", 7), cost("GFLOPs decode ×", "flops_decode", 8), cost("seconds ×", "seconds", 9),
    { head: "problems", value: (one) => one.problems ?? null, show: (one) => String(one.problems), worth: 10 },
  ].filter(Boolean);
}

// A table for each kind of group that a run's dataset states.
function groupTables() {
  const made = [];
  for (const kind of ["level", "subject"]) {
    const runs = DATA.runs.filter((run) => run[`by_${kind}`]?.length);
    if (!runs.length) continue;
    const names = DATA.groups[kind];
    const of = (run, name) => run[`by_${kind}`].find((one) => one.name === name);
    const columns = [
      { head: kind, value: (name) => names.indexOf(name), show: (name) => name, text: true, worth: 0 },
      { head: "problems", value: (name) => Math.max(...runs.map((run) => of(run, name)?.problems ?? 0)), show: (name) => String(Math.max(...runs.map((run) => of(run, name)?.problems ?? 0))), worth: 0 },
      ...runs.map((run, at) => ({ head: NARROW ? run.short : run.run, fold: true, value: (name) => of(run, name)?.accuracy ?? null, show: (name) => { const one = of(run, name); return one ? element("span", {}, percent(one.accuracy), " ", element("span", { class: "range" }, `(${range(one.population_low, one.population_high)})`)) : "–"; }, worth: at })),
    ];
    made.push([kind, columns, names]);
  }
  return made;
}
