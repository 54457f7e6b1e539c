/**
 * Lives of a space: members, one order of entries, everything at random and seeded — rows, roles, invitations, removals, rotations, forgetting,
 * queues written offline, restarts, entries of junk. After every step an auditor compares all that are in step with one who follows the log alone.
 * A failing seed stands in the test's name.
 */
import { describe, expect, it } from 'vitest'
import { encodeHex } from '../../engine/codec/bytes.js'
import { isSealError } from '../../engine/errors.js'
import { forget, invite, leave, reblind, refreshIfNeeded, remove, rotate, rotateIfNeeded, setProfile, setRole } from '../../engine/space/acts.js'
import { audit } from '../../engine/space/audit.js'
import { createSpace, openSpace } from '../../engine/space/open.js'
import { writeStoredSnapshot } from '../../engine/space/snapshot.js'
import type { Space } from '../../engine/space/space.js'
import type { Draft, RowView, View } from '../../engine/space/types.js'
import type { SpaceView } from '../../engine/space/view.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { StoreLocation } from '../../engine/store/store.js'
import { createTable, crypto, optionsOf, put, rows, seededRandom, taskTable } from './rim-support.js'
import { Sequencer } from './sequencer.js'

const LIVES = Number(process.env['SEALDB_LIVES'] ?? 3)
const STEPS = Number(process.env['SEALDB_STEPS'] ?? 30)

interface Person { readonly name: string; space: Space; readonly location: StoreLocation; readonly retries: { hash: Uint8Array; replay: Uint8Array | undefined }[] }

class Life {
  readonly #seed: number
  readonly #random: (length: number) => Uint8Array
  relay!: Sequencer
  people: Person[] = []
  /** What each accepted write was, by its replay bytes; and what of it was given up. */
  readonly written = new Map<string, string>()
  readonly givenUp = new Set<string>()
  #writes = 0
  #opened = 0

  constructor(seed: number) {
    this.#seed = seed
    this.#random = seededRandom(`life ${seed}`)
  }

  roll(n: number): number {
    const [a, b] = this.#random(2)
    return (((a as number) << 8) | (b as number)) % n
  }
  pick<T>(from: readonly T[]): T {
    return from[this.roll(from.length)] as T
  }
  with(...roles: string[]): Person[] {
    return this.people.filter(({ space }) => space.me.role !== undefined && roles.includes(space.me.role))
  }

  async found(): Promise<void> {
    const location = memoryStore()
    const space = await createSpace(await location.open(), optionsOf(`${this.#seed} 0`), { name: 'p0' })
    // Of keys that can be re-blinded, with odd seeds.
    const task = taskTable(1)
    const table = task.table && { ...task.table, key: this.#seed % 2 === 1 ? 'blinded' as const : 'plain' as const }
    await space.commit(createTable({ ...task, ...(table && { table }) }, 'table:task'), space.current)
    this.relay = await Sequencer.attach(space)
    this.meet('p0', space, location)
  }

  meet(name: string, space: Space, location: StoreLocation): void {
    const person: Person = { name, space, location, retries: [] }
    this.people.push(person)
    this.listen(person)
  }

  listen(person: Person): void {
    person.space.on('retry', ({ hash, replay }) => person.retries.push({ hash, replay }))
    person.space.on('alert', (alert) => { if (alert.code !== 'removed' && alert.code !== 'relay-junk') throw new Error(`seed ${this.#seed}: ${person.name}: ${alert.code}: ${alert.message}`) })
  }

  async write(person: Person): Promise<void> {
    const { space } = person
    const key = this.roll(12)
    const held = [...space.current.rows(1)].map((row) => Number(keyOf(row as RowView)))
    const id = `w${this.#writes++}`
    const kind = !held.includes(key) ? 'insert' : this.roll(3) === 0 ? 'delete' : 'update'
    const change = kind === 'delete' ? { kind: 'delete' as const, table: 1, key: [BigInt(key)] } : put(kind, 1, BigInt(key), BigInt(key), id)
    await commit(space, { ...rows(change), replay: new TextEncoder().encode(id) })
    this.written.set(id, person.name)
  }

  /** What was refused is executed again as something of its own that cannot fail, or given up. */
  async retry(person: Person): Promise<void> {
    for (const { hash, replay } of person.retries.splice(0)) {
      if (!person.space.writable || person.space.me.role === 'reader' || person.space.me.role === undefined || this.roll(3) === 0 || !replay) {
        await person.space.retried(hash)
        if (replay) this.givenUp.add(new TextDecoder().decode(replay))
        continue
      }
      const id = new TextDecoder().decode(replay)
      await commit(person.space, { ...rows(put('insert', 1, BigInt(1_000 + Number(id.slice(1))), 0n, id)), replay })
    }
  }

  async restart(person: Person): Promise<void> {
    const { space } = person
    if (this.roll(2) === 0) await writeStoredSnapshot(space.store, space.head, (space.verified as SpaceView).held, space.log)
    const { head } = space
    const before = dump(space.current)
    person.retries.splice(0) // told again
    await space.close()
    person.space = await openSpace(await person.location.open(), optionsOf(`${this.#seed} again ${this.#opened++}`))
    expect(person.space.head).toEqual(head)
    expect(dump(person.space.current)).toEqual(before)
    this.listen(person)
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** An act that needs the log's word, by somebody in step. Another may have been faster: that is said, not waited for. */
  async act<T>(person: Person, act: (space: Space) => Promise<T>): Promise<T | undefined> {
    await this.relay.exchange(person.space)
    await this.retry(person)
    try {
      return await this.relay.during(person.space, act(person.space))
    } catch (error) {
      if (!isSealError(error) || error.family === 'bug' || error.family === 'hostile') throw error
      return undefined
    }
  }

  /** To its end, or given up after a step, for another admin to go on from. */
  async reblind(space: Space): Promise<void> {
    const stop = new AbortController()
    const onProgress = (): void => { if (this.roll(2) === 0) stop.abort() }
    await reblind(space, { nameOf: () => 'table:task', onProgress, signal: stop.signal }).catch((error: unknown) => { if (!stop.signal.aborted) throw error })
  }

  async step(): Promise<void> {
    const person = this.pick(this.people)
    const admins = this.with('owner', 'admin')
    switch (this.roll(16)) {
      case 0: case 1: case 2: case 3: case 4: case 5: {
        const writers = this.with('owner', 'admin', 'writer')
        const who = this.pick(writers)
        // Perhaps several, offline.
        for (let i = this.roll(3); i >= 0; i--) await this.write(who).catch(refused)
        return
      }
      case 6: case 7: return this.relay.exchange(person.space)
      case 8: return this.restart(person)
      case 9: return void (await this.act(this.pick(admins), this.roll(3) === 0 ? rotate : (space) => this.reblind(space)))
      case 10: {
        if (this.people.length > 5) return
        const link = await this.act(this.pick(admins), (space) => invite(space, { role: this.pick(['writer', 'reader', 'admin']) }))
        if (link === undefined) return
        const location = memoryStore()
        const name = `p${this.#opened++}`
        try {
          // Every other newcomer starts from a snapshot, and is as good as those who know everything.
          const snapshot = this.#opened % 2 === 0 ? this.relay.snapshot : undefined
          this.meet(name, await this.relay.join(location, link, `${this.#seed} ${name}`, snapshot), location)
        } catch (error) {
          if (!isSealError(error, 'rejected')) throw error
        }
        return
      }
      case 11: {
        const others = this.with('writer', 'reader')
        if (others.length === 0) return
        const target = this.pick(others).space.me.member
        return void (await this.act(this.pick(admins), (space) => remove(space, { members: [target] })))
      }
      case 12: {
        const target = this.pick(this.with('writer', 'reader', 'admin').concat(this.people[0] as Person)).space.me.member
        return void (await this.act(this.people[0] as Person, (space) => setRole(space, target, this.pick(['writer', 'reader', 'admin']))))
      }
      case 13: return void (await this.act(this.people[0] as Person, (space) => forget(space)))
      case 14: {
        const leavers = this.with('writer', 'reader')
        if (leavers.length > 1) await this.act(this.pick(leavers), (space) => leave(space))
        return
      }
      default: {
        // Junk, as an evil relay would store it.
        const last = (this.relay.records.at(-1) as Uint8Array).slice()
        last[last.length - 1 - this.roll(64)] = this.roll(256)
        this.relay.take(last, true)
        if (person.space.me.role !== undefined) await this.act(person, (space) => setProfile(space, { name: `n${this.roll(9)}` }))
      }
    }
  }

  /** Everybody sends, sees and does what a client does by itself, until nothing moves. */
  async meetAll(): Promise<void> {
    for (let round = 0; round < 12; round++) {
      for (const person of this.people) {
        await this.relay.exchange(person.space)
        await this.retry(person)
        if (!person.space.writable) continue
        for (const duty of [rotateIfNeeded, refreshIfNeeded]) await this.act(person, duty)
        await this.relay.exchange(person.space)
      }
      this.people = this.people.filter(({ space }) => space.me.role !== undefined || this.#part(space))
      if (this.people.every(({ space, retries }) => retries.length === 0 && space.outbox().length === 0 && space.head.size === this.relay.records.length)) return
    }
    throw new Error(`seed ${this.#seed}: they do not come to rest`)
  }
  readonly parted: Space[] = []
  #part(space: Space): false {
    this.parted.push(space)
    return false
  }

  /** Whoever is in step sees the same; nobody ever sees two things at one size; nothing is held on to. */
  audit(): void {
    const roots = new Map<number, string>()
    for (const { space, name } of this.people) {
      const { size } = space.head
      const root = encodeHex(space.head.stateRoot)
      expect(roots.get(size) ?? root, `${name} at ${size}`).toBe(root)
      roots.set(size, root)
      expect(encodeHex(space.head.logRoot)).toBe(encodeHex(this.relay.follower.log.root(size)))
      if (size === this.relay.records.length) expect(root).toBe(encodeHex(this.relay.head.stateRoot))
      // verified, the follower's own, and current if it is another
      // The follower's, two views', and what came of each entry that waits.
      expect(space.stats.versions, name).toBeLessThanOrEqual(3 + space.outbox().length)
    }
  }
}

function refused(error: unknown): void {
  if (!isSealError(error) || error.family === 'bug' || error.family === 'hostile') throw error
}

/** As query does: where the state moved on (here, by a secret for an epoch that had none), once more. */
async function commit(space: Space, draft: Draft): Promise<void> {
  try {
    await space.commit(draft, space.current)
  } catch (error) {
    if (!isSealError(error, 'stale-view')) throw error
    await space.commit(draft, space.current)
  }
}

function keyOf(row: RowView): bigint {
  return row.plain[0] as bigint
}

function dump(view: View): readonly (readonly unknown[])[] {
  return [...view.rows(1)].map((row) => [encodeHex(row.rowKey), row.author, row.version, 'body' in row ? new TextDecoder().decode(row.body) : row.reason])
}

describe('lives of a space', () => {
  for (let seed = 1; seed <= LIVES; seed++) {
    it(`seed ${seed}`, async () => {
      const life = new Life(seed)
      await life.found()
      for (let step = 0; step < STEPS; step++) {
        await life.step()
        life.audit()
      }
      await life.meetAll()
      life.audit()
      const [first, ...others] = life.people.map(({ space }) => dump(space.current))
      for (const other of others) expect(other).toEqual(first)
      expect((first ?? []).every((row) => row[3] !== undefined && /^w\d+$/.test(String(row[3])))).toBe(true)
      const { relay } = life
      const [founder] = life.people as [Person]
      // AS OF n is the log replayed to n; in any order; twice at once.
      const sizes = Array.from({ length: relay.records.length }, (_, i) => i + 1)
      const again = new Sequencer(relay.records.slice(0, 1), new Uint8Array(32))
      const roots = ['', encodeHex(again.head.stateRoot)]
      for (const record of relay.records.slice(1)) {
        again.take(record, true)
        roots.push(encodeHex(again.head.stateRoot))
      }
      expect(again.head).toEqual(relay.head)
      expect(again.verdicts).toEqual(relay.verdicts)
      const shuffled = sizes.map((size) => [life.roll(60_000), size] as const).sort(([a], [b]) => a - b).map(([, size]) => size)
      for (let i = 0; i < shuffled.length; i += 3) {
        await Promise.all(shuffled.slice(i, i + 3).map(async (size) => {
          const view = await founder.space.at(size)
          expect(encodeHex(view.head.stateRoot), `AS OF ${size}`).toBe(roots[size])
          if (view.catalog.length > 0) expect(view.count(1)).toBe([...view.rows(1)].length)
          view.release()
        }))
      }
      for (const { space, location } of life.people) {
        if (space.store.first > 0) await expect(audit(space.store, crypto)).rejects.toMatchObject({ code: 'out-of-scope' })
        else expect((await audit(space.store, crypto)).problems).toEqual([])
        await writeStoredSnapshot(space.store, space.head, (space.verified as SpaceView).held, space.log)
        const { head } = space
        const before = dump(space.current)
        await space.close()
        const reopened = await openSpace(await location.open(), optionsOf('last'))
        expect(reopened.head).toEqual(head)
        expect(dump(reopened.current)).toEqual(before)
        await reopened.close()
      }
      for (const space of life.parted) await space.close()
    })
  }
})

describe('a long life', () => {
  it('holds on to nothing: versions of the state stay the same over 1,000 commits', async () => {
    const space = await createSpace(await memoryStore().open(), optionsOf('long'))
    await space.commit(createTable(taskTable(1), 'table:task'), space.current)
    const { versions } = space.stats
    for (let i = 0; i < 1_000; i++) {
      await space.commit(rows(put(i < 10 ? 'insert' : 'update', 1, BigInt(i % 10), 0n, `row ${i}`)), space.current)
      if (i % 100 === 0) await expect(space.commit(rows(put('insert', 1, 0n, 0n, 'again')), space.current)).rejects.toThrow()
    }
    expect(space.stats.versions).toBe(versions)
    await space.close()
  })
})
