/**
 * Ops on the catalog (PROTOCOL.md §6, §8): create, replace, drop; reseal-object for a new epoch, reblind-object for a new generation of names and keys.
 *
 * Any writer creates. Who changes or drops an object is its creator, an admin or an owner; so too who adds something to a table (a trigger
 * runs on every member's writes). Policies are part of a table's shape: whoever may replace it may change them.
 */
import { MAX_CATALOG_OPS, MAX_VALUE_LENGTH } from '../../limits.js'
import { Reject, requireOr } from '../../state/context.js'
import { generationByte, indexesPrefix, indexPrefix, KEY_KIND, keyId, MAX_ID, nameKey, objectKey, rowPrefix, TOKEN_LENGTH } from '../../state/keys.js'
import { atLeast } from '../../state/roster.js'
import { checkObject, checkReplacement, parentOf, readPublicObject, storedObjects, writePublicObject, type ObjectRecord, type PublicObject } from '../catalog.js'
import { type SpaceContext, type SpaceOpCodec } from '../context.js'
import { decodeCount } from '../counts.js'
import { checkSealed } from '../sealed.js'

export interface CreateObjectOp { readonly op: 'create'; readonly id: number; readonly object: PublicObject; readonly nameToken: Uint8Array; readonly sealed: Uint8Array }
export interface ReplaceObjectOp {
  readonly op: 'replace'
  readonly id: number
  readonly object: PublicObject
  /** When renamed. */
  readonly nameToken: Uint8Array | undefined
  readonly sealed: Uint8Array
}
export interface DropObjectOp { readonly op: 'drop'; readonly id: number }
export interface ResealObjectOp { readonly op: 'reseal-object'; readonly id: number; readonly sealed: Uint8Array }
/** The object goes over to the newest generation of the blinding secret. */
export interface ReblindObjectOp { readonly op: 'reblind-object'; readonly id: number; readonly nameToken: Uint8Array; readonly sealed: Uint8Array }

export const createObject: SpaceOpCodec<CreateObjectOp> = {
  tag: 0x08,
  name: 'create',
  role: 'writer',
  write(w, op) {
    w.varint(op.id)
    writePublicObject(w, op.object)
    w.fixed(op.nameToken, TOKEN_LENGTH).bytes(op.sealed, MAX_VALUE_LENGTH)
  },
  read: (r) => ({ op: 'create', id: r.varint(MAX_ID), object: readPublicObject(r), nameToken: r.fixed(TOKEN_LENGTH), sealed: r.bytes(MAX_VALUE_LENGTH) }),
  apply(ctx, op) {
    begin(ctx)
    requireOr(op.id === ctx.meta.nextObject, 'conflict', 'id')
    takeName(ctx, op.id, op.nameToken, ctx.meta.generation)
    if (op.object.parent !== undefined) changeable(ctx, op.object.parent)
    checkObject(op.object)
    ctx.setMeta({ nextObject: op.id + 1 })
    const { member, device } = ctx.author
    putRecord(ctx, op.id, { ...op.object, version: ctx.index, device, creator: member, generation: ctx.meta.generation, nameToken: op.nameToken, epoch: ctx.entry.epoch, sealed: op.sealed })
  },
}

export const replaceObject: SpaceOpCodec<ReplaceObjectOp> = {
  tag: 0x09,
  name: 'replace',
  role: 'writer',
  write(w, op) {
    w.varint(op.id)
    writePublicObject(w, op.object)
    w.optional(op.nameToken, (x, token) => x.fixed(token, TOKEN_LENGTH)).bytes(op.sealed, MAX_VALUE_LENGTH)
  },
  read: (r) => ({
    op: 'replace',
    id: r.varint(MAX_ID),
    object: readPublicObject(r),
    nameToken: r.optional((x) => x.fixed(TOKEN_LENGTH)),
    sealed: r.bytes(MAX_VALUE_LENGTH),
  }),
  apply(ctx, op) {
    begin(ctx)
    const old = changeable(ctx, op.id)
    if (op.nameToken) {
      takeName(ctx, op.id, op.nameToken, old.generation)
      ctx.delete(nameKey(old.nameToken))
    }
    checkObject(op.object)
    checkReplacement(old, op.object)
    for (const index of old.table?.indexes ?? []) {
      if (!op.object.table?.indexes.some((i) => i.id === index.id)) ctx.deletePrefix(indexPrefix(op.id, index.id))
    }
    for (const index of op.object.table?.indexes ?? []) if (!old.table?.indexes.some((i) => i.id === index.id)) ctx.addIndex(op.id, index.id)
    ctx.live(old.epoch, 0, -1)
    const { creator, generation } = old
    putRecord(ctx, op.id, {
      ...op.object, version: ctx.index, device: ctx.author.device, creator, generation,
      nameToken: op.nameToken ?? old.nameToken, epoch: ctx.entry.epoch, sealed: op.sealed,
    })
  },
}

export const dropObject: SpaceOpCodec<DropObjectOp> = {
  tag: 0x0a,
  name: 'drop',
  role: 'writer',
  write: (w, op) => void w.varint(op.id),
  read: (r) => ({ op: 'drop', id: r.varint(MAX_ID) }),
  apply(ctx, op) {
    begin(ctx)
    const old = changeable(ctx, op.id)
    if (old.table) {
      const dependants: number[] = []
      for (const { id, value } of storedObjects(ctx)) {
        if (parentOf(value) === op.id) dependants.push(id)
      }
      for (const id of dependants) remove(ctx, id, ctx.object(id) as ObjectRecord)
      // What the table's rows kept alive goes with them: one count for each epoch, not one step for each row.
      const counts: { epoch: number; count: number }[] = []
      for (const { key, value } of ctx.scan(Uint8Array.of(KEY_KIND.live), Uint8Array.of(KEY_KIND.live + 1))) {
        if (keyId(key, 5) === op.id) counts.push({ epoch: keyId(key), count: decodeCount(value) })
      }
      for (const { epoch, count } of counts) ctx.live(epoch, op.id, -count)
      ctx.deletePrefix(rowPrefix(op.id))
      ctx.deletePrefix(indexesPrefix(op.id))
    }
    remove(ctx, op.id, old)
  },
}

export const resealObject: SpaceOpCodec<ResealObjectOp> = {
  tag: 0x0b,
  name: 'reseal-object',
  role: 'admin',
  write: (w, op) => void w.varint(op.id).bytes(op.sealed, MAX_VALUE_LENGTH),
  read: (r) => ({ op: 'reseal-object', id: r.varint(MAX_ID), sealed: r.bytes(MAX_VALUE_LENGTH) }),
  apply(ctx, op) {
    begin(ctx)
    const old = changeable(ctx, op.id)
    ctx.live(old.epoch, 0, -1)
    putRecord(ctx, op.id, { ...old, version: ctx.index, device: ctx.author.device, epoch: ctx.entry.epoch, sealed: op.sealed })
  },
}

export const reblindObject: SpaceOpCodec<ReblindObjectOp> = {
  tag: 0x0f,
  name: 'reblind-object',
  role: 'admin',
  write: (w, op) => void w.varint(op.id).fixed(op.nameToken, TOKEN_LENGTH).bytes(op.sealed, MAX_VALUE_LENGTH),
  read: (r) => ({ op: 'reblind-object', id: r.varint(MAX_ID), nameToken: r.fixed(TOKEN_LENGTH), sealed: r.bytes(MAX_VALUE_LENGTH) }),
  apply(ctx, op) {
    begin(ctx)
    const old = changeable(ctx, op.id)
    const { generation } = ctx.meta
    requireOr(old.generation < generation, 'conflict', 'generation')
    takeName(ctx, op.id, op.nameToken, generation)
    ctx.delete(nameKey(old.nameToken))
    ctx.live(old.epoch, 0, -1)
    putRecord(ctx, op.id, { ...old, version: ctx.index, device: ctx.author.device, generation, nameToken: op.nameToken, epoch: ctx.entry.epoch, sealed: op.sealed })
  },
}

/** The name is the object's from here on. */
function takeName(ctx: SpaceContext, id: number, token: Uint8Array, generation: number): void {
  requireOr(token[0] === generationByte(generation), 'rule', 'name-generation')
  requireOr(ctx.get(nameKey(token)) === undefined, 'conflict', 'name')
  ctx.put(nameKey(token), objectKey(id).subarray(1))
}

/** The object as it is, if the author may change it and has seen it so. */
function changeable(ctx: SpaceContext, id: number): ObjectRecord {
  const old = ctx.object(id)
  requireOr(old !== undefined, 'conflict', 'object')
  requireOr(old.version < ctx.entry.base.size || old.device === ctx.author.device, 'conflict', 'catalog-version')
  const table = old.parent === undefined ? undefined : ctx.object(old.parent)
  const { member, role } = ctx.author
  requireOr(old.creator === member || table?.creator === member || atLeast(role, 'admin'), 'role', 'not-creator')
  return old
}

function begin(ctx: SpaceContext): void {
  requireOr(!ctx.rowsWritten, 'rule', 'order')
  ctx.catalogOps += 1
  if (ctx.catalogOps > MAX_CATALOG_OPS) throw new Reject('rule', 'catalog-ops')
}

function putRecord(ctx: SpaceContext, id: number, record: ObjectRecord): void {
  requireOr(ctx.epochDelivered, 'rule', 'epoch-void')
  checkSealed(record.sealed, ctx.entry.epoch)
  ctx.live(record.epoch, 0, 1)
  ctx.putObject(id, record)
}

function remove(ctx: SpaceContext, id: number, record: ObjectRecord): void {
  ctx.live(record.epoch, 0, -1)
  ctx.delete(nameKey(record.nameToken))
  ctx.putObject(id, undefined)
}

