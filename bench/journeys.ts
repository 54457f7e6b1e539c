/**
 * `npm run bench:journeys`: whole journeys, as an application makes them, and as ratios to peers that run in turns with them. `--quick` with a
 * tenth of the rows, `--million` to let a space grow so far, `--only word` for the journeys whose name has it; `--hyperbee DIRECTORY` to be held against it. Writes bench/out/journeys.json and a chart. The relay's: bench/relay.ts.
 */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import initSqlJs from 'sql.js'
import { createSpace, loadProvider, memoryStore } from 'sealdb'
import { type Figure, judge, printFigures } from './bars.js'
import { quickest } from './clock.js'
import { catchingUp } from './journey/catching-up.js'
import { engineAlone, growth } from './journey/growth.js'
import { hyperbee } from './journey/hyperbee.js'
import { living } from './journey/living.js'
import { memory } from './journey/memory.js'
import { opening } from './journey/opening.js'
import { fillSpace, fillSqlJs } from './journey/people.js'
import { reads } from './journey/reads.js'
import { removal } from './journey/removal.js'
import { writes } from './journey/writes.js'
import { OUT, writeJson, writeOut } from './report.js'
import { barChart } from './svg.js'

const { values: options } = parseArgs({ options: { quick: { type: 'boolean' }, million: { type: 'boolean' }, only: { type: 'string' }, hyperbee: { type: 'string' } } })
const [rows, entries, times] = options.quick === true ? [10_000, 1_000, 2] : [100_000, 10_000, 3]

const JOURNEYS: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  reads: warmReads,
  writes: () => writes(times),
  opening: () => opening(rows, times),
  memory: () => memory(rows),
  live: () => living(4 * times),
  'catching up': () => catchingUp(entries, times),
  removal: () => removal(100),
  engine: () => engineAlone(times),
  hyperbee: () => againstHyperbee(options.hyperbee),
  growth: () => growth([1_000, 10_000, 100_000, 1_000_000].slice(0, options.quick === true ? 2 : options.million === true ? 4 : 3)),
}

const figures: Figure[] = [await yardstick()]
for (const [name, journey] of Object.entries(JOURNEYS)) {
  if (options.only !== undefined && !name.includes(options.only)) continue
  process.stderr.write(`${name}\n`)
  figures.push(...await journey())
}
const judged = judge(figures)
printFigures(judged)
writeJson('journeys', { rows, entries, figures: judged })
const ratios = judged.filter(({ unit }) => unit === '× sql.js')
if (ratios.length > 0) writeOut('journeys.svg', barChart('SealDB against sql.js as it comes', 'times its speed', ratios.map(({ name, value }) => ({ label: name, group: value >= 1 ? 'quicker' : 'slower', value }))))
console.log(`\nWritten to ${OUT}`)

/** How quick the machine is just now, to hold the figures of two runs beside each other. */
async function yardstick(): Promise<Figure> {
  const signer = (await loadProvider('node')).signer(new Uint8Array(32))
  const { cpu } = await quickest(5, () => { for (let i = 0; i < 1_000; i++) signer.sign(new Uint8Array(200)) })
  return { name: 'yardstick: one signature', value: cpu, unit: 'µs of CPU', note: '58 when nobody else is about' }
}

async function againstHyperbee(directory: string | undefined): Promise<readonly Figure[]> {
  if (directory !== undefined) return hyperbee(resolve(directory), 4 * times)
  process.stderr.write('left out: say where hyperbee is installed (--hyperbee DIRECTORY; bench/journey/hyperbee.ts)\n')
  return []
}

async function warmReads(): Promise<readonly Figure[]> {
  const space = await createSpace({ store: memoryStore(), offline: true })
  // After SealDB, which needs to see sql.js start.
  const peer = new (await initSqlJs()).Database()
  fillSqlJs(peer, rows)
  await fillSpace(space, rows)
  const found = await reads(space, peer, rows, times + 2)
  await space.close()
  peer.close()
  return found
}
