/** Every example runs, and what it asserts holds. */
import { readdirSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => { vi.restoreAllMocks() })

test.each(readdirSync('examples').flatMap((file) => /^(.*)\.ts$/.exec(file)?.[1] ?? []))('examples/%s.ts', async (name) => {
  const printed = vi.spyOn(console, 'log').mockImplementation(() => undefined)
  await import(`../examples/${name}.ts`)
  expect(printed).toHaveBeenCalled()
})
