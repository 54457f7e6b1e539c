/** Two relay processes on one store, of which one has not been told yet what the other has stored. */
import { afterEach, expect, it } from 'vitest'
import { invite } from '../../engine/space/acts.js'
import { memoryRelayStore, type RelayStore } from '../../net/server.js'
import { createTable, put, rows, taskTable } from '../space/rim-support.js'
import { founder, joiner, stopAll, testRelay, until, type TestPeer } from './support.js'

const open: TestPeer[] = []
afterEach(() => stopAll(open))

/** The same store, whose logs never hear of others' records: the word is under way for ever. */
function unheard(store: RelayStore): RelayStore {
  return {
    ...store,
    open: async (space) => {
      const log = await store.open(space)
      if (log !== undefined) Object.defineProperty(log, 'onGrowth', { get: () => () => undefined, set: () => undefined })
      return log
    },
  }
}

it('who was invited a moment ago through another process is let in, and what is written is in one order', async () => {
  const store = memoryRelayStore()
  const first = await testRelay({ store })
  const ada = await founder(first, 'two Ada')
  open.push(ada)
  await (await ada.space.commit(createTable(taskTable(1), 'table:task'), ada.space.current)).settled
  const second = await testRelay({ store: unheard(store) })
  const early = await joiner(second, await invite(ada.space, { role: 'writer' }), 'two Early') // now the second relay has a room of this space
  open.push(early)
  const late = await joiner(second, await invite(ada.space, { role: 'writer' }), 'two Late')
  open.push(late)
  await (await late.space.commit(rows(put('insert', 1, 1n, 0n, 'text')), late.space.current)).settled
  await until(() => ada.space.head.size === late.space.head.size, 'Ada has what Late wrote')
  expect(ada.space.head.stateRoot).toEqual(late.space.head.stateRoot)
})
