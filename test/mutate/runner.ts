/**
 * A test as vitest runs it, and then once more for each mutant that it is planned to meet: with its `beforeEach` and `afterEach`, in the same process. A last time
 * without any shows that it can be run again at all; if not, what it has killed does not count. The log says what happened, so that whoever reads it can stop a run that hangs.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { VitestTestRunner } from 'vitest/runners'
import { getFn, getHooks } from 'vitest/suite'
import type { Plan, Report } from './plan.js'
import { MutantSwitch } from './switch.js'

const plan = JSON.parse(readFileSync(process.env['SEALDB_MUTATE'] as string, 'utf8')) as Plan
const mutants = new MutantSwitch()
Object.assign(globalThis, { __mutants: mutants })
mutants.noted = plan.look ? new Set() : undefined

type Test = Parameters<VitestTestRunner['onAfterTryTask']>[0]
/** Where vitest keeps what `onTestFinished` was told. */
type WithFinished = Test & { onFinished?: ((context: Test['context']) => unknown)[] }
type Suite = Parameters<typeof getHooks>[0]

class MutantRunner extends VitestTestRunner {
  #atLoad = false

  override onBeforeTryTask(test: Test): void {
    super.onBeforeTryTask(test)
    if (mutants.noted === undefined) return
    if (!this.#atLoad) report({ kind: 'load', file: test.file.name, noted: [...mutants.noted] })
    this.#atLoad = true
    mutants.noted = new Set()
  }

  async runTask(test: Test): Promise<void> {
    const name = nameOf(test)
    const met = (plan.tests[name] ?? []).filter((id) => !killed.has(id))
    if (!plan.look && met.length === 0) return
    const start = performance.now()
    await getFn(test)()
    const took = performance.now() - start
    if (mutants.noted !== undefined) return report({ kind: 'looked', test: name, file: test.file.name, took, noted: [...mutants.noted] })
    const kills: string[] = []
    for (const id of met) {
      report({ kind: 'meets', id, test: name, within: 5_000 + 8 * took })
      const error = await attempt(test, id, 5_000 + 8 * took)
      if (error !== undefined) kills.push(id)
      report({ kind: error === undefined ? 'survives' : 'fails', id, test: name, ...(error !== undefined && { error: String(error).split('\n')[0]?.slice(0, 200) ?? '' }) })
    }
    if (kills.length > 0) {
      const error = await attempt(test, '', 5_000 + 8 * took)
      if (error !== undefined) return report({ kind: 'once', test: name, error: String(error).slice(0, 300) })
    }
    for (const id of kills) {
      killed.add(id)
      report({ kind: 'killed', id, test: name })
    }
  }
}

export { MutantRunner as default }

const killed = new Set(plan.killed)

function report(what: Report): void {
  appendFileSync(plan.log, `${JSON.stringify(what)}\n`)
}

function nameOf(test: Test): string {
  const names: string[] = []
  for (let at: Test | Suite | undefined = test; at !== undefined && !('filepath' in at); at = at.suite) names.unshift(at.name)
  return `${test.file.name} > ${names.join(' > ')}`
}

/** What the test fails with, if it does. */
async function attempt(test: Test, id: string, within: number): Promise<unknown> {
  await around(test, 'afterEach')
  mutants.active = id
  let timer: NodeJS.Timeout | undefined
  try {
    const late = new Promise<never>((_, reject) => { timer = setTimeout(() => reject(new Error('it takes too long')), within) })
    await Promise.race([late, (async () => {
      await around(test, 'beforeEach')
      await getFn(test)()
      await around(test, 'afterEach')
    })()])
    return undefined
  } catch (error) {
    return error ?? new Error('nothing')
  } finally {
    clearTimeout(timer)
    mutants.active = ''
  }
}

async function around(test: Test, name: 'beforeEach' | 'afterEach'): Promise<void> {
  const suites: Suite[] = []
  for (let at: Suite | undefined = test.suite ?? test.file; at !== undefined; at = at.suite ?? ('filepath' in at ? undefined : at.file)) suites.unshift(at)
  if (name === 'afterEach') {
    for (const hook of ((test as WithFinished).onFinished ?? []).splice(0).reverse()) await hook(test.context)
    suites.reverse()
  }
  for (const suite of suites) for (const hook of getHooks(suite)[name]) await hook(test.context as never, suite as never)
}
