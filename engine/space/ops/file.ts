/**
 * Ops on files (PROTOCOL.md §6.4, §8.7): put, delete, and reseal, which gives the sealed key a new epoch and nothing else. The content is never in an entry;
 * that what is put has an author who holds it nobody can check, and nobody need: a file without chunks opens to nothing.
 */
import { equalBytes } from '../../codec/bytes.js'
import { type Reader, type Writer } from '../../codec/canonical.js'
import { SEALED_OVERHEAD } from '../../crypto/aead.js'
import { FILE_CONTENT_LENGTH, MAX_FILE_LENGTH } from '../../limits.js'
import { requireOr } from '../../state/context.js'
import { FILE_ID_LENGTH, fileKey } from '../../state/keys.js'
import { atLeast } from '../../state/roster.js'
import { type SpaceContext, type SpaceOpCodec } from '../context.js'
import { decodeFile, encodeFile, type FileFacts, fileIdOf, type FileRecord } from '../file-record.js'
import { checkSealed } from '../sealed.js'

export interface PutFileOp extends FileFacts {
  readonly op: 'file.put'
  readonly id: Uint8Array
  readonly sealed: Uint8Array
}
export interface DeleteFileOp { readonly op: 'file.delete'; readonly id: Uint8Array }
export interface ResealFileOp { readonly op: 'file.reseal'; readonly id: Uint8Array; readonly sealed: Uint8Array }

/** What belongs to no table is counted under 0. */
const NO_TABLE = 0
/** One length for all: that of a name does not show. */
export const SEALED_FILE_LENGTH = SEALED_OVERHEAD + FILE_CONTENT_LENGTH

export const putFile: SpaceOpCodec<PutFileOp> = {
  tag: 0x30,
  name: 'file.put',
  role: 'writer',
  write: (w, op) => void writeId(w, op).varint(op.length).fixed(op.root, 32).fixed(op.commitment, 32).fixed(op.sealed, SEALED_FILE_LENGTH),
  read: (r) => ({ op: 'file.put', id: readId(r), length: r.varint(MAX_FILE_LENGTH), root: r.fixed(32), commitment: r.fixed(32), sealed: r.fixed(SEALED_FILE_LENGTH) }),
  apply(ctx, op) {
    const key = fileKey(op.id)
    requireOr(!ctx.touched(key), 'rule', 'repeated-key')
    requireOr(ctx.get(key) === undefined, 'conflict', 'present')
    requireOr(equalBytes(op.id, fileIdOf(ctx.env.crypto, ctx.env.spaceId, op)), 'rule', 'file-id')
    store(ctx, key, op, op.sealed, ctx.author.member)
  },
}

export const deleteFile: SpaceOpCodec<DeleteFileOp> = {
  tag: 0x31,
  name: 'file.delete',
  role: 'writer',
  write: (w, op) => void writeId(w, op),
  read: (r) => ({ op: 'file.delete', id: readId(r) }),
  apply(ctx, op) {
    const { key, old } = target(ctx, op.id)
    requireOr(old.creator === ctx.author.member || atLeast(ctx.author.role, 'admin'), 'role', 'not-creator')
    ctx.live(old.epoch, NO_TABLE, -1)
    ctx.delete(key)
  },
}

export const resealFile: SpaceOpCodec<ResealFileOp> = {
  tag: 0x32,
  name: 'file.reseal',
  role: 'admin',
  write: (w, op) => void writeId(w, op).fixed(op.sealed, SEALED_FILE_LENGTH),
  read: (r) => ({ op: 'file.reseal', id: readId(r), sealed: r.fixed(SEALED_FILE_LENGTH) }),
  apply(ctx, op) {
    const { key, old } = target(ctx, op.id)
    store(ctx, key, old, op.sealed, old.creator)
    ctx.live(old.epoch, NO_TABLE, -1)
  },
}

/** The file as it is, if the author has seen it so: unchanged since the base, but for what the author's own device did. */
function target(ctx: SpaceContext, id: Uint8Array): { readonly key: Uint8Array; readonly old: FileRecord } {
  const key = fileKey(id)
  requireOr(!ctx.touched(key), 'rule', 'repeated-key')
  const bytes = ctx.get(key)
  requireOr(bytes !== undefined, 'conflict', 'absent')
  const old = decodeFile(bytes)
  requireOr(old.version < ctx.entry.base.size || old.device === ctx.author.device, 'conflict', 'file-version')
  return { key, old }
}

function store(ctx: SpaceContext, key: Uint8Array, { length, root, commitment }: FileFacts, sealed: Uint8Array, creator: number): void {
  const { author, entry } = ctx
  requireOr(ctx.epochDelivered, 'rule', 'epoch-void')
  checkSealed(sealed, entry.epoch)
  ctx.live(entry.epoch, NO_TABLE, 1)
  ctx.put(key, encodeFile({ version: ctx.index, creator, member: author.member, device: author.device, epoch: entry.epoch, length, root, commitment, sealed }))
}

function writeId(w: Writer, { id }: { readonly id: Uint8Array }): Writer {
  return w.fixed(id, FILE_ID_LENGTH)
}

function readId(r: Reader): Uint8Array {
  return r.fixed(FILE_ID_LENGTH)
}
