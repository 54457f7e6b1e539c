/**
 * `npm run demo`: a relief team shares a sealed database through a relay that nobody has to trust. A relay and the members each run in a process
 * of their own; the data is real. Every ✓ was checked in this run; if one does not hold, the demo fails.
 */
import { openReceipt } from 'sealdb'
import { fork, lies } from './attacks.js'
import { person, relayProcess } from './people.js'
import { startProxy } from './proxy.js'
import { curtain, hunt, megabytes, onStage, place, refusal, untilAlert, untilSame } from './stage.js'
import { bar, chapter, mustHold, say, shown, table, timed, total } from './tell.js'

async function story(): Promise<void> {
  chapter('1  A relay, and a space')
  const relay = onStage(await relayProcess(place('relay')))
  say(`a relay runs at ${relay.url}; it holds no key and knows no schema`)
  const proxy = await startProxy(relay.url)
  onStage({ stop: () => proxy.close() })
  const ada = onStage(await person('Ada'))
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
  const bob = onStage(await person('Bob'))
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

  chapter('8  A receipt, for somebody who is not a member')
  const { receipt, spaceId, relayName, relayKey } = await ada.ask('prove', 'SELECT * FROM visit WHERE owner = 1')
  const trust = { spaceId: bytes(spaceId), relay: { name: relayName, publicKey: bytes(relayKey) } }
  const { table: of, rows: [proved] } = await timed('checked offline, by the id of the space and the key of the relay alone', () => openReceipt(bytes(receipt), trust))
  mustHold(of === 'visit' && proved?.values.report === 'flooded' && proved.author === 1, 'the receipt proves Ada’s visit')
  shown(`${bytes(receipt).length} bytes prove one row, “${String(proved.values.report)}”, by member ${proved.author}; its neighbours stay sealed`)
  const forged = bytes(receipt)
  forged[forged.length >> 1] = (forged[forged.length >> 1] as number) ^ 1
  shown(`with one bit changed it proves nothing: ${(await refusal(openReceipt(forged, trust))).code}`)

  chapter('9  What the relay has')
  const found = hunt(place('relay'), ['El Tarter', 'Andorra', 'bridge is out', 'visit', 'population', 'CREATE TABLE'])
  mustHold(found.length === 0, `nothing readable lies at the relay (found ${found.join(', ')})`)
  shown(`${megabytes(place('relay'))} MB of it, and no name, no value, no SQL in them`)

  chapter('10  A relay that lies')
  await lies(ada, bob, proxy, relay)

  chapter('11  Removal')
  await ada.ask('remove', 2)
  await ada.ask('query', "INSERT INTO note (body) VALUES ('without Bob')")
  await ada.ask('settled')
  const told = await untilAlert(bob, 'removed')
  const bobs = await bob.ask('query', "SELECT count(*) AS n FROM note WHERE body = 'without Bob'")
  mustHold(JSON.stringify(bobs.rows) === '[{"n":0}]', 'Bob reads nothing that was written after his removal')
  shown(`a new epoch began; Bob reads nothing that was written after it, and is told: ${told.message}`)

  chapter('12  A relay that shows two histories')
  await fork(ada, proxy)

  for (const someone of [ada, bob]) await someone.ask('close')
}

const bytes = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, 'base64'))

try {
  await story()
  chapter(`Done in ${total()}.`)
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await curtain()
}
process.exit()
