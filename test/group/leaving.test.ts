/** Leaving, over a relay: the epoch that a leaver leaves void is delivered by somebody who stays, and everybody who stays opens it. */
import { expect, it } from 'vitest'
import { leave, rotateIfNeeded } from '../../engine/space/acts.js'
import { createTable, put, rows, taskTable } from '../space/rim-support.js'
import { bodies, founder, invited, testRelay, until } from '../net/support.js'

it('whoever stays goes on writing and reading; whoever left reads no more', async () => {
  const relay = await testRelay()
  const ada = await founder(relay, 'Ada')
  await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)
  const bob = await invited(relay, ada, 'Bob')
  const eve = await invited(relay, ada, 'Eve')
  const peers = [ada, bob, eve]
  try {
    await leave(eve.space)
    const left = () => [ada, bob].every(({ space }) => space.verified.members().some(({ name, removed }) => name === 'Eve' && removed))
    await until(left, 'the leave to be seen')
    expect(await rotateIfNeeded(ada.space)).toBe(true)
    await (await ada.space.commit(rows(put('insert', 1, 1n, 0n, 'without Eve')), ada.space.current)).settled
    await until(() => bodies(bob.space.verified, 1).length === 1, 'the row to be seen')
    expect(bodies(bob.space.verified, 1)).toEqual(['without Eve'])
    await (await bob.space.commit(rows(put('insert', 1, 2n, 0n, 'indeed')), bob.space.current)).settled
    await until(() => bodies(ada.space.verified, 1).length === 2, 'the answer to be seen')
    expect(await rotateIfNeeded(bob.space)).toBe(false)
    expect(() => eve.space.keyring.dataSecret(2)).toThrow(/holds no/)
  } finally {
    for (const { sync, space } of peers) {
      await sync.stop()
      await space.close()
    }
  }
})
