// Runs the public cache suite against the cache at npm_config_base and prints, as JSON, how many of its required and optional
// checks passed and the names of those that did not. SUITE: the suite's folder; by default the npm package beside this file.
// Both layouts are known: that of the npm package, and that of the repository, which has a folder test-engine.
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const suite = process.env.SUITE ?? new URL('node_modules/http-cache-tests', import.meta.url).pathname
const engine = existsSync(resolve(suite, 'test-engine')) ? 'test-engine' : '.'
const load = name => import(pathToFileURL(resolve(suite, name)).href)

const suites = (await load('tests/index.mjs')).default
const { runTests, getResults } = await load(`${engine}/client/runner.mjs`)
const { determineTestResult } = await load(engine !== '.' ? 'test-engine/lib/results.mjs' : 'lib/display.mjs')

const base = process.env.npm_config_base
await (engine !== '.' ? runTests(suites, false, base) : runTests(suites, (await import('node-fetch')).default, false, base))

const results = getResults()
const counts = { required: { passed: 0, failed: {} }, optimal: { passed: 0, failed: {} } }
for (const test of suites.flatMap(s => s.tests)) {
  const count = counts[test.kind ?? 'required']
  if (!count || test.browser_only) continue
  const verdict = determineTestResult(suites, test.id, results)[2]
  if (verdict === '✅') count.passed += 1
  else count.failed[test.id] = `${verdict} ${[results[test.id]].flat().join(': ')}`
}
console.log(JSON.stringify({ required: counts.required, optional: counts.optimal }, null, 1))
