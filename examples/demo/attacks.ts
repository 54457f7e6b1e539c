/** Chapters of the demo in which the relay lies: tampering, an old backup, two histories. */
import { cpSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { person, relayProcess, type Person, type RelayProcess } from './people.js'
import { startProxy, type Proxy } from './proxy.js'
import { onStage, place, untilAlert, untilSame } from './stage.js'
import { mustHold, shown } from './tell.js'

/** Tampering and rolling back are found at once, and nothing of them is taken over. */
export async function lies(ada: Person, bob: Person, proxy: Proxy, relay: RelayProcess): Promise<void> {
  await bob.ask('disconnect')
  await ada.ask('query', "INSERT INTO note (body) VALUES ('to be tampered with')")
  await ada.ask('settled')
  const before = await bob.ask('status')
  proxy.tamper = (frame) => {
    const changed = Buffer.from(frame)
    if (frame.length > 300) changed[frame.length >> 1] = (changed[frame.length >> 1] as number) ^ 1
    return changed
  }
  await bob.ask('dial')
  const alert = await untilAlert(bob, 'tampered')
  const after = await bob.ask('status')
  mustHold(before.root === after.root && before.size === after.size, 'Bob took nothing over')
  shown(`one bit changed on the way: ${alert.message}`)
  proxy.tamper = undefined
  await reconnect(proxy, bob)
  await untilSame(ada, bob)

  await relay.stop()
  cpSync(place('relay'), place('old'), { recursive: true })
  const again = onStage(await relayProcess(place('relay')))
  proxy.target = again.url
  await reconnect(proxy, ada, bob)
  await ada.ask('query', "INSERT INTO note (body) VALUES ('forgotten by an old backup')")
  await ada.ask('settled')
  await untilSame(ada, bob)
  await again.stop()
  const old = onStage(await relayProcess(place('old')))
  proxy.target = old.url
  await reconnect(proxy, ada, bob)
  const rollback = await untilAlert(ada, 'rollback')
  await untilSame(ada, bob)
  shown(`the relay was set back to an old backup: ${rollback.message}`)
}

/** Not to wait for the back-off: connect again now. */
async function reconnect(proxy: Proxy, ...people: readonly Person[]): Promise<void> {
  proxy.cut()
  for (const someone of people) {
    await someone.ask('disconnect')
    await someone.ask('dial')
  }
}

/** The same relay key, two histories: each member sees one, until they compare. */
export async function fork(ada: Person, proxy: Proxy): Promise<void> {
  const eve = onStage(await person('Eve'))
  const link = await ada.ask('invite', 'writer')
  const apart = await startProxy(proxy.target)
  onStage({ stop: () => apart.close() })
  await eve.ask('join', place('eve'), link, 'Eve')
  await untilSame(ada, eve)
  // The relay's directory is copied while nobody writes: from here on there are two of it, with one key.
  await eve.ask('disconnect')
  await ada.ask('disconnect')
  cpSync(place('old'), place('twin'), { recursive: true })
  for (const lock of readdirSync(place('twin'), { recursive: true, encoding: 'utf8' })) if (/(^|\/)lock-/.test(lock)) rmSync(join(place('twin'), lock))
  const twin = onStage(await relayProcess(place('twin')))
  const honest = proxy.target
  await ada.ask('connect')
  await ada.ask('query', "INSERT INTO note (body) VALUES ('only Ada is shown this')")
  await ada.ask('settled')
  await ada.ask('disconnect')
  proxy.target = twin.url
  await eve.ask('connect')
  await eve.ask('query', "INSERT INTO note (body) VALUES ('only Eve is shown this')")
  await eve.ask('settled')
  await eve.ask('disconnect')
  proxy.target = honest
  await eve.ask('dial')
  const alert = await untilAlert(eve, 'fork')
  const status = await eve.ask('status')
  mustHold(!status.writable && alert.evidence !== undefined, 'Eve holds evidence and no longer writes')
  const read = await eve.ask('query', 'SELECT count(*) AS n FROM city')
  mustHold(read.rows.length === 1, 'reading goes on')
  shown(`${alert.message} (${Buffer.from(alert.evidence ?? '', 'base64').length} bytes: two notes of one key that contradict each other)`)
}
