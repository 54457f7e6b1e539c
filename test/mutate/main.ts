/**
 * Would the tests notice if a check were missing? `npm run mutate -- <folder for the results> <sources …> -- <test files …>`; a folder goes on where it stopped.
 *
 * First the tests run once and note which mutants would have made a difference where (`instrument.ts`); then each mutant meets the quickest of those tests, one by one, until
 * one fails. What survives is printed with the tests it met: none, if the check never decided anything in any of them. Not a part of CI: an hour for all that is worth asking.
 * What tests do in processes of their own is not seen. `--max 2000`: tests longer than that many ms meet no mutants; `--tries 12`: a mutant meets as many tests; `--limits`: bounds, too.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { instrument, type Mutant } from './instrument.js'
import type { Plan, Report } from './plan.js'

const { folder, sources, tests, max, tries, limits } = readArguments(process.argv.slice(2))
mkdirSync(folder, { recursive: true })
/** What a look noted, and what meetings came to. */
const [seen, log] = [join(folder, 'looked.jsonl'), join(folder, 'met.jsonl')]
for (const path of [seen, log]) if (!existsSync(path)) writeFileSync(path, '')
const mutants = new Map<string, Mutant>(sources.flatMap((path) => instrument(path, readFileSync(path, 'utf8'), limits).mutants.map((each) => [each.id, each] as const)))

interface Looked { readonly took: number; readonly file: string; readonly noted: ReadonlySet<string> }

await look()
for (let round = 0; await meet(round); round++);
print()

/** Files that were looked at before are not run again. */
async function look(): Promise<void> {
  const done = new Set(read(seen).filter((each) => each.kind === 'load').map(({ file }) => file))
  const left = tests.filter((file) => !done.has(file))
  for (let at = 0; at < left.length; at += 8) await run(left.slice(at, at + 8), { look: true, tests: {} })
}

/** Each mutant that is alive meets the next few of the tests that can tell it, file by file. False if there was nothing to do. */
async function meet(round: number): Promise<boolean> {
  const looked = looks()
  const { killed, met, unrepeatable } = summary()
  const plan = new Map<string, Record<string, string[]>>()
  for (const id of mutants.keys()) {
    if (killed.has(id)) continue
    const known = met.get(id) ?? new Set()
    const able = [...looked].filter(([name, { took, noted }]) => took <= max && noted.has(id) && !unrepeatable.has(name)).sort(([, a], [, b]) => costOf(a) - costOf(b))
    const next = able.filter(([name]) => !known.has(name)).slice(0, Math.max(0, Math.min(3 << round, tries - known.size)))
    for (const [name, { file }] of next) {
      const ofFile = plan.get(file) ?? {}
      plan.set(file, ofFile)
      ;(ofFile[name] ??= []).push(id)
    }
  }
  for (const [file, planned] of plan) await run([file], { look: false, tests: planned })
  return plan.size > 0
}

/** What fails over a network waits first. */
function costOf({ took, file }: Looked): number {
  return file.startsWith('test/net/') ? 4 * took : took
}

/** One run of vitest; a mutant that hangs it has failed, and the rest goes on without. */
async function run(files: readonly string[], { look, tests: planned }: Pick<Plan, 'look' | 'tests'>): Promise<void> {
  for (let again = 0; again < 20; again++) {
    const { killed, met } = summary()
    const left = Object.fromEntries(Object.entries(planned).map(([name, ids]): [string, string[]] => [name, ids.filter((id) => !killed.has(id) && !met.get(id)?.has(name))]).filter(([, ids]) => ids.length > 0))
    if (!look && Object.keys(left).length === 0) return
    const path = join(folder, 'plan.json')
    writeFileSync(path, JSON.stringify({ sources, log: look ? seen : log, look, limits, tests: left, killed: [...killed.keys()] } satisfies Plan))
    const start = Date.now()
    const child = spawn('npx', ['vitest', 'run', '--config', 'test/mutate/vitest.config.ts', ...files], { env: { ...process.env, SEALDB_MUTATE: path }, stdio: ['ignore', 'ignore', 'ignore'], detached: true })
    const isWhole = await new Promise<boolean>((resolve) => {
      const watch = setInterval(() => {
        const last = look ? undefined : read(log).at(-1)
        const quiet = Date.now() - Math.max(start, statSync(look ? seen : log).mtimeMs)
        const hangs = last?.kind === 'meets' && quiet > last.within + 5_000 ? last : undefined
        if (hangs === undefined && quiet < 400_000) return
        clearInterval(watch)
        if (hangs !== undefined) note({ kind: 'killed', id: hangs.id, test: hangs.test })
        process.kill(-(child.pid as number), 'SIGKILL')
        resolve(hangs === undefined)
      }, 2_000)
      child.once('exit', () => {
        clearInterval(watch)
        resolve(true)
      })
    })
    process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${files.join(' ')}: ${summary().killed.size} killed\n`)
    if (isWhole) return
  }
}

function note(report: Report): void {
  writeFileSync(log, `${JSON.stringify(report)}\n`, { flag: 'a' })
}

function read(path: string): readonly Report[] {
  return readFileSync(path, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Report)
}

function looks(): Map<string, Looked> {
  return new Map(read(seen).flatMap((each) => each.kind === 'looked' ? [[each.test, { ...each, noted: new Set(each.noted) }]] : []))
}

function summary(): { killed: Map<string, string>; met: Map<string, Set<string>>; unrepeatable: Set<string> } {
  const killed = new Map<string, string>()
  const met = new Map<string, Set<string>>()
  const unrepeatable = new Set<string>()
  for (const each of read(log)) {
    if (each.kind === 'killed') killed.set(each.id, each.test)
    if (each.kind === 'once') unrepeatable.add(each.test)
    if (each.kind === 'survives' || each.kind === 'fails') met.set(each.id, (met.get(each.id) ?? new Set()).add(each.test))
  }
  return { killed, met, unrepeatable }
}

function print(): void {
  const looked = looks()
  const { killed, met, unrepeatable } = summary()
  const told = new Map<string, number>()
  for (const { noted } of looked.values()) for (const id of noted) told.set(id, (told.get(id) ?? 0) + 1)
  const alive = [...mutants.values()].filter(({ id }) => !killed.has(id))
  console.log(`${mutants.size} mutants, ${mutants.size - alive.length} killed, ${alive.length} alive: ${alive.filter(({ id }) => !told.has(id)).length} never decide anything\n`)
  for (const { id, kind, text } of alive) console.log(`${id} ${kind}: ${text}  [${told.has(id) ? `met ${met.get(id)?.size ?? 0} of ${told.get(id)}` : 'never decides'}]`)
  if (unrepeatable.size > 0) console.log(`\ncan't be run twice in one process, so their word does not count:\n${[...unrepeatable].join('\n')}`)
}

function readArguments(given: readonly string[]): { folder: string; sources: string[]; tests: string[]; max: number; tries: number; limits: boolean } {
  const options = { max: 2_000, tries: 24, limits: false }
  const plain: string[] = []
  for (let at = 0; at < given.length; at++) {
    const word = given[at] as string
    if (word === '--max' || word === '--tries') options[word.slice(2) as 'max' | 'tries'] = Number(given[++at])
    else if (word === '--limits') options.limits = true
    else if (word === '--') continue
    else plain.push(word)
  }
  const isTest = (word: string): boolean => word.endsWith('.test.ts')
  return { folder: plain[0] as string, sources: plain.slice(1).filter((word) => !isTest(word)), tests: plain.filter(isTest), ...options }
}
