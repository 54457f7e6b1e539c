/** The tests' own configuration, with the sources of the plan instrumented on their way to a run, and never on the disk. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { mergeConfig } from 'vitest/config'
import own from '../../vitest.config.js'
import { instrument } from './instrument.js'
import type { Plan } from './plan.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const plan = JSON.parse(readFileSync(process.env['SEALDB_MUTATE'] as string, 'utf8')) as Plan
const sources = new Set(plan.sources)

const config = mergeConfig(own, {
  root,
  plugins: [{
    name: 'mutants',
    enforce: 'pre',
    transform(code: string, id: string) {
      const path = id.startsWith(root) ? id.slice(root.length) : ''
      return sources.has(path) ? { code: instrument(path, code, plan.limits).code, map: null } : undefined
    },
  }],
  test: { runner: fileURLToPath(new URL('runner.ts', import.meta.url)), maxWorkers: plan.look ? 2 : 1, testTimeout: 120_000, hookTimeout: 120_000, dangerouslyIgnoreUnhandledErrors: true },
})

export { config as default }
