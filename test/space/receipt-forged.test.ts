/** Receipts that members, relays and whoever has their keys could make: all of each is signed and proved but the one thing that is not so (PROTOCOL.md §9.7). */
import { beforeEach, describe, expect, it } from 'vitest'
import { encodeUtf8 } from '../../engine/codec/bytes.js'
import { discloseSubkey } from '../../engine/crypto/aead.js'
import { MAX_RECEIPT_LENGTH } from '../../engine/limits.js'
import { checkpointSigner, formatCheckpoint, formatStateLine, originOfSpace } from '../../engine/log/checkpoint.js'
import { formatNote, signNote, type NoteSigner } from '../../engine/log/note.js'
import { LogTree } from '../../engine/log/tree.js'
import { decodeObject, encodeObject } from '../../engine/space/catalog.js'
import { type Entry, signEntry } from '../../engine/space/entry.js'
import { encodeReceipt, readReceipt, type Receipt } from '../../engine/space/receipt.js'
import { decodeRow } from '../../engine/space/row-record.js'
import type { Head, PolicyExpression } from '../../engine/space/types.js'
import type { AdaptedState } from '../../engine/state/adapt.js'
import { EditBatch } from '../../engine/state/edits.js'
import { deviceKey, memberKey, objectKey, pointerKey, protocolKey, rowPrefix, rowStateKey, ROW_PREFIX_LENGTH } from '../../engine/state/keys.js'
import { decodeDevice, decodeMember, encodeDevice, encodeMember } from '../../engine/state/roster.js'
import type { StateView } from '../../engine/state/view.js'
import type { ReceiptTrust } from '../../engine/verify.js'
import { verifyReceipt } from '../independent/receipts-both.js'
import { codeOf } from '../outcomes.js'
import { crypto, hashOf, insert, policy, table, World, type Person } from './support.js'

const NAME = 'relay.test'
const NO_TABLE = 0
const YES: PolicyExpression = { kind: 'constant', value: 1n }
let world: World
let bob: Person
let log: LogTree
let trust: ReceiptTrust
const relaySigner = crypto.signer(new Uint8Array(32).fill(7))
const relay: NoteSigner = checkpointSigner(crypto, NAME, relaySigner)

beforeEach(() => {
  world = new World()
  const { ada } = world
  world.mustCommit(ada, { catalog: [{ kind: 'create', object: table(1, { policies: [policy({ using: YES, check: YES })] }), name: 'table:task' }] })
  bob = world.join('bob', 'writer')
  world.mustLand(world.record(ada, [{ op: 'relay', relay: { url: 'memory:', name: NAME, publicKey: relaySigner.publicKey } }]))
  world.mustCommit(ada, { rows: [insert(1, [1n]), insert(1, [2n]), insert(1, [3n])] })
  log = new LogTree(crypto)
  for (const record of world.records) log.append(hashOf(record))
  trust = { spaceId: world.spaceId, relay: { name: NAME, publicKey: relaySigner.publicKey }, devices: [bob.signer.publicKey] }
})

type Signed = Partial<Entry> & { readonly by?: Person }
interface Forged { readonly also?: Uint8Array; readonly without?: 'rows' | 'vouchers'; readonly note?: Uint8Array; readonly rows?: readonly Uint8Array[]; readonly vouchers?: readonly (Signed & { readonly named?: number; readonly admittedAt?: number; readonly admission?: Uint8Array })[]; readonly spaceId?: Uint8Array; readonly head?: Head }

/** An entry as one that vouches for `head`. */
function vouching(head: Head, { by = bob, ...over }: Signed): Uint8Array {
  return signEntry({ spaceId: world.spaceId, base: head, device: by.device, devicePrev: world.devicePrev(by.device), epoch: 1, time: 0, adopted: false, reads: [], ops: [{ op: 'upgrade', version: 2 }], ...over }, by.signer)
}

/** A receipt in which everything that is not said is as it should be. */
function receipt({ also, without, note, rows: wanted = rowKeys(), vouchers: who = note ? [] : [{}], spaceId = world.spaceId, head = world.head }: Forged): Uint8Array {
  const { version } = (world.state.tree as AdaptedState<StateView>).state
  const vouchers: Receipt['vouchers'] = who.map(({ named, admittedAt, admission, ...signed }) => {
    const device = named ?? (signed.by ?? bob).device
    const index = admittedAt ?? decodeDevice(world.state.tree.get(deviceKey(device)) as Uint8Array).admittedAt
    return { device, record: vouching(head, signed), admission: admission ?? world.records[index] as Uint8Array, inclusion: log.inclusionProof(index) }
  })
  const sealed = (epoch: number, of: number, value: Uint8Array): Uint8Array => discloseSubkey(crypto, world.ada.keyring.tableKey(epoch, of), value)
  const rows = wanted.map((rowKey) => {
    const row = decodeRow(world.state.tree.get(rowStateKey(1, rowKey)) as Uint8Array)
    return { rowKey, subkey: sealed(row.epoch, 1, row.sealed) }
  })
  const request = { table: 1, rows, vouchers, note }
  // What a reader refuses half-way it has opened so far.
  const { proof } = world.tree.record(version, (state) => void codeOf(() => {
    if (also) state.get(also)
    return readReceipt(state, without ? { ...request, [without]: [] } : request)
  }))
  const object = decodeObject(world.state.tree.get(objectKey(1)) as Uint8Array)
  return encodeReceipt({ spaceId, head, note, vouchers, table: 1, tableSubkey: sealed(object.epoch, NO_TABLE, object.sealed), rows, proof })
}

const rowKeys = (): Uint8Array[] => [...world.state.tree.scan(rowPrefix(1))].filter(({ key }) => key[0] === rowPrefix(1)[0]).slice(0, 2).map(({ key }) => key.slice(ROW_PREFIX_LENGTH))
const noteOf = (over: Partial<Head> = {}, signers: readonly NoteSigner[] = [relay], spaceId = world.spaceId): Uint8Array => {
  const { size, logRoot, stateRoot } = { ...world.head, ...over }
  return formatNote(signNote(formatCheckpoint({ origin: originOfSpace(spaceId), size, root: logRoot, extensions: [formatStateLine(stateRoot)] }), signers))
}
const verdict = (forged: Forged, by: ReceiptTrust = trust): string => codeOf(() => verifyReceipt(crypto, receipt(forged), by))
/** The state with one of its records changed, as if the entries had led there. */
function edit(key: Uint8Array, change: (value: Uint8Array) => Uint8Array): void {
  world.state = { ...world.state, tree: world.state.tree.apply(EditBatch.of([{ key, value: change(world.state.tree.get(key) as Uint8Array) }])) }
}

describe('a receipt', () => {
  it('takes what the forged ones below are made from, by a voucher or a note', () => {
    expect(verifyReceipt(crypto, receipt({}), trust)).toMatchObject({ relay: false, vouchers: [{ device: 2, founder: false, trusted: true }] })
    expect(verifyReceipt(crypto, receipt({ note: noteOf() }), trust)).toMatchObject({ relay: true, vouchers: [] })
    expect(verifyReceipt(crypto, receipt({ vouchers: [{ by: world.ada }, {}] }), { spaceId: world.spaceId })).toMatchObject({ vouchers: [{ founder: true }, { founder: false, trusted: false }] })
  })

  it('has rows, each once and in their order; vouchers, too', () => {
    const [first, second] = rowKeys() as [Uint8Array, Uint8Array]
    for (const rows of [[], [first, first], [second, first]]) expect(verdict({ rows })).toBe('bad-proof')
    for (const vouchers of [[{}, {}], [{}, { by: world.ada }]]) expect(verdict({ vouchers })).toBe('bad-proof')
  })

  it('proves what it reads and no more', () => {
    expect(verdict({ also: deviceKey(bob.device) })).toBe('no error') // its reader reads that anyway
    for (const also of [pointerKey(world.ada.device), protocolKey(), memberKey(world.ada.member)]) expect(verdict({ also })).toBe('bad-proof')
    for (const without of ['rows', 'vouchers'] as const) expect(verdict({ without })).toBe('bad-proof')
  })

  it('is not longer than one may be', () => {
    expect(codeOf(() => verifyReceipt(crypto, new Uint8Array(MAX_RECEIPT_LENGTH + 1), trust))).toBe('too-large')
    expect(codeOf(() => verifyReceipt(crypto, new Uint8Array(MAX_RECEIPT_LENGTH), trust))).toBe('unsupported-version')
  })

  it('is of a table', () => {
    edit(objectKey(1), (value) => encodeObject({ ...decodeObject(value), kind: 'view', table: undefined }))
    expect(verdict({})).toBe('bad-proof')
  })

  it('names each policy of the table', () => {
    edit(objectKey(1), (value) => {
      const object = decodeObject(value)
      const sealed = world.sealer(world.ada).sealObject(1, object.epoch, object.device, new Uint8Array(24).fill(3), { sealed: encodeUtf8('ddl'), table: { ...table(1).table!, policies: [] } })
      return encodeObject({ ...object, sealed })
    })
    expect(verdict({})).toBe('bad-proof')
  })
})

describe('a note', () => {
  it('is about this head: its size, its log, its state', () => {
    const earlier = world.headAt(world.head.size - 1)
    for (const over of [earlier, { size: earlier.size }, { logRoot: earlier.logRoot }, { stateRoot: earlier.stateRoot }]) expect(verdict({ note: noteOf(over) })).toBe('bad-proof')
    expect(verdict({ note: noteOf({}, [relay], new Uint8Array(32).fill(1)) })).toBe('bad-checkpoint')
  })

  it('has the relay’s signature and no other', () => {
    const other = checkpointSigner(crypto, 'other.test', crypto.signer(new Uint8Array(32).fill(8)))
    for (const signers of [[relay, other], [other, relay], [relay, relay]]) expect(verdict({ note: noteOf({}, signers) })).toBe('bad-proof')
    expect(verdict({ note: noteOf({}, [other]) })).toBe('bad-signature')
    for (const by of [{ name: 'other.test', publicKey: relaySigner.publicKey }, { name: NAME, publicKey: bob.signer.publicKey }]) expect(verdict({ note: noteOf() }, { ...trust, relay: by })).toBe('bad-proof')
    expect(verdict({ note: noteOf() }, { spaceId: world.spaceId })).toBe('bad-proof')
    const impostor = checkpointSigner(crypto, NAME, crypto.signer(new Uint8Array(32).fill(9)))
    expect(verdict({ note: noteOf({}, [impostor]) })).toBe('bad-signature')
  })
})

describe('a voucher', () => {
  it('is an entry on this very head', () => {
    const earlier = world.headAt(world.head.size - 1)
    for (const over of [earlier, { size: earlier.size }, { logRoot: earlier.logRoot }, { stateRoot: earlier.stateRoot }]) expect(verdict({ vouchers: [{ base: { ...world.head, ...over } }] })).toBe('bad-proof')
  })

  it('speaks for its own device, in this space, of what it has computed', () => {
    expect(verdict({ vouchers: [{ device: 1 }] })).toBe('bad-proof')
    expect(verdict({ vouchers: [{ by: { ...world.ada, signer: bob.signer } }] })).toBe('bad-proof')
    expect(verdict({ vouchers: [{ spaceId: new Uint8Array(32).fill(1) }] })).toBe('bad-proof')
    expect(verdict({ vouchers: [{ adopted: true }] })).toBe('bad-proof')
  })

  it('is of a member and a device that are still here', () => {
    edit(deviceKey(bob.device), (value) => encodeDevice({ ...decodeDevice(value), removedAt: 5 }))
    expect(verdict({})).toBe('bad-proof')
    edit(deviceKey(bob.device), (value) => encodeDevice({ ...decodeDevice(value), removedAt: undefined }))
    expect(verdict({})).toBe('no error')
    edit(memberKey(bob.member), (value) => encodeMember({ ...decodeMember(value), removedAt: 5 }))
    expect(verdict({})).toBe('bad-proof')
  })

  it('was admitted by the entry that the state names, which its key has signed', () => {
    // One of Bob's own, which admits nobody, and Ada's.
    world.mustCommit(bob, { rows: [insert(1, [9n])] })
    log.append(hashOf(world.records.at(-1) as Uint8Array))
    expect(verdict({})).toBe('no error')
    expect(verdict({ vouchers: [{ admittedAt: 0 }] })).toBe('bad-proof')
    // As good as the true one, but that the log has another.
    expect(verdict({ vouchers: [{ admission: vouching(world.headAt(1), { device: 0 }) }] })).toBe('bad-proof')
    for (const index of [world.records.length - 1, 1]) {
      edit(deviceKey(bob.device), (value) => encodeDevice({ ...decodeDevice(value), admittedAt: index }))
      expect(verdict({})).toBe('bad-proof')
    }
  })

  it('that founded, has founded this space: a founder of another, with a history of his own, is nobody', () => {
    const { spaceId } = world
    world = new World(2)
    log = new LogTree(crypto)
    world.mustCommit(world.ada, { catalog: [{ kind: 'create', object: table(1), name: 'table:task' }] })
    world.mustCommit(world.ada, { rows: [insert(1, [1n]), insert(1, [2n])] })
    for (const record of world.records) log.append(hashOf(record))
    const by = { spaceId, devices: [world.ada.signer.publicKey] }
    expect(verdict({ spaceId, vouchers: [{ by: world.ada, spaceId }] }, by)).toBe('bad-proof')
    expect(verdict({ vouchers: [{ by: world.ada }] })).toBe('bad-proof')
    expect(verdict({ vouchers: [{ by: world.ada }] }, { spaceId: world.spaceId })).toBe('no error')
  })

  it('is believed if the verifier knows its key', () => {
    const { spaceId } = world
    for (const devices of [[], [world.ada.signer.publicKey], [new Uint8Array(32)]]) expect(verdict({}, { spaceId, devices })).toBe('bad-proof')
    expect(verdict({}, { spaceId, devices: [new Uint8Array(32), bob.signer.publicKey] })).toBe('no error')
    expect(verdict({}, { spaceId, devices: [bob.signer.publicKey], vouchers: 2 })).toBe('bad-proof')
    expect(verdict({ vouchers: [{ by: world.ada }, {}] }, { spaceId, devices: [bob.signer.publicKey], vouchers: 2 })).toBe('no error')
  })
})
