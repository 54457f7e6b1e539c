/**
 * `npm run bench`: hot paths, one operation at a time. `--quick` gives each case a tenth of a second, `--million` adds trees and logs of a million,
 * `--only word` takes the suites whose name has it. Writes bench/out/hot-paths.json and charts beside it.
 */
import { parseArgs } from 'node:util'
import { type Figure, judge, printFigures } from './bars.js'
import { suites as codecSuites } from './codec.js'
import { suites as cryptoSuites, type BenchSuite } from './crypto.js'
import { measure, type Measured } from './harness.js'
import { suites as logSuites } from './log.js'
import { duration, OUT, printTable, short, writeJson, writeOut } from './report.js'
import { buildCost, sizes, suites as stateSuites } from './state.js'
import { barChart, growthChart } from './svg.js'

const { values: options } = parseArgs({ options: { quick: { type: 'boolean' }, million: { type: 'boolean' }, only: { type: 'string' } } })
const quick = options.quick === true
const million = options.million === true
const only = options.only?.toLowerCase()

/** Loaded only if wanted: a tree of a million takes its time. */
const GROUPS: Readonly<Record<string, () => Promise<readonly BenchSuite[]> | readonly BenchSuite[]>> = {
  crypto: () => cryptoSuites(quick ? [10, 100] : [10, 100, 1000]),
  log: () => logSuites({ million }),
  state: () => stateSuites({ million }),
  codec: codecSuites,
}

const measured: Measured[] = []
for (const [group, load] of Object.entries(GROUPS)) {
  const all = await load()
  const wanted = only === undefined || group === only ? all : all.filter(({ name }) => name.toLowerCase().includes(only))
  measured.push(...measure(wanted, { seconds: quick ? 0.1 : 1, onSuite: (name) => { process.stderr.write(`${name}\n`) } }))
}

printTable(['suite', 'case', 'ops/s', 'each', 'quickest', '±', 'samples'], measured.map((m) => [m.suite, m.name, short(m.opsPerSecond), duration(1e6 / m.opsPerSecond), duration(1e6 * m.best), `${m.margin.toFixed(1)} %`, String(m.samples)]))

const figures: Figure[] = []
if (only === undefined || only === 'state') figures.push(...await stateFigures())
const judged = judge(figures)
if (judged.length > 0) {
  console.log()
  printFigures(judged)
}
writeJson('hot-paths', { measured, figures: judged })
drawProviders()
drawGrowth('state', 'State tree: cost of one operation', ['rows'])
drawGrowth('log', 'Log: cost of one operation', ['entries'])
console.log(`\nWritten to ${OUT}`)

async function stateFigures(): Promise<Figure[]> {
  const { pointProof, rangeProof, overheadPerRow } = await sizes(100_000)
  const { rowsPerSecond, hashShare } = await buildCost(100_000)
  return [
    { name: 'point proof, 100k rows', value: pointProof, unit: 'bytes', note: 'largest of 256, without the value' },
    { name: 'proof of 100 rows, over the rows', value: rangeProof, unit: 'bytes' },
    { name: 'memory of the tree beyond keys and values', value: overheadPerRow, unit: 'bytes/row' },
    ...(million ? [{ name: 'point proof, 1M rows', value: (await sizes(1_000_000)).pointProof, unit: 'bytes' }] : []),
    { name: 'state tree: build', value: rowsPerSecond, unit: 'rows/s', note: '100k sorted rows, with the root; CPU time, quickest of 6' },
    { name: 'state tree: build, share of its hashes', value: 100 * hashShare, unit: '%', note: '3 a row, alone, in turns with it' },
  ]
}

function drawProviders(): void {
  const bars = measured.filter(({ suite }) => suite.startsWith('crypto: ')).map(({ suite, name, best }) => ({ label: suite.slice('crypto: '.length), group: name, value: 1 / best }))
  if (bars.length > 0) writeOut('crypto.svg', barChart('Cryptography by provider', 'operations a second', bars))
}

function drawGrowth(group: string, title: string, [unit]: readonly [string]): void {
  const names = [...new Set(measured.filter(({ suite }) => suite.startsWith(`${group}: `)).map(({ suite }) => suite))]
  const curves = names.map((suite) => ({
    label: suite.slice(group.length + 2),
    points: measured.filter((m) => m.suite === suite).map((m) => {
      const n = Number(m.name.replace(` ${unit}`, ''))
      // Building is of all rows at once: what one of them costs.
      return { n, value: (1e6 * m.best) / (suite.includes('build all') ? n : 1) }
    }),
  }))
  if (curves.length > 0) writeOut(`${group}-growth.svg`, growthChart(title, 'µs', curves))
}
