import { expect, it } from 'vitest'
import { suites } from '../../bench/crypto.js'

it('every benchmark case runs', async () => {
  const all = await suites([3])
  expect(all.length).toBe(18)
  for (const suite of all) for (const { run } of suite.cases) run()
})
