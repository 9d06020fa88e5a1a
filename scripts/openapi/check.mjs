// Checks an OpenAPI description with the rules of redocly.yaml.
//
//   node check.mjs FILE...
//
// WHY the library of Redocly's linter, not its command: the command has ten times as many dependencies, and looks for updates and reports its
// use over the network. One line per finding; exit status 1 if there is any.

import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { getLineColLocation, lint, loadConfig } from "@redocly/openapi-core";

const config = await loadConfig({ configPath: fileURLToPath(new URL("redocly.yaml", import.meta.url)) });
let count = 0;
for (const file of process.argv.slice(2)) {
  for (const { location, message, ruleId } of await lint({ ref: file, config })) {
    const { source, pointer, start } = getLineColLocation(location[0]);
    console.log(`${relative("", source.absoluteRef)}:${start.line}:${start.col}: ${ruleId} ${message} ${pointer ?? ""}`.replaceAll("\n", " ").trimEnd());
    ++count;
  }
}
process.exitCode = count > 0 ? 1 : 0;
