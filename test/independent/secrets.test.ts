/** PROTOCOL.md is enough for a member to read: with nothing but a device's secret, what was written from its text alone opens epochs, blinding secrets, rows, definitions and names, and knows every token. */
import { expect, it } from 'vitest'
import { buildForget, buildRotate } from '../../engine/group/build-epoch.js'
import { buildNameReseals, buildProfile } from '../../engine/group/builders.js'
import { decodeObject, storedObjects } from '../../engine/space/catalog.js'
import { buildReseal } from '../../engine/space/build-steps.js'
import { decodeRow } from '../../engine/space/row-record.js'
import { ROW_PREFIX_LENGTH, prefixEnd, rowPrefix } from '../../engine/state/keys.js'
import { live } from '../space/random-world.js'
import { seededRandom, type World } from '../space/world.js'
import { agreementKey } from './group.mjs'
import { Machine } from './state.mjs'
import { Secrets } from './secrets.mjs'

const SEED = 14

/** The founder's device, by its secret: the second thing that the world's source gives. */
function secretsOf(world: World): Secrets {
  const random = seededRandom(SEED)
  random(32)
  const { secret, publicKey } = agreementKey(Buffer.from(random(32)))
  expect(publicKey).toEqual(Buffer.from(world.ada.keyring.agreement))
  const machine = new Machine(Buffer.from(world.spaceId))
  for (const { key, value } of world.state.tree.scan(Uint8Array.of(0))) machine.content.set(Buffer.from(key), Buffer.from(value))
  return new Secrets(machine.content, Buffer.from(world.spaceId), 1, secret)
}

function compare(world: World): { readonly rows: number; readonly epochs: number; readonly generations: number } {
  const { keyring } = world.ada
  const secrets = secretsOf(world)
  for (const [epoch, { data, link }] of secrets.epochs) {
    expect(data).toEqual(Buffer.from(keyring.dataSecret(epoch)))
    if (link !== undefined) expect(link).toEqual(Buffer.from(keyring.linkSecret(epoch)))
  }
  for (const [generation, secret] of secrets.blinding) expect(secret).toEqual(Buffer.from(keyring.blinding(generation)))
  const sealer = world.sealer(world.ada)
  let rows = 0
  for (const { id, value } of storedObjects(world.state.tree)) {
    const record = decodeObject(value)
    const theirs = sealer.openObject(id, record)
    const object = secrets.object(id)
    if (typeof theirs === 'string' || theirs.table === undefined || record.table === undefined) throw new Error('a table that does not open')
    expect([object.sealed, object.policies]).toEqual([Buffer.from(theirs.sealed), theirs.table.policies.map(({ name }) => Buffer.from(name))])
    expect(secrets.nameToken(record.generation, `table:${id}`)).toEqual(object.nameToken)
    for (const entry of world.state.tree.scan(rowPrefix(id), prefixEnd(rowPrefix(id)))) {
      const [rowKey, row] = [entry.key.slice(ROW_PREFIX_LENGTH), decodeRow(entry.value)]
      const opened = sealer.openRow(id, record, record.table, rowKey, row)
      if (typeof opened === 'string') throw new Error(opened)
      const found = secrets.row(id, Buffer.from(rowKey))
      expect([found.key, found.body]).toEqual([opened.key, Buffer.from(opened.body)])
      if (record.table.key === 'blinded') expect(secrets.keyToken(id, rowKey[0]!, found.key)).toEqual(Buffer.from(rowKey))
      for (const { index, values } of found.blind) {
        const unique = record.table.indexes.some((each) => each.id === index && each.unique)
        const token = found.tokens.find((each) => each.index === index)?.token
        if (!values.includes(null)) expect(secrets.indexToken(id, index, unique, token![0]!, row.epoch, values)).toEqual(token)
      }
      rows++
    }
  }
  return { rows, epochs: secrets.epochs.size, generations: secrets.blinding.size }
}

it('opens all there is, through epochs, generations and a cut', () => {
  const { world } = live(SEED, 120)
  const { ada } = world
  const before = compare(world)
  expect(before.rows).toBeGreaterThan(5)
  expect(before.epochs).toBeGreaterThan(2)
  const commit = (ops: Parameters<World['record']>[1]): void => {
    world.mustLand(world.record(ada, ops))
    ada.keyring.open(world.state.tree)
  }
  const names = [buildProfile(world.context(ada), 'member', 1, 'Ada'), buildProfile(world.context(ada), 'device', 1, 'laptop'), buildProfile(world.context(ada), 'member', 2, 'Bob')]
  commit(names)
  const named = (): unknown[] => { const secrets = secretsOf(world); return [secrets.name(0, 1), secrets.name(1, 1), secrets.name(0, 2), secrets.name(1, 2)] }
  expect(named()).toEqual(['Ada', 'laptop', 'Bob', undefined])
  commit([buildRotate(world.context(ada))])
  world.epoch++
  const cut = world.epoch
  commit([...buildReseal(world.bench(ada), cut, 10_000).ops, ...buildNameReseals(world.context(ada), cut)])
  commit(buildForget(world.context(ada), cut).ops)
  world.epoch++
  // Beyond the cut nothing is left but the newest epochs, and what is sealed under them.
  expect(compare(world)).toEqual({ rows: before.rows, epochs: 2, generations: 2 })
  expect(named()).toEqual(['Ada', 'laptop', 'Bob', undefined])
})
