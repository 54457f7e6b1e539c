/** The stage of the demo: where its files lie, what is running, and waiting for what its people see. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { isSealError } from 'sealdb'
import { Refusal, type Person } from './people.js'

const home = mkdtempSync(join(tmpdir(), 'sealdb-demo-'))
export const place = (name: string): string => join(home, name)
const running: { stop(): unknown }[] = []

/** To be stopped when the curtain falls. */
export function onStage<T extends { stop(): unknown }>(thing: T): T {
  running.push(thing)
  return thing
}

export async function curtain(): Promise<void> {
  for (const thing of running) await thing.stop()
  rmSync(home, { recursive: true, force: true })
}

export async function untilSame(...people: readonly Person[]): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    const all = await Promise.all(people.map((someone) => someone.ask('status')))
    if (all.every(({ root, pending }) => pending === 0 && root === all[0]?.root)) return
    await wait(10)
  }
  throw new Error('the members did not come into step')
}

export async function untilAlert(someone: Person, code: string): Promise<{ code: string; message: string; evidence?: string }> {
  for (let i = 0; i < 1_000; i++) {
    const found = (await someone.ask('status')).alerts.find((alert) => alert.code === code)
    if (found) return found
    await wait(20)
  }
  const { alerts } = await someone.ask('status')
  throw new Error(`${someone.name} was not told of ${code}; told of: ${alerts.map((alert) => `${alert.code} (${alert.message})`).join(', ') || 'nothing'}`)
}

/** With what code the library refuses it, here or in another process. */
export async function refusal(work: Promise<unknown>): Promise<{ readonly code: string; readonly message: string }> {
  try {
    await work
  } catch (error) {
    if (error instanceof Refusal || isSealError(error)) return error
    throw error
  }
  throw new Error('this should have been refused')
}

/** Which of the words lie in any file below a directory. */
export function hunt(directory: string, words: readonly string[]): string[] {
  const files = filesOf(directory)
  return words.filter((word) => files.some((file) => readFileSync(file).includes(word)))
}

export function megabytes(directory: string): string {
  return (filesOf(directory).reduce((sum, file) => sum + statSync(file).size, 0) / 1e6).toFixed(1)
}

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name)).filter((name) => statSync(name).isFile())
}
