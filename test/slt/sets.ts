/** The sqllogictest files of ../shared, read in place, and what its runner says of one of them. */
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { SltAdapter } from './open.js'

export const SHARED = '../shared'
export const SETS = ['core', 'more', 'turso', 'sqlite-tcl'] as const
export type SltSet = (typeof SETS)[number]

/** Of one file; a group is a fresh database. */
export interface SltResult {
  readonly file: string
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly notrun: number
  readonly nonEmpty: number
  readonly nonEmptyPassed: number
  readonly groups: number
  readonly groupsPassed: number
  readonly openError?: string
  readonly failures: readonly { readonly line: number; readonly kind: string; readonly error?: string; readonly sql: string }[]
}

export const sltIsHere = existsSync(`${SHARED}/tools/slt-runner.mjs`)

export function filesOf(set: SltSet): string[] {
  const root = `${SHARED}/fixtures/slt/${set}`
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(?:test|slt)$/.test(name)).map((name) => join(root, name)).sort()
}

export async function runSlt(file: string, adapter: SltAdapter): Promise<SltResult> {
  const runner = (await import(/* @vite-ignore */ pathToFileURL(realpathSync(`${SHARED}/tools/slt-runner.mjs`)).href)) as {
    runFile(file: string, adapter: SltAdapter): Promise<SltResult>
  }
  return runner.runFile(file, adapter)
}
