/**
 * `npm run demo`: a relief team shares a sealed database through a relay that nobody has to trust. A relay and the members each run in a process
 * of their own; the data is real. Every ✓ was checked in this run; if one does not hold, the demo fails.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { person, Refusal, relayProcess, type Person, type RelayProcess } from './people.js'
import { startProxy, type Proxy } from './proxy.js'
import { bar, chapter, mustHold, say, shown, table, timed, total } from './tell.js'

const home = mkdtempSync(join(tmpdir(), 'sealdb-demo-'))
const place = (name: string): string => join(home, name)
const running: { stop(): unknown }[] = []

async function untilSame(...people: readonly Person[]): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    const all = await Promise.all(people.map((someone) => someone.ask('status')))
    if (all.every(({ root, pending }) => pending === 0 && root === all[0]?.root)) return
    await wait(10)
  }
  throw new Error('the members did not come into step')
}

async function untilAlert(someone: Person, code: string): Promise<{ code: string; message: string; evidence?: string }> {
  for (let i = 0; i < 1_000; i++) {
    const found = (await someone.ask('status')).alerts.find((alert) => alert.code === code)
    if (found) return found
    await wait(20)
  }
  const { alerts } = await someone.ask('status')
  throw new Error(`${someone.name} was not told of ${code}; told of: ${alerts.map((alert) => `${alert.code} (${alert.message})`).join(', ') || 'nothing'}`)
}

async function refusal(work: Promise<unknown>): Promise<Refusal> {
  try {
    await work
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  throw new Error('this should have been refused')
}

async function story(): Promise<void> {
  chapter('1  A relay, and a space')
  const relay = await relayProcess(place('relay'))
  running.push(relay)
  say(`a relay runs at ${relay.url}; it holds no key and knows no schema`)
  const proxy = await startProxy(relay.url)
  running.push({ stop: () => proxy.close() })
  const ada = await person('Ada')
  running.push(ada)
  const id = await timed('Ada founds the space', () => ada.ask('create', place('ada'), proxy.url, 'Ada'))
  say(`its id is the hash of its first entry: ${id.slice(0, 16)}…`)

  chapter('2  135,233 cities of the world, sealed row by row')
  const loading = bar('sealing')
  ada.onProgress = (done, of) => loading.update(done, of)
  await timed('loaded, signed and durable', async () => {
    const loaded = await ada.ask('load')
    loading.done()
    return loaded
  }, ({ cities, countries }, seconds) => `${cities.toLocaleString('en')} cities and ${countries} countries, ${Math.round(cities / seconds).toLocaleString('en')} rows/s`)
  await timed('everything is in the log of the relay', () => ada.ask('settled'))

  chapter('3  Bob joins by a link')
  const bob = await person('Bob')
  running.push(bob)
  const link = await ada.ask('invite', 'writer')
  say(`the link carries a secret, and what Ada had verified: ${link.slice(0, 40)}…`)
  const joined = await timed('Bob joins, and verifies the whole history', () => bob.ask('join', place('bob'), link, 'Bob'), ({ entries }) => `${entries} entries`)
  mustHold(joined.me === 2, 'Bob is member 2')

  chapter('4  Ordinary SQL on both sides')
  await bob.ask('query', 'SELECT count(*) FROM city') // the first read of a table decrypts it
  const report = `SELECT c.continent, count(*) AS cities, sum(city.population) AS people, max(city.population) AS largest
     FROM city JOIN country c ON c.code = city.country GROUP BY 1 ORDER BY people DESC`
  const first = await timed('Bob joins, groups and sorts', () => bob.ask('query', report), ({ milliseconds }) => `${milliseconds.toFixed(0)} ms of it in the library`)
  table(first.rows)
  const sameAtAda = await ada.ask('query', report)
  mustHold(JSON.stringify(sameAtAda.rows) === JSON.stringify(first.rows), 'Ada and Bob get the same answer')
  shown('Ada and Bob get the same answer')

  await ada.ask('live', 'SELECT count(*) AS visits FROM visit')
  await bob.ask('query', "INSERT INTO visit (city, owner, report) SELECT id, current_member(), 'bridge is out' FROM city ORDER BY population DESC LIMIT 1")
  await ada.ask('query', "INSERT INTO visit (city, owner, report) SELECT id, current_member(), 'all well' FROM city ORDER BY name LIMIT 1")
  await Promise.all([ada.ask('settled'), bob.ask('settled')])
  await untilSame(ada, bob)
  const live = await ada.ask('liveResults')
  mustHold(JSON.stringify(live.at(-1)) === '[{"visits":2}]', 'the live query has seen both visits')
  shown(`Ada’s live query was told of Bob’s row: ${JSON.stringify(live)}`)

  chapter('5  Offline, and together again')
  await bob.ask('disconnect')
  await bob.ask('query', "INSERT INTO note (body) VALUES ('written in a tunnel')")
  await ada.ask('query', "INSERT INTO note (body) VALUES ('written meanwhile')")
  await timed('Bob is back, and both are in step', async () => {
    await bob.ask('connect')
    await Promise.all([ada.ask('settled'), bob.ask('settled')])
    await untilSame(ada, bob)
  })
  const notes = await ada.ask('query', 'SELECT body FROM note ORDER BY body')
  mustHold(notes.rows.length === 2, 'both notes are there')
  shown('both notes are there, at both')

  chapter('6  Rules that everybody checks, the relay too')
  const stolen = await refusal(bob.ask('query', 'UPDATE visit SET owner = 2 WHERE owner = 1'))
  shown(`Bob can’t take over Ada’s visit: ${stolen.code}: ${stolen.message}`)

  chapter('7  The past, verified')
  const { size } = await ada.ask('status')
  await ada.ask('query', "UPDATE visit SET report = 'flooded' WHERE owner = 1")
  await ada.ask('settled')
  const now = await ada.ask('query', 'SELECT report FROM visit WHERE owner = 1')
  const then = await timed(`as of entry ${size}`, () => ada.ask('query', `SELECT report FROM visit AS OF ${size} WHERE owner = 1`))
  mustHold(JSON.stringify([now.rows, then.rows]) === '[[{"report":"flooded"}],[{"report":"all well"}]]', 'the past is what it was')
  shown('now: flooded; then: all well')

  chapter('8  What the relay has')
  const found = hunt(place('relay'), ['El Tarter', 'Andorra', 'bridge is out', 'visit', 'population', 'CREATE TABLE'])
  mustHold(found.length === 0, `nothing readable lies at the relay (found ${found.join(', ')})`)
  shown(`${megabytes(place('relay'))} MB of it, and no name, no value, no SQL in them`)

  chapter('9  A relay that lies')
  await lies(ada, bob, proxy, relay)

  chapter('10  Removal')
  await ada.ask('remove', 2)
  await ada.ask('query', "INSERT INTO note (body) VALUES ('without Bob')")
  await ada.ask('settled')
  await wait(200)
  const bobs = await bob.ask('query', "SELECT count(*) AS n FROM note WHERE body = 'without Bob'")
  mustHold(JSON.stringify(bobs.rows) === '[{"n":0}]', 'Bob reads nothing that was written after his removal')
  shown('a new epoch began; Bob reads nothing that was written after it')

  chapter('11  A relay that shows two histories')
  await fork(ada, proxy, relay)

  for (const someone of [ada, bob]) await someone.ask('close')
}

/** Tampering and rolling back are found at once, and nothing of them is taken over. */
async function lies(ada: Person, bob: Person, proxy: Proxy, relay: RelayProcess): Promise<void> {
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
  const again = await relayProcess(place('relay'))
  running.push(again)
  proxy.target = again.url
  await reconnect(proxy, ada, bob)
  await ada.ask('query', "INSERT INTO note (body) VALUES ('forgotten by an old backup')")
  await ada.ask('settled')
  await untilSame(ada, bob)
  await again.stop()
  const old = await relayProcess(place('old'))
  running.push(old)
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
async function fork(ada: Person, proxy: Proxy, relay: RelayProcess): Promise<void> {
  void relay
  const eve = await person('Eve')
  running.push(eve)
  const link = await ada.ask('invite', 'writer')
  const apart = await startProxy(proxy.target)
  running.push({ stop: () => apart.close() })
  await eve.ask('join', place('eve'), link, 'Eve')
  await untilSame(ada, eve)
  // The relay's directory is copied while nobody writes: from here on there are two of it, with one key.
  await eve.ask('disconnect')
  await ada.ask('disconnect')
  cpSync(place('old'), place('twin'), { recursive: true })
  for (const lock of readdirSync(place('twin'), { recursive: true, encoding: 'utf8' })) if (/(^|\/)lock-/.test(lock)) rmSync(join(place('twin'), lock))
  const twin = await relayProcess(place('twin'))
  running.push(twin)
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

/** Which of the words lie in any file below a directory. */
function hunt(directory: string, words: readonly string[]): string[] {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name)).filter((name) => statSync(name).isFile())
  return words.filter((word) => files.some((file) => readFileSync(file).includes(word)))
}

function megabytes(directory: string): string {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name)).filter((name) => statSync(name).isFile())
  return (files.reduce((sum, file) => sum + statSync(file).size, 0) / 1e6).toFixed(1)
}

try {
  await story()
  chapter(`Done in ${total()}.`)
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  for (const thing of running) await thing.stop()
  rmSync(home, { recursive: true, force: true })
}
process.exit()
