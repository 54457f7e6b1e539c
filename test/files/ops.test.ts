/** Files in the state: every accept and its refusals (PROTOCOL.md §6.4, §8.7), the state compared byte for byte. */
import { beforeEach, describe, expect, it } from 'vitest'
import { encodeHex } from '../../engine/codec/bytes.js'
import { buildForget, buildLeave, buildRemoval, buildRotate } from '../../engine/group/build-epoch.js'
import { buildNameReseals } from '../../engine/group/builders.js'
import { FILE_CHUNK_LENGTH, MAX_FILE_LENGTH } from '../../engine/limits.js'
import { buildFileReseals, buildPutFile } from '../../engine/space/build-files.js'
import type { LogProof } from '../../engine/log/merkle.js'
import { buildDraft } from '../../engine/space/build.js'
import { buildReseal } from '../../engine/space/build-steps.js'
import { fileIdOf, readFile, storedFiles, verifyChunk, type FileFacts } from '../../engine/space/file-record.js'
import type { ResealFileOp } from '../../engine/space/ops/file.js'
import { openFileContent, sealFileContent, viewFile } from '../../engine/space/seal-file.js'
import { applyWithWitness, recordWitness } from '../../engine/space/witness.js'
import type { AdaptedState } from '../../engine/state/adapt.js'
import { KEY_KIND, liveKey } from '../../engine/state/keys.js'
import { decodeMeta } from '../../engine/state/roster.js'
import type { StateView } from '../../engine/state/view.js'
import { codeOf } from '../outcomes.js'
import { crypto, expectIgnored, expectRejected, insert, table, World, type Person } from '../space/support.js'
import { makeFile, sampleBytes, treeOf, type MadeFile } from './support.js'

let world: World
let ada: Person
let bob: Person
let carl: Person
let eve: Person
let file: MadeFile

beforeEach(() => {
  world = new World()
  ada = world.ada
  bob = world.join('bob', 'writer')
  carl = world.join('carl', 'writer')
  eve = world.join('eve', 'reader')
  file = makeFile(world, bob, sampleBytes(300_000))
  world.mustLand(world.record(bob, [file.op]))
})

const id = (): Uint8Array => file.op.id
const stored = (): ReturnType<typeof readFile> => readFile(world.state.tree, id())
const live = (epoch: number): number => world.state.tree.count(liveKey(epoch, 0), liveKey(epoch, 1))
const rotate = (): void => {
  world.mustLand(world.record(ada, [buildRotate(world.context(ada))]))
  world.epoch = decodeMeta(world.state.tree.get(Uint8Array.of(KEY_KIND.meta)) as Uint8Array).epoch
  for (const person of [ada, bob, carl, eve]) person.keyring.open(world.state.tree)
}

describe('file.put', () => {
  it('keeps length, root and commitment, counts one sealed value, and opens for every member, with its name', () => {
    expect(stored()).toMatchObject({ creator: bob.member, member: bob.member, device: bob.device, epoch: 1, ...file.facts })
    expect(live(1)).toBe(1)
    for (const person of [ada, eve]) {
      const [seen] = [...storedFiles(world.state.tree)].map((each) => viewFile(world.env, person.keyring, each))
      expect(seen).toEqual({ id: id(), name: 'plan.pdf', type: 'application/pdf', length: 300_000, creator: bob.member, version: world.records.length - 1 })
    }
  })

  it('has as many chunks as the length says: none missing at the borders, one of nothing for an empty file', () => {
    const counts = [0, 1, FILE_CHUNK_LENGTH - 1, FILE_CHUNK_LENGTH, FILE_CHUNK_LENGTH + 1, 2 * FILE_CHUNK_LENGTH].map((n) => makeFile(world, bob, sampleBytes(n)).chunks.map(({ length }) => length))
    const full = FILE_CHUNK_LENGTH + 16
    expect(counts).toEqual([[16], [17], [full - 1], [full], [full, 17], [full, full]])
  })

  it('refuses: readers, a present file, the same twice in an entry, another id, another epoch, no sealed value', () => {
    const other = makeFile(world, carl, sampleBytes(5))
    expectRejected(world, eve, world.record(eve, [makeFile(world, eve, sampleBytes(5)).op]), 'role', 'writer', 0)
    expectRejected(world, bob, world.record(bob, [file.op]), 'conflict', 'present', 0)
    expectRejected(world, carl, world.record(carl, [other.op, other.op]), 'rule', 'repeated-key', 1)
    for (const wrong of [{ id: id() }, { id: world.random(32) }]) {
      const op = { ...other.op, ...wrong }
      expectRejected(world, carl, world.record(carl, [op]), wrong.id === id() ? 'conflict' : 'rule', wrong.id === id() ? 'present' : 'file-id', 0)
    }
    const lies: readonly Partial<FileFacts>[] = [{ length: 6 }, { root: world.random(32) }, { commitment: world.random(32) }]
    for (const lie of lies) expectRejected(world, carl, world.record(carl, [{ ...other.op, ...lie }]), 'rule', 'file-id', 0)
    const form = other.op.sealed.slice()
    form[0] = 2
    expectRejected(world, carl, world.record(carl, [{ ...other.op, sealed: form }]), 'rule', 'sealed-form', 0)
    const epoch = other.op.sealed.slice()
    epoch[4] = 9
    expectRejected(world, carl, world.record(carl, [{ ...other.op, sealed: epoch }]), 'rule', 'sealed-epoch', 0)
    world.mustLand(world.record(carl, [other.op]))
  })

  it('is malformed beyond the longest file, or with a sealed value of another length', () => {
    const facts = { length: MAX_FILE_LENGTH, root: world.random(32), commitment: world.random(32) }
    const longest = { ...file.op, ...facts, id: fileIdOf(world.env.crypto, world.spaceId, facts) }
    world.mustLand(world.record(bob, [longest]))
    expectIgnored(world, world.record(bob, [{ ...longest, length: MAX_FILE_LENGTH + 1 }]), 'malformed')
    expect(codeOf(() => world.record(bob, [{ ...file.op, sealed: file.op.sealed.subarray(1) }]))).toBe('bad-value')
  })

  it('refuses in an epoch without a secret', () => {
    const next = makeFile(world, carl, sampleBytes(9)).op
    world.mustLand(world.record(eve, buildLeave(world.context(eve), 'member').ops))
    world.epoch = 2
    expectRejected(world, carl, world.record(carl, [next]), 'rule', 'epoch-void', 0)
  })

  it('is the same file when it is put again under another epoch: same id, same chunks', () => {
    const late = makeFile(world, bob, sampleBytes(10))
    rotate()
    const again = buildPutFile(world.bench(bob), late.facts, late.content)
    expect(encodeHex(again.id)).toBe(encodeHex(late.op.id))
    expectRejected(world, bob, world.record(bob, [late.op], { epoch: 1 }), 'epoch')
    world.mustLand(world.record(bob, [again]))
    expect(openFileContent(world.env, ada.keyring, again.id, readFile(world.state.tree, again.id) as NonNullable<ReturnType<typeof readFile>>).name).toBe('plan.pdf')
  })
})

describe('a chunk', () => {
  const verdict = (facts: FileFacts, number: number, chunk: Uint8Array, proof: LogProof): string => codeOf(() => verifyChunk(crypto, facts, number, chunk, proof))

  it('is at its place, of its length, under the file’s root', () => {
    const { facts, chunks, tree } = file
    const proof = (at: number): LogProof => tree.inclusionProof(at)
    expect(chunks).toHaveLength(3)
    for (const [at, chunk] of chunks.entries()) {
      expect(verdict(facts, at, chunk, proof(at))).toBe('no error')
      for (const elsewhere of [at - 1, at + 1, 3, at + 0.5, NaN, -1, 2 ** 40]) expect(verdict(facts, elsewhere, chunk, proof(at)), String(elsewhere)).toBe('bad-proof')
      for (const wrong of [proof(at).slice(1), [...proof(at), new Uint8Array(32)], proof((at + 1) % 3), Array.from({ length: 64 }, () => new Uint8Array(32))]) expect(verdict(facts, at, chunk, wrong)).toBe('bad-proof')
      expect(verdict(facts, at, chunk.subarray(1), proof(at))).toBe('bad-proof')
    }
  })

  it('is of its length even where the author’s root is over another', () => {
    const { facts, chunks } = file
    const liars = [chunks.map((chunk, i) => (i === 1 ? chunk.subarray(1) : chunk)), chunks.map((chunk, i) => (i === 2 ? new Uint8Array(chunk.length + 1) : chunk))]
    for (const [n, lied] of liars.entries()) {
      const tree = treeOf(lied)
      const at = n + 1
      expect(verdict({ ...facts, root: tree.root() }, at, lied[at] as Uint8Array, tree.inclusionProof(at))).toBe('bad-proof')
      expect(verdict({ ...facts, root: tree.root() }, 0, lied[0] as Uint8Array, tree.inclusionProof(0))).toBe('no error')
    }
  })
})

describe('file.delete', () => {
  it('is for who put it and for admins; nothing is left', () => {
    const second = makeFile(world, bob, sampleBytes(20))
    world.mustLand(world.record(bob, [second.op]))
    expectRejected(world, carl, world.record(carl, [{ op: 'file.delete', id: id() }]), 'role', 'not-creator', 0)
    expectRejected(world, eve, world.record(eve, [{ op: 'file.delete', id: id() }]), 'role', 'writer', 0)
    world.mustLand(world.record(bob, [{ op: 'file.delete', id: id() }]))
    world.mustLand(world.record(ada, [{ op: 'file.delete', id: second.op.id }]))
    expect([...storedFiles(world.state.tree)]).toEqual([])
    expect(live(1)).toBe(0)
  })

  it('refuses: an absent file, one twice in an entry, one that changed since the base', () => {
    const base = world.headAt(world.records.length - 1)
    expectRejected(world, ada, world.record(ada, [{ op: 'file.delete', id: id() }], { base }), 'conflict', 'file-version', 0)
    expectRejected(world, ada, world.record(ada, [{ op: 'file.delete', id: world.random(32) }]), 'conflict', 'absent', 0)
    expectRejected(world, ada, world.record(ada, [{ op: 'file.delete', id: id() }, { op: 'file.delete', id: id() }]), 'rule', 'repeated-key', 1)
    // One's own device knows what it did.
    const own = makeFile(world, carl, sampleBytes(7))
    const before = world.head
    world.mustLand(world.record(carl, [own.op], { base: before }))
    world.mustLand(world.record(carl, [{ op: 'file.delete', id: own.op.id }], { base: before }))
  })
})

describe('file.reseal', () => {
  const reseal = (by: Person, content = file.content): ResealFileOp => ({ op: 'file.reseal', id: id(), sealed: sealFileContent(world.env, by.keyring, id(), world.epoch, by.device, world.random(24), content) })

  it('moves the sealed key to the present epoch, for admins, and leaves creator and content', () => {
    const before = stored()
    rotate()
    expectRejected(world, bob, world.record(bob, [reseal(bob)]), 'role', 'admin', 0)
    expectRejected(world, ada, world.record(ada, [reseal(ada)], { base: world.headAt((before?.version ?? 0)) }), 'conflict', 'file-version', 0)
    expectRejected(world, ada, world.record(ada, [{ ...reseal(ada), id: world.random(32) }]), 'conflict', 'absent', 0)
    expectRejected(world, ada, world.record(ada, [{ ...reseal(ada), sealed: file.op.sealed }]), 'rule', 'sealed-epoch', 0)
    expectRejected(world, ada, world.record(ada, [reseal(ada), reseal(ada)]), 'rule', 'repeated-key', 1)
    world.mustLand(world.record(ada, [reseal(ada)]))
    expect(stored()).toMatchObject({ creator: bob.member, member: ada.member, device: ada.device, epoch: 2, ...file.facts })
    expect([live(1), live(2)]).toEqual([0, 1])
    expect(openFileContent(world.env, eve.keyring, id(), stored() as NonNullable<ReturnType<typeof stored>>).key).toEqual(file.key)
  })

  it('can give no other name or key: what opens to anything else than was put is unopened, and its author named', () => {
    rotate()
    const other = makeFile(world, ada, sampleBytes(300_000), 'other.pdf')
    world.mustLand(world.record(ada, [reseal(ada, other.content)]))
    const [found] = [...storedFiles(world.state.tree)]
    expect(viewFile(world.env, bob.keyring, found as NonNullable<typeof found>)).toMatchObject({ name: undefined, type: undefined })
    expect(codeOf(() => openFileContent(world.env, bob.keyring, id(), found as NonNullable<typeof found>))).toBe('open-failed')
    expect(found?.device).toBe(ada.device)
  })
})

describe('forget', () => {
  it('waits for the keys of files, not their chunks; a newcomer opens the live file and not what was deleted', () => {
    const deleted = makeFile(world, bob, sampleBytes(30))
    world.mustLand(world.record(bob, [deleted.op]))
    const old = readFile(world.state.tree, deleted.op.id) as NonNullable<ReturnType<typeof readFile>>
    world.mustLand(world.record(bob, [{ op: 'file.delete', id: deleted.op.id }]))
    rotate()
    const ops = buildForget(world.context(ada), 2).ops
    expectRejected(world, ada, world.record(ada, ops), 'rule', 'live-values')
    const { ops: reseals, stuck } = buildFileReseals(world.bench(ada), 2, 100)
    expect([reseals.length, stuck.length]).toEqual([1, 0])
    expect(buildReseal(world.bench(ada), 2, 100).ops).toEqual([])
    world.mustLand(world.record(ada, [...reseals, ...buildNameReseals(world.context(ada), 2)]))
    world.mustLand(world.record(ada, buildForget(world.context(ada), 2).ops))
    world.epoch = 3
    for (const person of [ada, bob]) {
      person.keyring.open(world.state.tree)
      person.keyring.settle(world.state.tree)
    }
    const flo = world.join('flo', 'reader')
    expect(openFileContent(world.env, flo.keyring, id(), stored() as NonNullable<ReturnType<typeof stored>>)).toMatchObject({ name: 'plan.pdf', key: file.key })
    for (const person of [flo, ada]) expect(codeOf(() => openFileContent(world.env, person.keyring, deleted.op.id, old))).toBe('no-secret')
  })

  it('names what does not open: it has to be deleted', () => {
    const broken = { ...file.op, ...{ commitment: world.random(32) } }
    world.mustLand(world.record(carl, [{ ...broken, id: fileIdOf(world.env.crypto, world.spaceId, broken) }]))
    rotate()
    expect(buildFileReseals(world.bench(ada), 2, 100).stuck.length).toBe(1)
  })
})

it('a removed member with every secret opens nothing that is put afterwards', () => {
  const before = bob.keyring
  world.mustLand(world.record(ada, buildRemoval(world.context(ada), { members: [bob.member] }).ops))
  world.epoch = 2
  carl.keyring.open(world.state.tree)
  before.open(world.state.tree)
  const later = makeFile(world, carl, sampleBytes(40))
  world.mustLand(world.record(carl, [later.op]))
  const record = readFile(world.state.tree, later.op.id) as NonNullable<ReturnType<typeof readFile>>
  expect(codeOf(() => openFileContent(world.env, before, later.op.id, record))).toBe('no-secret')
  expect(openFileContent(world.env, carl.keyring, later.op.id, record).key).toEqual(later.key)
})

it('rows and files share an entry, and a witness of it gives the same verdict', () => {
  world.mustCommit(ada, { catalog: [{ kind: 'create', object: table(1), name: 'table:photo' }] })
  const photo = makeFile(world, carl, sampleBytes(50))
  const { ops } = buildDraft(world.bench(carl), { catalog: [], rows: [insert(1, [1n])], reads: [] })
  const record = world.record(carl, [photo.op, ...ops])
  const { version } = (world.state.tree as AdaptedState<StateView>).state
  const { witness } = recordWitness(world.env, world.tree, version, world.state.log, [record], { signature: 'check' })
  const witnessed = applyWithWitness(world.env, world.head, world.state.log, [record], witness, { signature: 'check' })
  world.mustLand(record)
  expect(witnessed).toMatchObject({ verdicts: [{ kind: 'applied' }], head: world.head })
})
