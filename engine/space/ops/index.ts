/** Every op there is, by tag and by name. Tags are never reused; a tag that is not here makes an entry malformed. */
import { type Reader, type Writer } from '../../codec/canonical.js'
import { invariant } from '../../errors.js'
import { GROUP_OPS, type GroupOp } from '../../group/ops/index.js'
import { type OpContext } from '../../state/context.js'
import { type MemberRole } from '../../state/roster.js'
import { type SpaceContext } from '../context.js'
import {
  createObject, dropObject, reblindObject, replaceObject, resealObject,
  type CreateObjectOp, type DropObjectOp, type ReblindObjectOp, type ReplaceObjectOp, type ResealObjectOp,
} from './catalog.js'
import { deleteFile, putFile, resealFile, type DeleteFileOp, type PutFileOp, type ResealFileOp } from './file.js'
import { deleteRow, insertRow, rekeyRow, resealRow, updateRow, type DeleteRowOp, type PutRowOp, type RekeyRowOp, type ResealRowOp } from './row.js'
import { acceptRollback, type AcceptRollbackOp } from './rollback.js'
import { setRelay, upgrade, type SetRelayOp, type UpgradeOp } from './space.js'

export type SpaceOp =
  | PutRowOp | DeleteRowOp | ResealRowOp | RekeyRowOp
  | CreateObjectOp | ReplaceObjectOp | DropObjectOp | ResealObjectOp | ReblindObjectOp
  | PutFileOp | DeleteFileOp | ResealFileOp
  | SetRelayOp | UpgradeOp | AcceptRollbackOp
export type Op = SpaceOp | GroupOp

/** One kind of op with its type forgotten: `opCodec(op)` gives back the one that fits. */
export interface AnyCodec {
  readonly tag: number
  readonly name: Op['op']
  readonly role: MemberRole | undefined
  selfSigned?(op: Op): Uint8Array
  write(writer: Writer, op: Op): void
  read(reader: Reader): Op
  skip?(reader: Reader): void
  apply(context: OpContext & SpaceContext, op: Op): void
}

const SPACE_OPS = [
  insertRow, updateRow, deleteRow, resealRow, rekeyRow, createObject, replaceObject, dropObject, resealObject, reblindObject,
  putFile, deleteFile, resealFile, setRelay, upgrade, acceptRollback,
] as const
const ALL: readonly AnyCodec[] = [...SPACE_OPS, ...GROUP_OPS]
const byTag = new Map<number, AnyCodec>(ALL.map((codec) => [codec.tag, codec]))
const byName = new Map<string, AnyCodec>(ALL.map((codec) => [codec.name, codec]))
invariant(byTag.size === ALL.length && byName.size === ALL.length, 'two ops share a tag or a name')

export function opCodec(op: Op): AnyCodec {
  const codec = byName.get(op.op)
  invariant(codec !== undefined, `no op ${op.op}`)
  return codec
}

export function writeOp(writer: Writer, op: Op): void {
  const codec = opCodec(op)
  writer.u8(codec.tag)
  codec.write(writer, op)
}

/** Throws `bad-encoding` on an unknown tag. What it returns views into the input. */
export function readOp(reader: Reader): Op {
  return readCodec(reader).read(reader)
}

/** Passes over an op, as strictly as `readOp`. */
export function skipOp(reader: Reader): void {
  const codec = readCodec(reader)
  if (codec.skip === undefined) codec.read(reader)
  else codec.skip(reader)
}

function readCodec(reader: Reader): AnyCodec {
  const codec = codecOf(reader.u8())
  if (codec === undefined) throw reader.bad('Expected the tag of an op')
  return codec
}

export function codecOf(tag: number): AnyCodec | undefined {
  return byTag.get(tag)
}
