// Runs ruff on Python files, with the rules of ruff.toml.
//
//   node check.mjs [--fix] SETTINGS_JSON FILE...
//
// WHY WebAssembly from npm: Debian 12 has no package of ruff, and npm is installed for the viewer page anyway. package-lock.json pins the
// version with its hash. SETTINGS_JSON is ruff.toml as JSON, because the WebAssembly build reads no files.
// One line per finding; exit status 1 if there is any. --fix writes the fixes that ruff proposes, which have to be reviewed.

import { readFileSync, writeFileSync } from "node:fs";
import { PositionEncoding, Workspace } from "@astral-sh/ruff-wasm-nodejs";

const options = process.argv.slice(2);
const fixes = options[0] === "--fix" && options.shift();
const settings = JSON.parse(options.shift());
const workspace = new Workspace(settings, PositionEncoding.Utf16);
const isExcluded = (file) => !fixes && (settings["extend-exclude"] ?? []).some((folder) => file.startsWith(`${folder}/`));

/** The text with the edits of every fix that does not overlap with one before it. */
function fixed(text, diagnostics) {
  const lines = text.split("\n");
  const starts = [0];
  for (const line of lines) starts.push(starts.at(-1) + line.length + 1);
  const offset = ({ row, column }) => starts[row - 1] + column - 1;
  const edits = [];
  for (const { fix } of diagnostics) {
    const own = (fix?.edits ?? []).map((e) => ({ begin: offset(e.location), end: offset(e.end_location), content: e.content ?? "" }));
    if (own.every((e) => edits.every((other) => e.end < other.begin || other.end < e.begin))) edits.push(...own);
  }
  for (const { begin, end, content } of edits.sort((a, b) => b.begin - a.begin)) text = text.slice(0, begin) + content + text.slice(end);
  return text;
}

let count = 0;
for (const file of options.filter((f) => !isExcluded(f))) {
  let text = readFileSync(file, "utf8");
  let found = workspace.check(text);
  for (let round = 0; fixes && round < 10 && found.some((d) => d.fix); ++round) {
    text = fixed(text, found);
    writeFileSync(file, text);
    found = workspace.check(text);
  }
  for (const { code, message, start_location: at } of found) console.log(`${file}:${at.row}:${at.column}: ${code ?? "error"} ${message}`);
  count += found.length;
}
process.exitCode = count > 0 ? 1 : 0;
